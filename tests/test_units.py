"""Quantities: text to SI, what is refused, and the way back to text."""

import math
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from star_watos import units
from star_watos.units import quantity, show, tokens

ALL = {
    name: table
    for name, table in vars(units).items()
    if name.isupper() and not name.startswith("_")
}
SHOWN = {"s": units.SECONDS, "J": units.JOULES, "W": units.WATTS, "B/s": units.BYTES_PER_S}


def refusal(kind, value):
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(kind).validate_python(value)
    (error,) = caught.value.errors()
    return error["msg"].removeprefix("Value error, ")


@pytest.mark.parametrize(
    ("text", "table", "value"),
    [
        ("512 KiB", units.BYTES, 524_288.0),
        ("512KiB", units.BYTES, 524_288.0),
        ("  1.25  MB  ", units.BYTES, 1_250_000.0),
        ("1.5 TB/s", units.BYTES_PER_S, 1.5e12),
        ("1e3 B", units.BYTES, 1000.0),
        (".5 GiB", units.BYTES, 2.0**29),
        ("5. kB", units.BYTES, 5000.0),
        ("+2 GHz", units.HERTZ, 2e9),
        ("-3 ns", units.SECONDS, -3e-9),
        ("97 uW", units.WATTS, 97e-6),
        ("3.92 pJ/bit", units.JOULES_PER_BYTE, 31.36e-12),
        ("1 nJ/B", units.JOULES_PER_BYTE, 1e-9),
        ("85.69 um2", units.SQUARE_MILLIMETRES, 85.69e-6),
        ("1.481 mm2/(TB/s)", units.MM2_PER_BYTES_PER_S, 1.481e-12),
        ("15 USD/GB", units.USD_PER_BYTE, 15e-9),
        ("1 USD/GiB", units.USD_PER_BYTE, 2.0**-30),
        ("0.35 pJ", units.JOULES, 0.35e-12),
        ("0.3084 pJ", units.JOULES, 0.3084e-12),
        ("1e999 s", units.SECONDS, math.inf),
        ("1e-99999999 s", units.SECONDS, 0.0),
        ("1e99999999 s", units.SECONDS, math.inf),
        ("0 B", units.BYTES, 0.0),
    ],
)
def test_text_is_the_si_value(text, table, value):
    assert quantity(text, table) == value


@pytest.mark.parametrize(
    "text",
    [
        "512 KB",
        "512 kb",
        "512 Kb",
        "512 GBit",
        "512",
        "",
        " ",
        "B",
        "1,5 TB",
        "1_000 B",
        "0x10 B",
        "1e B",
        "1 2 B",
        "one B",
        "nan B",
        "inf B",
        "--1 B",
        "1 B 2",
        "1 B\n2 B",
        "١ B",
        "9" * 101 + " B",
    ],
)
def test_what_is_no_number_with_a_known_unit_is_refused(text):
    with pytest.raises(ValueError, match=r"^expected a number and one of B, kB, MB, .*, got '"):
        quantity(text, units.BYTES)


