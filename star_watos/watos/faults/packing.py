"""As many disjoint TP groups as the healthy dies have room for."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from star_watos.fabric import Mesh
from star_watos.watos.faults.groups import Group, Shape, State
from star_watos.watos.placement import on_snake
from star_watos.watos.wafer import Grid

WIDTH = 128
"""Partial packings that are kept at a time: no more than that, and the packing is exact."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A rectangle of dies that work."""

    group: Group
    mask: int
    """The dies as bits."""
    state: State
    broken: int
    """Links inside that are broken."""


def candidates(mesh: Mesh, shapes: Iterable[Shape], allowed: Iterable[int]) -> list[Candidate]:
    """Return every rectangle of `allowed` dies of some shapes.

    >>> found = candidates(Mesh(2, 2), [(1, 2), (2, 1)], range(4))
    >>> [each.group.dies for each in found]
    [(0, 1), (2, 3), (0, 2), (1, 3)]
    """
    usable = np.zeros(mesh.n_nodes, dtype=bool)
    usable[list(allowed)] = True
    found = []
    for shape in shapes:
        for dies in _rectangles(mesh, shape):
            if usable[dies].all():
                group = Group(shape, tuple(dies.tolist()))
                mask = sum(1 << die for die in group.dies)
                found.append(Candidate(group, mask, group.state(mesh), len(group.broken(mesh))))
    return found


def _rectangles(mesh: Mesh, shape: Shape) -> Iterator[NDArray[np.intp]]:
    """Yield the dies of all places of a rectangle."""
    grid = np.arange(mesh.n_nodes).reshape(mesh.rows, mesh.cols)
    rows, cols = shape
    for row in range(mesh.rows - rows + 1):
        for col in range(mesh.cols - cols + 1):
            yield grid[row : row + rows, col : col + cols].ravel()


def packed(found: Sequence[Candidate], n_dies: int) -> list[Group]:
    """Return most disjoint candidates; of as many, those with the fewest broken links.

    Dies are passed in order. A partial packing is its count, and the dies ahead that it takes: of
    those that take the same ahead the best is kept, and of too many different ones those that have
    most for what they take.

    >>> pairs = candidates(Mesh(1, 5), [(1, 2)], range(5))
    >>> [group.dies for group in packed(pairs, 5)]
    [(0, 1), (2, 3)]
    """
    if not found:
        return []
    size = len(found[0].group.dies)
    if size == 1:
        return [each.group for each in found]
    starting: dict[int, list[Candidate]] = {}
    for each in found:
        starting.setdefault(min(each.group.dies), []).append(each)
    states: dict[int, _Partial] = {0: (0, 0, None)}
    for die in range(n_dies):
        if die in starting:
            states = _ahead(states, starting[die], -1 << (die + 1))
            if len(states) > WIDTH:
                states = _most_promising(states, size)
    _, _, chain = max(states.values(), key=lambda state: state[:2])
    groups = []
    while chain is not None:
        chain, last = chain
        groups.append(last.group)
    return groups[::-1]


_Chain: TypeAlias = "tuple[_Chain | None, Candidate]"
_Partial: TypeAlias = "tuple[int, int, _Chain | None]"
"""Groups, broken links counted below 0, and the groups themselves."""


def _ahead(
    states: dict[int, _Partial], starting: list[Candidate], ahead: int
) -> dict[int, _Partial]:
    """Return the partial packings with one of the candidates or none; `ahead` masks what comes."""
    better: dict[int, _Partial] = {}
    for taken, state in states.items():
        options = [(taken & ahead, state)]
        for each in starting:
            if not taken & each.mask:
                one_more = (state[0] + 1, state[1] - each.broken, (state[2], each))
                options.append(((taken | each.mask) & ahead, one_more))
        for key, option in options:
            if key not in better or option[:2] > better[key][:2]:
                better[key] = option
    return better


def _most_promising(states: dict[int, _Partial], size: int) -> dict[int, _Partial]:
    """Return those with most groups for the dies that they take ahead."""
    ranked = sorted(
        states.items(),
        key=lambda item: (size * item[1][0] - item[0].bit_count(), item[1][1]),
        reverse=True,
    )
    return dict(ranked[:WIDTH])


def tiling(grid: Grid, shape: Shape, mesh: Mesh) -> list[Group]:
    """Return the groups of the fixed tiling, on the snake, that have lost no die.

    >>> holed = Mesh(2, 4, missing_nodes=frozenset({5}))
    >>> [group.dies for group in tiling(Grid(rows=2, cols=4), (1, 2), holed)]
    [(0, 1), (2, 3), (6, 7)]
    """
    slots = (grid.rows // shape[0]) * (grid.cols // shape[1])
    every = on_snake(grid, shape, np.arange(slots))
    whole = ~np.isin(every, list(mesh.missing_nodes)).any(axis=1)
    return [Group(shape, tuple(dies)) for dies in every[whole].tolist()]
