"""Measured tables: a CSV file on a full grid of axes, interpolated between its entries."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from star_watos.cost import Column
from star_watos.errors import InputError, Mark, Problem
from star_watos.spec import is_file, read_rows, root

Floats = NDArray[np.float64]
LEAST = 1e-15
"""Of a number in a table, and one over the largest."""


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """Logarithms of one or more values on the grid of the logarithms of the axes."""

    axes: tuple[Floats, ...]
    grid: Floats
    """[value, axis 0, axis 1, ...]."""

    def at(self, *points: Column) -> Floats:
        """Return the values at `points`, one an axis, [value, ...]; outside, the slope goes on.

        Interpolation is linear between logarithms, so it follows power laws exactly.

        >>> table = Table((np.log([1.0, 4.0]),), np.log([[1.0, 2.0]]))
        >>> table.at(np.array([1.0, 2.0, 4.0])).round(3).tolist()
        [[1.0, 1.414, 2.0]]
        """
        corners: list[tuple[tuple[NDArray[np.intp], ...], Column]] = [((), 1.0)]
        for axis, point in zip(self.axes, points, strict=True):
            x = np.log(np.asarray(point, dtype=np.float64))
            left = np.clip(np.searchsorted(axis, x, side="right") - 1, 0, max(len(axis) - 2, 0))
            right = np.minimum(left + 1, len(axis) - 1)
            part = (x - axis[left]) / np.where(right > left, axis[right] - axis[left], np.inf)
            corners = [
                ((*place, end), weight * share)
                for place, weight in corners
                for end, share in ((left, 1 - part), (right, part))
            ]
        flat = self.grid.reshape(len(self.grid), -1)
        shape = self.grid.shape[1:]
        logs = [flat[:, np.ravel_multi_index(place, shape)] * weight for place, weight in corners]
        values: Floats = np.exp(sum(logs[1:], logs[0]))
        return values

    def within(self, axis: int, point: Column) -> Column:
        """Return `point` moved to the nearest end of the axis where it lies outside."""
        ends = np.exp(self.axes[axis][[0, -1]])
        inside: Column = np.clip(point, ends[0], ends[1])
        return inside

    def outside(self, axis: int, point: Column) -> NDArray[np.bool_]:
        """Return whether `point` lies outside of the axis, beyond rounding."""
        return np.asarray(np.abs(np.log(self.within(axis, point) / np.asarray(point))) > 1e-9)


@cache
def table(file: str, axes: Sequence[str], values: Sequence[str]) -> Table:
    """Return the table in a CSV file, shipped or not, whose rows must fill the grid of `axes`.

    Raises `InputError` where the file is missing, lacks a column or a place of the grid.
    """
    shipped = root() / file
    path = shipped if is_file(shipped) else Path(file)
    found = {row[: len(axes)]: row[len(axes) :] for row in _rows(path, (*axes, *values))}
    ticks = [sorted(set(column)) for column in zip(*found, strict=True)]
    shape = tuple(map(len, ticks))
    if len(found) != math.prod(shape):
        text = f"has {len(found):,} of the {math.prod(shape):,} places of its grid"
        raise InputError.of(str(path), text)
    grid = np.array([found[key] for key in sorted(found)]).T.reshape(len(values), *shape)
    return Table(tuple(np.log(np.array(tick)) for tick in ticks), np.log(grid))


def _rows(path: Path, names: Sequence[str]) -> list[tuple[float, ...]]:
    """Return the numbers of the columns `names`, a row each."""
    (line, head), *lines = read_rows(path) or [(1, [])]
    missing = [
        Problem(Mark(str(path), line, 1), n, "no such column") for n in names if n not in head
    ]
    if missing or not lines:
        raise InputError(missing or [Problem(Mark(str(path)), "", "has no rows")])
    return [
        tuple(
            _positive(dict(zip(head, row, strict=False)).get(n, ""), Mark(str(path), at, 1), n)
            for n in names
        )
        for at, row in lines
    ]


def _positive(text: str, mark: Mark, name: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not LEAST <= value <= 1 / LEAST:
        expected = f"expected a number from {LEAST:g} to {1 / LEAST:g}, got {text[:40]!r}"
        raise InputError([Problem(mark, name, expected)])
    return value