def test_a_refusal_is_short():
    with pytest.raises(ValueError, match=r"\.\.\.$") as caught:
        quantity("x" * 10_000, units.BYTES)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize(
    ("kind", "value", "says"),
    [
        (units.Bytes, "-1 B", "expected 0 B to 1000 PB, got '-1 B'"),
        (units.Bytes, 1e19, "expected 0 B to 1000 PB, got 1e+19"),
        (units.BytesPerS, 1e-300, "expected 1 B/s to 1000 PB/s, got 1e-300"),
        (units.BytesPerS, "1e300 B/s", "expected 1 B/s to 1000 PB/s, got '1e300 B/s'"),
        (units.Hertz, 0, "expected 1 Hz to 1 THz, got 0"),
        (units.Joules, "2 J", "expected 0 J to 1 J, got '2 J'"),
        (units.SquareMillimetres, "-1 um2", "expected 0 mm2 to 1000000 mm2, got '-1 um2'"),
        (units.Real, "nan", "expected a number, got 'nan'"),
        (units.Real, "2 x", "expected a number, got '2 x'"),
        (units.Real, math.inf, "expected -1e300 to 1e300, got inf"),
        (units.Real, True, "expected a number, got True"),
        (units.Real, None, "expected a number, got None"),
        (units.Seconds, [], "expected a number and one of s, ms, us, ns, ps, fs, got []"),
        (units.Seconds, True, "expected a number and one of s, ms, us, ns, ps, fs, got True"),
        (units.Count, 2.5, "expected a whole number, got 2.5"),
        (units.Count, "3", "expected a whole number, got '3'"),
        (units.Count, True, "expected a whole number, got True"),
        (units.Count, 10**400, "Input should be less than or equal to 1000000000"),
        (units.Count, math.nan, "expected a whole number, got nan"),
        (units.Count, 10.0**300, "Input should be less than or equal to 1000000000"),
        (units.Count, 0, "Input should be greater than or equal to 1"),
        (units.Tokens, 0, "expected 1 to 1024G, got 0"),
        (units.Tokens, "1e999", "expected 1 to 1024G, got '1e999'"),
        (units.Tokens, "1T", "expected a number and one of k, K, M, G or no unit, got '1T'"),
        (units.Tokens, 1.5, "expected a whole number of tokens, got 1.5"),
        (units.Tokens, "1.3k", "expected a whole number of tokens, got '1.3k'"),
    ],
)
def test_a_type_says_what_it_takes(kind, value, says):
    assert refusal(kind, value).startswith(says)


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("1", 1),
        ("4096", 4096),
        ("1e3", 1000),
        ("128k", 131_072),
        ("128K", 131_072),
        ("1M", 2**20),
        ("1.5k", 1536),
        ("2 G", 2**31),
        ("1024G", 2**40),
    ],
)
def test_token_counts_take_binary_suffixes(text, count):
    assert tokens(text) == count


@given(
    number=st.decimals(-1000, 1000, places=6, allow_nan=False),
    unit=st.sampled_from([(name, unit) for name in ALL for unit in ALL[name]]),
)
def test_decimal_text_gives_the_nearest_float(number, unit):
    table, name = ALL[unit[0]], unit[1]
    exact = Fraction(number) * Fraction(table[name])
    assert quantity(f"{number} {name}", table) == exact.numerator / exact.denominator


@given(value=st.floats(1e-12, 1e-3), power=st.sampled_from([("m", -3), ("u", -6), ("p", -12)]))
def test_a_prefix_is_a_power_of_ten(value, power):
    prefix, exponent = power
    number = Decimal(repr(value)).scaleb(-exponent)
    assert quantity(f"{number} {prefix}J", units.JOULES) == value


@given(
    value=st.floats(1e-12, 1e17),
    sign=st.sampled_from([1, -1]),
    unit=st.sampled_from(sorted(SHOWN)),
    digits=st.integers(1, 12),
)
def test_what_is_shown_reads_back_within_its_precision(value, sign, unit, digits):
    shown = show(sign * value, unit, digits)
    if shown.split()[1] in SHOWN[unit]:
        assert quantity(shown, SHOWN[unit]) == pytest.approx(sign * value, rel=10.0 ** (1 - digits))


@given(value=st.floats(1e-14, 1e17), unit=st.sampled_from(["s", "B", "OP/s"]))
def test_one_to_three_digits_stand_before_the_point(value, unit):
    assert 1 <= float(show(value, unit).split()[0]) < 1000


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0, "B", "0 B"),
        (999.96, "s", "1 ks"),
        (999.94, "s", "999.9 s"),
        (0.99996, "s", "1 s"),
        (7.659e-15, "J", "7.659 fJ"),
        (1e-20, "J", "1e-20 J"),
        (1e20, "B", "1e+05 PB"),
        (-1500, "W", "-1.5 kW"),
        (39_999.9, "mm2", "40,000 mm2"),
        (0.001, "mm2", "0.001 mm2"),
        (math.inf, "s", "inf s"),
        (math.nan, "s", "nan s"),
    ],
)
def test_shown(value, unit, text):
    assert show(value, unit) == text
