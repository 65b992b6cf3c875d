"""What a piece of work costs, and what bounds it.

Every quantity is a float or a NumPy column; the same functions serve both.
"""

from dataclasses import dataclass, fields
from enum import Enum
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from star_watos.units import show

Column: TypeAlias = float | NDArray[Any]
"""One number, or one number a row."""


def number(column: Column) -> float:
    """Return the first row of a column as a number.

    >>> number(np.array([2.5])), number(3)
    (2.5, 3.0)
    """
    return float(np.asarray(column).reshape(-1)[0])


@dataclass(frozen=True, slots=True)
class Cost:
    """Time, energy and traffic of a piece of work, in SI units; columns broadcast.

    `a + b` is a, then b. `a | b` is a beside b: the longer of the two times, the sum of the rest.
    Both are commutative and associative, and `Cost()` is neutral, so `sum(parts, Cost())` works.

    >>> a, b = Cost(time_s=2.0, energy_j=1.0), Cost(time_s=3.0, energy_j=1.0)
    >>> (a + b).time_s, (a | b).time_s, (a | b).energy_j
    (5.0, 3.0, 2.0)
    """

    time_s: Column = 0.0
    energy_j: Column = 0.0
    ops: Column = 0.0
    """Operations done; a MAC is 2."""
    sram_bytes: Column = 0.0
    dram_bytes: Column = 0.0
    link_bytes: Column = 0.0
    """Bytes times hops between dies or cores."""

    def __add__(self, other: "Cost") -> "Cost":
        return self._joined(other, self.time_s + other.time_s)

    def __or__(self, other: "Cost") -> "Cost":
        longer = np.maximum(self.time_s, other.time_s)
        return self._joined(other, float(longer) if np.ndim(longer) == 0 else longer)

    def _joined(self, other: "Cost", time_s: Column) -> "Cost":
        # A model adds up hundreds of costs: names are written out, for `fields` takes longer.
        return Cost(
            time_s,
            self.energy_j + other.energy_j,
            self.ops + other.ops,
            self.sram_bytes + other.sram_bytes,
            self.dram_bytes + other.dram_bytes,
            self.link_bytes + other.link_bytes,
        )

    def times(self, count: Column) -> "Cost":
        """Return the cost of doing this `count` times, one after the other."""
        return Cost(*(getattr(self, f.name) * count for f in fields(self)))


class Bound(Enum):
    """What a latency is limited by."""

    COMPUTE = "compute"
    SRAM = "sram"
    DRAM = "dram"
    NOC = "noc"
    PREDICT = "predict"
    SORT = "sort"
    D2D = "d2d"
    MEMORY_CAPACITY = "memory_capacity"
    BUBBLE = "bubble"


def largest(terms: dict[Bound, Column]) -> "Bound | NDArray[np.object_]":
    """Return the key of the largest term, per row if any term is a column; ties go to the first.

    >>> largest({Bound.COMPUTE: 1.0e-3, Bound.DRAM: 2.1e-3})
    <Bound.DRAM: 'dram'>
    """
    names = np.array(list(terms), dtype=object)
    index = np.argmax(np.stack(np.broadcast_arrays(*terms.values())), axis=0)
    bound: Bound | NDArray[np.object_] = names[index]
    return bound


@dataclass(frozen=True, slots=True)
class Overflow:
    """Why something does not fit: what was needed, what there was, in which unit.

    >>> print(Overflow("key tile in token SRAM", need=160_000.0, have=128_000.0, unit="B"))
    key tile in token SRAM needs 160 kB, has 128 kB (over by 25 %)
    """

    name: str
    need: float
    have: float
    unit: str

    @property
    def excess(self) -> float:
        """Share by which the need exceeds what there is; 0.5 is 50 % too big."""
        return self.need / self.have - 1 if self.have > 0 else float("inf")

    def __str__(self) -> str:
        need, have = show(self.need, self.unit), show(self.have, self.unit)
        return f"{self.name} needs {need}, has {have} (over by {100 * self.excess:.3g} %)"
