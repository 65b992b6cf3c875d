"""Quantities as text at the edge, SI floats inside.

A field is annotated with one of the types below (`Bytes`, `BytesPerS`, ...). In YAML it is written
as text with a unit (`512 KiB`, `1.5 TB/s`) or as a bare number of SI units; in the program it is a
float of SI units, or of the unit that the field's name ends in (`area_mm2`).

Prefixes k, M, G, T, P are powers of 1000, Ki, Mi, Gi, Ti powers of 1024. `KB` is refused because
the field writes it for both. Each type has a range far wider than anything that is built, inside
which no formula overflows.
"""

import math
import re
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Annotated, Any, TypeAlias

from pydantic import BeforeValidator, Field

_TEXT = re.compile(r"([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*([^\d\s].*)?", re.ASCII)
_LONGEST = 100
"""Characters of the longest text that is read as a quantity."""
Units: TypeAlias = Mapping[str, Fraction | float]
"""Unit -> its value in SI; fractions, so that a number is rounded once: 0.35 pJ is 0.35e-12."""

_ONE = {"": Fraction(1)}
_DECIMAL = _ONE | {prefix: Fraction(10) ** (3 * i) for i, prefix in enumerate("kMGTP", 1)}
_BINARY = {prefix: Fraction(2) ** (10 * i) for i, prefix in enumerate(("Ki", "Mi", "Gi", "Ti"), 1)}
_SMALL = {prefix: Fraction(10) ** (-3 * i) for i, prefix in enumerate("munpf", 1)}


def _scaled(symbol: str, prefixes: Mapping[str, Fraction], per: str = "") -> dict[str, Fraction]:
    return {f"{prefix}{symbol}{per}": factor for prefix, factor in prefixes.items()}


BYTES = _scaled("B", _DECIMAL | _BINARY)
BYTES_PER_S = _scaled("B", _DECIMAL | _BINARY, "/s")
HERTZ = _scaled("Hz", _DECIMAL)
FLOPS_PER_S = _scaled("FLOP/s", _DECIMAL)
SECONDS = _scaled("s", _ONE | _SMALL)
WATTS = _scaled("W", _DECIMAL | _SMALL)
JOULES = _scaled("J", _ONE | _SMALL)
JOULES_PER_BYTE = {
    **_scaled("J", _SMALL, "/B"),
    **{f"{p}J/bit": 8 * factor for p, factor in _SMALL.items()},
}
MILLIMETRES = {"mm": Fraction(1), "um": _SMALL["m"], "cm": Fraction(10)}
BYTES_PER_S_PER_MM = {"GB/s/mm": _DECIMAL["G"], "TB/s/mm": _DECIMAL["T"]}
SQUARE_MILLIMETRES = {"mm2": Fraction(1), "um2": _SMALL["u"]}
MM2_PER_BYTES_PER_S = {"mm2/(TB/s)": _SMALL["p"], "mm2/(GB/s)": _SMALL["n"]}
USD_PER_BYTE = {"USD/GB": _SMALL["n"], "USD/GiB": 1 / _BINARY["Gi"]}
TOKENS = _ONE | {
    "k": _BINARY["Ki"],
    "K": _BINARY["Ki"],
    "M": _BINARY["Mi"],
    "G": _BINARY["Gi"],
}


def quantity(text: str, units: Units) -> float:
    """Return the SI value of `text`, a number and one of `units`: the float nearest to it.

    Raises `ValueError` that names what is allowed.

    >>> quantity("1.5 TB/s", BYTES_PER_S)
    1500000000000.0
    >>> quantity("128k", TOKENS)
    131072.0
    >>> quantity("512 KB", BYTES)
    Traceback (most recent call last):
    ValueError: expected a number and one of B, kB, MB, GB, TB, PB, KiB, MiB, GiB, TiB, got '512 KB'
    """
    match = _TEXT.fullmatch(text.strip()) if len(text) <= _LONGEST else None
    unit = (match.group(2) or "").strip() if match else ""
    if match is None or unit not in units:
        raise ValueError(f"expected {_names(units)}, got {_short(text)}")
    return _times(match.group(1), Fraction(units[unit]))


def _times(number: str, factor: Fraction) -> float:
    """Return `number * factor`, rounded once."""
    rough = float(number) * float(factor)
    # Exact only where the result is a float at all; 1e99999999 has too many digits to write down.
    return rough if rough == 0 or math.isinf(rough) else float(Fraction(number) * factor)


def _names(units: Units) -> str:
    named = ", ".join(filter(None, units))
    if "" not in units:
        return f"a number and one of {named}"
    return f"a number and one of {named} or no unit" if named else "a number"


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _parser(units: Units, least: str, most: str) -> Callable[[Any], float]:
    low, high = quantity(least, units), quantity(most, units)

    def parse(value: Any) -> float:  # noqa: ANN401 (what YAML holds)
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise ValueError(f"expected {_names(units)}, got {_short(value)}")  # noqa: TRY004 (pydantic collects ValueError)
        number = quantity(value, units) if isinstance(value, str) else value
        if number < low or number > high:
            raise ValueError(f"expected {least} to {most}, got {_short(value)}")
        return float(number)

    return parse


