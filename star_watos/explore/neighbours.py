"""Candidates one step away from the best so far: what is asked instead of a repeat.

A sampler comes back to points it knows. Nothing is learnt from those, so the trial goes to a
neighbour of the front that nobody has asked for yet. Neighbours that touch what did not work out
are as good as others: on the 8,000 wafers of `watos_llama3_70b` the front lies at the edge of what
fits.
"""

import random
from collections import defaultdict
from collections.abc import Mapping, Sequence

from star_watos.explore.space import Point

DRAWS = 20
"""Random points tried for an untried one before a repeat is let through."""


class Neighbourhood:
    """Untried points next to those that have a design on the front."""

    def __init__(self, shape: Sequence[int]) -> None:
        """Begin with nothing known; `shape` is the number of values of each axis."""
        self._shape = tuple(shape)
        self._random = random.Random(0)  # noqa: S311 (a search, not a secret)
        self._known: set[Point] = set()
        self._line: list[Point] = []

    def __contains__(self, point: Point) -> bool:
        return point in self._known

    def add(self, point: Point) -> None:
        """Remember that `point` has been asked for."""
        self._known.add(point)

    def settle(self, front: Mapping[Point, float], seed: int) -> None:
        """Line up the untried neighbours of the points that have a design on the front.

        `front` says of each what its designs add to the hypervolume. First come neighbours of those
        that add the most together. `seed` decides the rest, here and in what is drawn until the
        next call.
        """
        self._random.seed(seed)
        touching: defaultdict[Point, float] = defaultdict(float)
        for point, volume in front.items():
            for neighbour in self._next_to(point):
                touching[neighbour] += volume
        line = sorted(touching.keys() - self._known)
        self._random.shuffle(line)
        self._line = sorted(line, key=lambda point: touching[point])

    def _next_to(self, point: Point) -> list[Point]:
        return [
            (*point[:axis], index, *point[axis + 1 :])
            for axis, size in enumerate(self._shape)
            for index in (point[axis] - 1, point[axis] + 1)
            if 0 <= index < size
        ]

    def pop(self) -> Point | None:
        """Return an untried neighbour, else an untried point if a few draws find one."""
        while self._line:
            point = self._line.pop()
            if point not in self._known:
                return point
        draws = (tuple(map(self._random.randrange, self._shape)) for _ in range(DRAWS))
        return next((point for point in draws if point not in self._known), None)
