"""The space of hardware parameters: a few values an axis, and every combination is a candidate."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Annotated, Any, Self, TypeAlias

from pydantic import (
    BeforeValidator,
    Field,
    StrictBool,
    StrictFloat,
    StrictInt,
    StrictStr,
    model_validator,
)

from star_watos.explore.problem import Parameters
from star_watos.files import Scalar
from star_watos.spec import Spec

MAX_VALUES = 100_000
Number: TypeAlias = int | float
Point: TypeAlias = tuple[int, ...]
"""A candidate as the index of its value on each axis."""


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _scalar(value: Any) -> Scalar:  # noqa: ANN401 (what YAML holds)
    if not isinstance(value, str | int | float) or value in (math.inf, -math.inf) or value != value:  # noqa: PLR0124 (NaN)
        raise ValueError(f"expected text, a number, true or false, got {_short(value)}")
    return value


def _number(value: Any) -> Number:  # noqa: ANN401
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= 1e300:
        raise ValueError(f"expected a number, got {_short(value)}")
    return value


def _choices(value: Any) -> tuple[Scalar, ...]:  # noqa: ANN401
    if not isinstance(value, list | tuple) or not value:
        raise ValueError(f"expected a list of one or more values, got {_short(value)}")
    values = tuple(_scalar(item) for item in value)
    seen: set[Scalar] = set()
    for choice in values:
        if choice in seen:
            raise ValueError(f"{_short(choice)} is listed twice")
        seen.add(choice)
    return values


def _ends(value: Any) -> tuple[Number, Number]:  # noqa: ANN401
    if not isinstance(value, list | tuple) or len(value) != 2:
        raise ValueError(f"expected [low, high], two numbers, got {_short(value)}")
    low, high = _number(value[0]), _number(value[1])
    if low > high:
        raise ValueError(f"expected [low, high] with low <= high, got {_short(value)}")
    return low, high


def _positive(value: Any) -> Number:  # noqa: ANN401
    if _number(value) <= 0:
        raise ValueError(f"expected a number above 0, got {_short(value)}")
    return _number(value)


class Axis(Spec):
    """The values of one parameter: `choices`, or a `range` with `step` or `points`."""

    choices: (
        Annotated[
            tuple[StrictStr | StrictBool | StrictInt | StrictFloat, ...],
            BeforeValidator(_choices, json_schema_input_type=list[str | int | float | bool]),
        ]
        | None
    ) = None
    """The values themselves: numbers, or text such as `2 TB/s`."""
    ends: Annotated[
        Annotated[
            tuple[StrictInt | StrictFloat, StrictInt | StrictFloat],
            BeforeValidator(_ends, json_schema_input_type=list[float]),
        ]
        | None,
        Field(alias="range"),
    ] = None
    """Smallest and largest value, both included."""
    step: (
        Annotated[StrictInt | StrictFloat, BeforeValidator(_positive, json_schema_input_type=float)]
        | None
    ) = None
    """Distance between neighbours of a range; 1 where low and high are whole numbers. The range
    ends at the last value that does not exceed its high end."""
    points: Annotated[int, Field(ge=2, le=MAX_VALUES, strict=True)] | None = None
    """Number of evenly spaced values of a range, ends included, instead of a step."""

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.choices is None) == (self.ends is None):
            raise ValueError("expected exactly one of choices and range")
        if self.ends is None and (self.step, self.points) != (None, None):
            raise ValueError("step and points belong to a range, not to choices")
        if self.step is not None and self.points is not None:
            raise ValueError("expected at most one of step and points")
        if self.ends is not None:
            self._check_range(*self.ends)
        return self

    def _check_range(self, low: Number, high: Number) -> None:
        whole = isinstance(low, int) and isinstance(high, int)
        if not whole and self.step is None and self.points is None:
            raise ValueError(
                f"a range of fractions needs a step or a number of points, got [{low}, {high}]"
            )
        if self.points is None and (high - low) / (self.step or 1) >= MAX_VALUES:
            raise ValueError(
                f"[{low}, {high}] holds more than {MAX_VALUES:,} values; give a larger step"
            )

    def values(self) -> tuple[Scalar, ...]:
        """Return the values in order.

        Fractions are stepped exactly, as they are written, and rounded once.

        >>> Axis(range=[2, 6], step=2).values(), Axis(range=[0.1, 0.5], step=0.2).values()
        ((2, 4, 6), (0.1, 0.3, 0.5))
        """
        if self.choices is not None:
            return self.choices
        assert self.ends is not None  # noqa: S101 (our own invariant)
        low, high = (Fraction(repr(end)) for end in self.ends)
        if self.points is not None:
            count, step = self.points, (high - low) / (self.points - 1)
        else:
            step = Fraction(repr(self.step or 1))
            count = math.floor((high - low) / step) + 1
        whole = all(isinstance(n, int) for n in (*self.ends, self.step or 1)) and not self.points
        exact = (low + i * step for i in range(count))
        return tuple(int(value) if whole else float(value) for value in exact)


@dataclass(frozen=True, slots=True)
class Space:
    """Every combination of the values of all axes, numbered so that none has to be stored.

    >>> space = Space({"rows": (12, 14, 16), "bandwidth": ("2 TB/s", "3 TB/s")})
    >>> space.size, space.parameters(space.point(3))
    (6, {'rows': 14, 'bandwidth': '3 TB/s'})
    """

    axes: dict[str, tuple[Scalar, ...]]

    @classmethod
    def of(cls, axes: Mapping[str, Axis]) -> "Space":
        """Return the space of these axes."""
        return cls({name: axis.values() for name, axis in axes.items()})

    @property
    def size(self) -> int:
        """The number of candidates."""
        return math.prod(len(values) for values in self.axes.values())

    def point(self, index: int) -> Point:
        """Return candidate `index` of 0 .. size - 1; the last axis varies fastest."""
        digits = []
        for values in reversed(self.axes.values()):
            index, digit = divmod(index, len(values))
            digits.append(digit)
        return tuple(reversed(digits))

    def parameters(self, point: Point) -> Parameters:
        """Return the value of each parameter at `point`."""
        return {name: values[i] for (name, values), i in zip(self.axes.items(), point, strict=True)}

    def locate(self, parameters: Mapping[str, Scalar]) -> Point | None:
        """Return the point that has these parameters, or None if an axis does not offer them.

        >>> Space({"rows": (12, 14)}).locate({"rows": 14, "else": 1})
        (1,)
        """
        point = []
        for name, values in self.axes.items():
            if name not in parameters or parameters[name] not in values:
                return None
            point.append(values.index(parameters[name]))
        return tuple(point)
