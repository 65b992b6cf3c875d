"""The inner level: from columns of mappings to the few that meet every limit and are not beaten."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from star_watos.cost import Bound, Column, Overflow
from star_watos.explore.front import non_dominated, signs_of
from star_watos.explore.problem import Outcome, Row
from star_watos.explore.sweep import Exploration
from star_watos.files import Scalar

Table: TypeAlias = tuple[Mapping[str, NDArray[Any]], Mapping[str, Column]]
"""The mapping's own columns, and the figures of merit."""


def spread(columns: Mapping[str, Column], rows: int) -> dict[str, NDArray[Any]]:
    """Return the columns, single numbers repeated, all of length `rows`."""
    return {name: np.broadcast_to(np.asarray(c), (rows,)) for name, c in columns.items()}


@dataclass(frozen=True, slots=True)
class Room:
    """What mappings need of something, one row a mapping, and how much of it there is."""

    name: str
    need: NDArray[np.float64]
    have: float
    unit: str

    @property
    def excess(self) -> NDArray[np.float64]:
        """By what share each mapping's need exceeds what there is, below 0 where it fits."""
        over: NDArray[np.float64] = self.need / self.have - 1
        return over

    def take(self, rows: NDArray[np.intp]) -> "Room":
        """Return the needs of some mappings."""
        return replace(self, need=self.need[rows])

    def overflow(self, row: int) -> Overflow:
        """Return by how much a mapping does not fit."""
        return Overflow(self.name, float(self.need[row]), self.have, self.unit)


def reduce_fitting(
    sweep: Exploration, room: Room, table: Callable[[NDArray[np.intp]], Table]
) -> Outcome:
    """Return the outcome of one candidate with one mapping or more, few of which fit.

    `table` gives the columns of mappings and their figures of merit, for the rows it is asked for:
    those that fit. If none of them meets the limits, a mapping that does not fit may miss by less.
    It misses by what it needs at least, so those are asked for that need no more than that.
    """
    over = room.excess
    fitting = np.flatnonzero(over <= 0)
    asked = fitting if len(fitting) else np.array([over.argmin()])
    found = reduce(sweep, *table(asked), room.take(asked))
    if found.nearest is not None:
        near = np.flatnonzero(over <= found.nearest.excess)
        if len(near) > len(asked):
            found = reduce(sweep, *table(near), room.take(near))
    beyond = {room.name: len(over) - len(fitting)} if len(fitting) < len(over) else {}
    others = {name: count for name, count in found.infeasible.items() if name != room.name}
    return replace(found, points=len(over), infeasible=beyond | others)


def reduce(
    sweep: Exploration,
    mapping: Mapping[str, NDArray[Any]],
    metrics: Mapping[str, Column],
    room: Room | None = None,
) -> Outcome:
    """Return the outcome of one candidate.

    `mapping` are the mapping's own columns, `metrics` the figures of merit, and `room` is what has
    to do. A mapping counts against the first limit it breaks.
    """
    n = len(next(iter(mapping.values())))
    figures = spread(metrics, n)
    excess = {room.name: room.excess} if room else {}
    for name, limit in sweep.constraints.items():
        excess[name] = limit.excess(figures[name])
    left, reasons = np.ones(n, dtype=bool), {}
    for name, over in excess.items():
        broken = left & (over > 0)
        reasons[name] = int(broken.sum())
        left &= ~broken
    rows = _front(sweep, mapping, figures, np.flatnonzero(left))
    found = {name: count for name, count in reasons.items() if count}
    nearest = None if left.any() else _nearest(sweep, figures, room, excess)
    return Outcome(rows, n, int(left.sum()), found, nearest)


def _front(
    sweep: Exploration,
    mapping: Mapping[str, NDArray[Any]],
    figures: Mapping[str, NDArray[Any]],
    fitting: NDArray[np.intp],
) -> list[Row]:
    if not len(fitting):
        return []
    values = np.stack([figures[name][fitting] for name in sweep.objectives], axis=1)
    kept = fitting[non_dominated(values, signs_of(sweep.objectives.values()))]
    columns = {**mapping, **figures}
    return [{name: _plain(column[row]) for name, column in columns.items()} for row in kept]


def _plain(value: Any) -> Scalar:  # noqa: ANN401 (NumPy's scalar, or what bounds a mapping)
    """Return Python's own scalar; only the few rows that are kept pay for it."""
    if isinstance(value, Bound):
        return value.value
    plain: Scalar = value.item() if isinstance(value, np.generic) else value
    return plain


def _nearest(
    sweep: Exploration,
    figures: Mapping[str, NDArray[Any]],
    room: Room | None,
    excess: Mapping[str, NDArray[Any]],
) -> Overflow | None:
    """Return the worst need of the mapping whose worst need is least."""
    table = np.stack(list(excess.values()))
    row = int(table.max(axis=0).argmin())
    name = list(excess)[int(table[:, row].argmax())]
    if room and name == room.name:
        return room.overflow(row)
    return sweep.constraints[name].overflow(name, float(figures[name][row]))
