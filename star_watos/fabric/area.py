"""A rectangle of a mesh, whose nodes take part in a collective."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from star_watos.fabric.mesh import Mesh
from star_watos.fabric.routes import Nodes


@dataclass(frozen=True)
class Area:
    """`rows` x `cols` places of a mesh from (`row`, `col`); missing nodes do not take part.

    >>> Area(Mesh(2, 3), row=0, col=1, rows=2, cols=2).nodes.tolist()
    [1, 2, 4, 5]
    """

    mesh: Mesh
    row: int = 0
    col: int = 0
    rows: int = 0
    cols: int = 0

    @classmethod
    def all(cls, mesh: Mesh) -> "Area":
        """Return the whole mesh."""
        return cls(mesh, 0, 0, mesh.rows, mesh.cols)

    @cached_property
    def places(self) -> Nodes:
        """All places, [rows, cols]."""
        rows, cols = self.row + np.arange(self.rows), self.col + np.arange(self.cols)
        grid: Nodes = rows[:, None] * self.mesh.cols + cols
        return grid

    @cached_property
    def lines(self) -> list[Nodes]:
        """The nodes that are there of each row that has any."""
        return _there(self.mesh, self.places)

    @cached_property
    def columns(self) -> list[Nodes]:
        """The nodes that are there of each column that has any."""
        return _there(self.mesh, self.places.T)

    @cached_property
    def nodes(self) -> Nodes:
        """The nodes that are there, row by row; `ValueError` if none is."""
        if not self.lines:
            raise ValueError("no node of the area is there")
        return np.concatenate(self.lines)

    @cached_property
    def whole(self) -> bool:
        """Whether no node and no link inside is missing."""
        if self.mesh.whole:
            return True
        ahead = self.mesh.neighbours[self.places]
        east, south = ahead[:, :-1, 0], ahead[:-1, :, 2]
        return bool((east >= 0).all() and (south >= 0).all() and len(self.nodes) == self.size)

    @property
    def size(self) -> int:
        """Places, missing nodes included."""
        return self.rows * self.cols

    @cached_property
    def snake(self) -> Nodes:
        """The nodes along the rows, every other one backwards."""
        turned = [row if i % 2 == 0 else row[::-1] for i, row in enumerate(self.places)]
        return _there(self.mesh, np.concatenate(turned)[None])[0]

    @cached_property
    def edges(self) -> list[tuple[int, int]]:
        """Pairs of neighbours inside; where they leave parts apart, the nearest of those too."""
        inside = set(self.nodes.tolist())
        pairs = [
            (a, int(b))
            for a in self.nodes.tolist()
            for b in self.mesh.neighbours[a]
            if b > a and int(b) in inside
        ]
        return pairs + _bridges(self, inside)


def _there(mesh: Mesh, lines: Nodes) -> list[Nodes]:
    kept = (line[~np.isin(line, list(mesh.missing_nodes))] for line in lines)
    return [line for line in kept if len(line)]


def _bridges(area: Area, inside: set[int]) -> list[tuple[int, int]]:
    """Return the shortest pairs that join the parts of `inside` which no links inside join."""
    mesh, first = area.mesh, int(area.nodes[0])
    joined, pairs = mesh.reached(first, inside), []
    while joined != inside:
        rest = inside - joined
        a, b = min(((a, b) for a in joined for b in rest), key=lambda p: _apart(mesh, *p))
        pairs.append((min(a, b), max(a, b)))
        joined |= mesh.reached(b, inside)
    return pairs


def _apart(mesh: Mesh, a: int, b: int) -> int:
    """Return the distance in rows and columns."""
    return abs(a // mesh.cols - b // mesh.cols) + abs(a % mesh.cols - b % mesh.cols)
