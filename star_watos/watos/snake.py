"""What sends between stages do to the links of a wafer whose TP rectangles stand on a snake.

Everything is counted in slots, the places of rectangles: P of them are in a row, and replica r of
stage s stands at slot s R + r of the snake, R slots before its counterpart of stage s + 1. Routes
go along the row first. All w x h dies of a rectangle send at once, so h of them share each
vertical link that a rectangle's way takes, and w each horizontal one.
"""

from dataclasses import dataclass, fields
from functools import lru_cache
from math import gcd

import numpy as np
from numpy.typing import NDArray

from star_watos.watos.layout import Ways
from star_watos.watos.plans import Ints, Plans

Counts = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Slots:
    """Sends from R slots to the R after them, by stage; after P / gcd(P, R) stages all repeats."""

    near: Counts
    """Slots along the row of the longest way among those that go R // P rows down; -1 if none."""
    far: Counts
    """The same one row further."""
    along: Counts
    """Ways over the busiest pair of neighbours in a row; [2, stages], there and back."""
    down: Counts
    """Over the busiest pair in a column."""
    moved_along: Counts
    """Slots of all ways along rows."""
    moved_down: Counts
    """Rows of all ways."""


@lru_cache(maxsize=4096)
def slots(per_row: int, replicas: int) -> Slots:
    """Return what sends of so many replicas do on a snake of so many slots a row.

    >>> two = slots(per_row=3, replicas=2)  # 0 to 2 and, round the corner, 1 to 3; 2, 3 to 4, 5
    >>> two.near.tolist(), two.far.tolist(), two.along[0].tolist()
    ([2.0, 2.0, -1.0], [1.0, 1.0, 1.0], [2.0, 1.0, 1.0])
    """
    stages = np.arange(per_row // gcd(per_row, replicas))
    source = (stages * replicas % per_row)[:, None] + np.arange(replicas)
    (row, col), (to_row, to_col) = _place(source, per_row), _place(source + replicas, per_row)
    dx, dy = np.abs(to_col - col), to_row - row
    low = dy == replicas // per_row
    there = _busiest(row, col, to_col), _busiest(to_col, row, to_row)
    back = _busiest(to_row, to_col, col), _busiest(col, to_row, row)
    along, down = (np.stack(both) for both in zip(there, back, strict=True))
    return Slots(
        near=np.where(low, dx, -1).max(axis=1).astype(np.float64),
        far=np.where(low, -1, dx).max(axis=1).astype(np.float64),
        along=along,
        down=down,
        moved_along=dx.sum(axis=1).astype(np.float64),
        moved_down=dy.sum(axis=1).astype(np.float64),
    )


def _place(slot: NDArray[np.intp], per_row: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return row and column of a slot."""
    row, step = np.divmod(slot, per_row)
    return row, np.where(row % 2 == 1, per_row - 1 - step, step)


def _busiest(line: NDArray[np.intp], begin: NDArray[np.intp], end: NDArray[np.intp]) -> Counts:
    """Return the most ways, [cases, ways], over a pair of neighbours on a line in one direction."""
    cases, n = line.shape[0], int(max(begin.max(), end.max())) + 1
    over = np.zeros((cases, int(line.max()) + 1, 2, n + 1))
    case, direction = np.arange(cases)[:, None], (end < begin).astype(np.intp)
    np.add.at(over, (case, line, direction, np.minimum(begin, end)), 1.0)
    np.add.at(over, (case, line, direction, np.maximum(begin, end)), -1.0)
    most: Counts = over.cumsum(axis=-1).max(axis=(1, 2, 3))
    return most


def to_next_stage(plans: Plans, grid_cols: int) -> Ways:
    """Return what the sends of a stage to the next do, the mean of all stages, there and back.

    `moved` is of the sends of all stages one way. A pipeline passes every stage, so that the mean
    is what a way through all of it adds up to.
    """
    first, index = plans.distinct("tp_rows", "tp_cols", "pp", "dp", "cp")
    own = np.stack([plans.tp_rows, plans.tp_cols, plans.pp, plans.replicas])[:, first]
    found = _mean(own.astype(np.int64).tobytes(), grid_cols)
    return Ways(*(np.asarray(getattr(found, name))[index] for name in Ways.__slots__))


@lru_cache(maxsize=16)  # asked for time and for energy, and by other wafers with such a grid
def _mean(columns: bytes, grid_cols: int) -> Ways:
    """Return it of each rectangle, pipeline and number of replicas, four columns of whole numbers.

    Each stage of a period counts as often as it comes.
    """
    high, wide, pp, replicas = np.frombuffer(columns, dtype=np.int64).reshape(4, -1)
    per_row = np.maximum(grid_cols // wide, 1)
    period = per_row // np.gcd(per_row, replicas)
    tables, which = _tables(per_row, np.where(pp > 1, replicas, 1))
    sends = pp - 1
    hops, load, moved = np.zeros((3, len(pp)))
    for turn in range(int(np.minimum(period, sends).max(initial=0))):
        at = which, np.minimum(turn, period - 1)
        count = np.where(turn < period, np.maximum(-((turn - sends) // period), 0), 0)
        rows = replicas // per_row
        near = wide * tables.near[at] + high * rows
        far = np.where(tables.far[at] < 0, 0, wide * tables.far[at] + high * (rows + 1))
        hops += count * np.maximum(np.where(tables.near[at] < 0, 0, near), far)
        for way in (0, 1):
            along, down = tables.along[at[0], way, at[1]], tables.down[at[0], way, at[1]]
            load += count * np.maximum(wide * along, high * down) / 2
        moved += count * (wide * tables.moved_along[at] + high * tables.moved_down[at])
    every = np.maximum(sends, 1)
    return Ways(hops / every, load / every, moved * (high * wide))


def _tables(per_row: Ints, replicas: Ints) -> tuple[Slots, NDArray[np.intp]]:
    """Return the slots of each distinct pair, one beside the other, and which each row has."""
    pairs, which = np.unique(np.stack([per_row, replicas]), axis=1, return_inverse=True)
    return _beside(tuple(map(tuple, pairs.T.tolist()))), which.reshape(-1)


@lru_cache(maxsize=256)
def _beside(pairs: tuple[tuple[int, ...], ...]) -> Slots:
    """Return the slots of pairs, one beside the other."""
    each = [slots(*pair) for pair in pairs]
    most = max(one.near.size for one in each)

    def padded(name: str) -> Counts:
        columns = [getattr(one, name) for one in each]
        return np.stack(
            [np.pad(c, [(0, 0)] * (c.ndim - 1) + [(0, most - c.shape[-1])]) for c in columns]
        )

    return Slots(*(padded(field.name) for field in fields(Slots)))