def _quantity_type(units: Units, least: str, most: str) -> BeforeValidator:
    return BeforeValidator(_parser(units, least, most), json_schema_input_type=str | float)


def _whole(value: object) -> int:
    """Return a whole number, refusing booleans, fractions and text.

    >>> _whole(3), _whole(4.0)
    (3, 4)
    """
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, float) and value.is_integer():
        return int(value)
    raise ValueError(f"expected a whole number, got {_short(value)}")


_in_tokens = _parser(TOKENS, "1", "1024G")


def _tokens(value: object) -> int:
    number = _in_tokens(value)
    if number != math.floor(number):
        raise ValueError(f"expected a whole number of tokens, got {_short(value)}")
    return int(number)


Bytes = Annotated[float, _quantity_type(BYTES, "0 B", "1000 PB")]
BytesPerS = Annotated[float, _quantity_type(BYTES_PER_S, "1 B/s", "1000 PB/s")]
FlopsPerS = Annotated[float, _quantity_type(FLOPS_PER_S, "1 FLOP/s", "1000 PFLOP/s")]
Hertz = Annotated[float, _quantity_type(HERTZ, "1 Hz", "1 THz")]
Seconds = Annotated[float, _quantity_type(SECONDS, "0 s", "1000000 s")]
Watts = Annotated[float, _quantity_type(WATTS, "0 W", "1 GW")]
Joules = Annotated[float, _quantity_type(JOULES, "0 J", "1 J")]
JoulesPerByte = Annotated[float, _quantity_type(JOULES_PER_BYTE, "0 pJ/B", "1000 mJ/B")]
Millimetres = Annotated[float, _quantity_type(MILLIMETRES, "0 mm", "10000 mm")]
BytesPerSPerMm = Annotated[
    float, _quantity_type(BYTES_PER_S_PER_MM, "0 GB/s/mm", "1000000 TB/s/mm")
]
SquareMillimetres = Annotated[float, _quantity_type(SQUARE_MILLIMETRES, "0 mm2", "1000000 mm2")]
Mm2PerBytesPerS = Annotated[
    float, _quantity_type(MM2_PER_BYTES_PER_S, "0 mm2/(TB/s)", "1000000 mm2/(TB/s)")
]
UsdPerByte = Annotated[float, _quantity_type(USD_PER_BYTE, "0 USD/GB", "1000000 USD/GB")]
Real = Annotated[float, _quantity_type(_ONE, "-1e300", "1e300")]
"""A number without a unit."""
Efficiency = Annotated[Real, Field(ge=1e-9, le=1)]
"""The share of a peak that is reached, or of parts that work; far enough from 0 to divide by."""
Count = Annotated[
    int,
    BeforeValidator(_whole, json_schema_input_type=int),
    Field(ge=1, le=10**9),
]
Whole = Annotated[
    int,
    BeforeValidator(_whole, json_schema_input_type=int),
    Field(ge=0, le=10**9),
]
"""A count that may be 0."""
Tokens = Annotated[
    int,
    BeforeValidator(_tokens, json_schema_input_type=str | int),
    Field(ge=1, le=2**40),
]
"""A count of tokens; `128k` is 131,072 and `1M` 1,048,576."""


def tokens(text: str) -> int:
    """Return the token count that `text` names.

    >>> tokens("128k"), tokens("1M"), tokens("4096")
    (131072, 1048576, 4096)
    """
    return _tokens(text)


_NO_PREFIX = ("mm2", "mm", "dies")
_STEPS = ((1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, ""))
_SMALL_STEPS = ((1.0, ""), (1e-3, "m"), (1e-6, "u"), (1e-9, "n"), (1e-12, "p"), (1e-15, "f"))


def show(value: float, unit: str, digits: int = 4) -> str:
    """Return `value` with the prefix that leaves one to three digits before the point.

    >>> show(0.02273, "s"), show(24.4e12, "OP/s"), show(0, "B"), show(999.99, "B")
    ('22.73 ms', '24.4 TOP/s', '0 B', '1 kB')

    Squares and millimetres have no prefix: a kmm2 would be read as a square of kilo-millimetres.
    Nor have counts.

    >>> show(40_000, "mm2"), show(5.6841, "mm2"), show(0.25, "mm"), show(1200, "dies")
    ('40,000 mm2', '5.684 mm2', '0.25 mm', '1,200 dies')
    """
    rounded = float(f"{value:.{digits}g}")
    if unit in _NO_PREFIX or not math.isfinite(rounded):
        return f"{rounded:,} {unit}".replace(".0 ", " ")
    steps = _STEPS if abs(rounded) >= 1 else _SMALL_STEPS
    factor, prefix = next(((f, p) for f, p in steps if abs(rounded) >= f), (1.0, ""))
    return f"{rounded / factor:.{digits}g} {prefix}{unit}".rstrip()
