"""Quantities as text at the edge, SI floats inside.

A field is annotated with one of the types below (`Bytes`, `BytesPerS`, ...). In YAML it is written
as text with a unit (`512 KiB`, `1.5 TB/s`) or as a bare number of SI units; in the program it is a
float of SI units, or of the unit that the field's name ends in (`area_mm2`).

Prefixes k, M, G, T, P are powers of 1000, Ki, Mi, Gi, Ti powers of 1024. `KB` is refused because
the field writes it for both.
"""

import math
import re
from collections.abc import Callable
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

_TEXT = re.compile(r"([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*([^\d\s].*)?")
_DECIMAL = {"": 1.0, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15}
_BINARY = {"Ki": 2.0**10, "Mi": 2.0**20, "Gi": 2.0**30, "Ti": 2.0**40}
_SMALL = {"m": 1e-3, "u": 1e-6, "n": 1e-9, "p": 1e-12, "f": 1e-15}


def _scaled(symbol: str, prefixes: dict[str, float], per: str = "") -> dict[str, float]:
    return {f"{prefix}{symbol}{per}": factor for prefix, factor in prefixes.items()}


BYTES = _scaled("B", _DECIMAL | _BINARY)
BYTES_PER_S = _scaled("B", _DECIMAL | _BINARY, "/s")
HERTZ = _scaled("Hz", _DECIMAL)
SECONDS = _scaled("s", {"": 1.0} | _SMALL)
WATTS = _scaled("W", {"": 1.0, "k": 1e3, "M": 1e6} | _SMALL)
JOULES = _scaled("J", {"": 1.0} | _SMALL)
JOULES_PER_BYTE = {
    **_scaled("J", _SMALL, "/B"),
    **{f"{p}J/bit": 8.0 * factor for p, factor in _SMALL.items()},
}
MILLIMETRES = {"mm": 1.0, "um": 1e-3, "m": 1e3}
SQUARE_MILLIMETRES = {"mm2": 1.0, "um2": 1e-6}
MM2_PER_BYTES_PER_S = {"mm2/(TB/s)": 1e-12, "mm2/(GB/s)": 1e-9}
USD_PER_BYTE = {"USD/GB": 1e-9, "USD/GiB": 2.0**-30}
TOKENS = {"": 1.0, **dict.fromkeys(("k", "K"), 2.0**10), "M": 2.0**20, "G": 2.0**30}


def quantity(text: str, units: dict[str, float]) -> float:
    """Return the SI value of `text`, a number and one of `units`.

    Raises `ValueError` that names what is allowed.

    >>> quantity("1.5 TB/s", BYTES_PER_S)
    1500000000000.0
    >>> quantity("128k", TOKENS)
    131072.0
    >>> quantity("512 KB", BYTES)
    Traceback (most recent call last):
    ValueError: expected a number and one of B, kB, MB, GB, TB, PB, KiB, MiB, GiB, TiB, got '512 KB'
    """
    match = _TEXT.fullmatch(text.strip())
    unit = (match.group(2) or "").strip() if match else None
    if match is None or unit not in units:
        raise ValueError(f"expected a number and one of {_names(units)}, got {_short(text)}")
    # The quotient keeps decimal text exact where a product would not: 0.35 pJ is 0.35e-12.
    return _times(float(match.group(1)), units[unit])


def _times(number: float, factor: float) -> float:
    """Return `number * factor`, correctly rounded for the powers of ten below one."""
    return number * factor if factor >= 1 else number / round(1 / factor)


def _names(units: dict[str, float]) -> str:
    return ", ".join(name or "no unit" for name in units)


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _parser(units: dict[str, float]) -> Callable[[Any], float]:
    def parse(value: Any) -> float:  # noqa: ANN401 (what YAML holds)
        if isinstance(value, str):
            return quantity(value, units)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ValueError(f"expected a number and one of {_names(units)}, got {_short(value)}")  # noqa: TRY004 (pydantic collects ValueError)
        if abs(value) > 1e300:
            raise ValueError(f"number out of range: {_short(value)}")
        return float(value)

    return parse


def _quantity_type(units: dict[str, float]) -> BeforeValidator:
    return BeforeValidator(_parser(units), json_schema_input_type=str | float)


def _whole(value: object) -> int:
    """Return a whole number, refusing booleans, fractions and text.

    >>> _whole(3), _whole(4.0)
    (3, 4)
    """
    if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        whole = math.floor(value)
        if whole == value:
            return whole
    raise ValueError(f"expected a whole number, got {_short(value)}")


def _tokens(value: object) -> int:
    number = _parser(TOKENS)(value)
    if number != math.floor(number):
        raise ValueError(f"expected a whole number of tokens, got {_short(value)}")
    return int(number)


Bytes = Annotated[float, _quantity_type(BYTES)]
BytesPerS = Annotated[float, _quantity_type(BYTES_PER_S)]
Hertz = Annotated[float, _quantity_type(HERTZ)]
Seconds = Annotated[float, _quantity_type(SECONDS)]
Watts = Annotated[float, _quantity_type(WATTS)]
Joules = Annotated[float, _quantity_type(JOULES)]
JoulesPerByte = Annotated[float, _quantity_type(JOULES_PER_BYTE)]
Millimetres = Annotated[float, _quantity_type(MILLIMETRES)]
SquareMillimetres = Annotated[float, _quantity_type(SQUARE_MILLIMETRES)]
Mm2PerBytesPerS = Annotated[float, _quantity_type(MM2_PER_BYTES_PER_S)]
UsdPerByte = Annotated[float, _quantity_type(USD_PER_BYTE)]
Real = Annotated[float, _quantity_type({"": 1.0})]
"""A number without a unit."""
Count = Annotated[
    int,
    Field(ge=1, le=10**9),
    BeforeValidator(_whole, json_schema_input_type=int),
]
Tokens = Annotated[
    int,
    Field(ge=1, le=2**40),
    BeforeValidator(_tokens, json_schema_input_type=str | int),
]
"""A count of tokens; `128k` is 131,072 and `1M` 1,048,576."""


def tokens(text: str) -> int:
    """Return the token count that `text` names.

    >>> tokens("128k"), tokens("1M"), tokens("4096")
    (131072, 1048576, 4096)
    """
    return _tokens(text)


_STEPS = ((1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, ""))
_SMALL_STEPS = ((1.0, ""), (1e-3, "m"), (1e-6, "u"), (1e-9, "n"), (1e-12, "p"))


def show(value: float, unit: str, digits: int = 4) -> str:
    """Return `value` with the prefix that leaves one to three digits before the point.

    Areas keep their unit, which has a prefix already.

    >>> show(0.02273, "s"), show(24.4e12, "OP/s"), show(0, "B"), show(41_000, "mm2")
    ('22.73 ms', '24.4 TOP/s', '0 B', '41,000 mm2')
    """
    if unit == "mm2":
        return f"{value:,.{digits}g} {unit}" if abs(value) < 10**digits else f"{value:,.0f} {unit}"
    steps = _STEPS if abs(value) >= 1 else _SMALL_STEPS
    factor, prefix = next(((f, p) for f, p in steps if abs(value) >= f), (1.0, ""))
    return f"{value / factor:.{digits}g} {prefix}{unit}"
