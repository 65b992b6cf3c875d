"""Who proposes candidates: Optuna, or a count through the whole space."""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from star_watos.explore.record import Record
from star_watos.explore.space import Point, Space
from star_watos.explore.sweep import Exploration
from star_watos.files import Scalar


class Proposer(Protocol):
    """Proposes points in batches, and learns from what became of them.

    What it proposes next depends on the seed, the number of the batch, and the points and records
    of the batches before; on nothing else, so that a search can go on in another process.
    """

    total: int
    """How many points it will propose."""
    repeats: bool
    """Whether it may propose a point twice."""

    def ask(self, count: int) -> list[Point]:
        """Return the next batch of points."""
        ...

    def recall(self, points: Sequence[Point]) -> None:
        """Take points that were asked for in an earlier process as the next batch."""
        ...

    def tell(self, records: Sequence[Record], front: Callable[[], Mapping[Point, float]]) -> None:
        """Learn what became of the points of the last batch, or of the first few of them.

        `front` returns the points that have a design on the front by now, and what these add to its
        hypervolume; as long as there is none, the point that misses by least.
        """
        ...


def proposer(
    sweep: Exploration,
    space: Space,
    baseline: Mapping[str, Scalar] | None = None,
    name: str = "sweep",
) -> Proposer:
    """Return what the sweep asks for; `baseline` is asked first, if the space holds it.

    A sweep with a storage adds to the study there that has its `name`.
    """
    if sweep.storage is not None:
        from star_watos.explore.shared import SharedProposer  # noqa: PLC0415 (0.3 s to import)

        return SharedProposer(sweep, space, name)
    if sweep.search.enumerates(space.size):
        return Enumeration(space)
    from star_watos.explore.study import OptunaProposer  # noqa: PLC0415 (0.3 s to import)

    start = space.locate(baseline) if baseline is not None else None
    return OptunaProposer(sweep, space, start)


class Enumeration:
    """Every point of the space, in order."""

    repeats = False

    def __init__(self, space: Space) -> None:
        """Start at the first point."""
        self.total = space.size
        self._space = space
        self._next = 0

    def ask(self, count: int) -> list[Point]:
        """Return the next points."""
        first, self._next = self._next, min(self._next + count, self.total)
        return [self._space.point(index) for index in range(first, self._next)]

    def recall(self, points: Sequence[Point]) -> None:
        """Go on behind these points."""
        self._next += len(points)

    def tell(self, records: Sequence[Record], front: Callable[[], Mapping[Point, float]]) -> None:
        """Learn nothing."""
