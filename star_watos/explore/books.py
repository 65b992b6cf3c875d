"""What a search knows so far: every point asked for, the front, counts, and how it got there."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from star_watos.explore.archive import Archive
from star_watos.explore.front import Sense, Values, hypervolume
from star_watos.explore.problem import Row
from star_watos.explore.record import Record, State, Trial
from star_watos.explore.space import Point, Space

SNAPSHOTS = 256
"""Fronts that are remembered at most; of more, every other one is forgotten."""


class Books:
    """Entered batch by batch. The same entries give the same books, in whatever process."""

    def __init__(self, space: Space, objectives: Mapping[str, Sense]) -> None:
        """Begin with nothing found."""
        self.archive = Archive(objectives)
        self.nearest: Trial | None = None
        """The one with the smallest excess of those that did not work out."""
        self.asked = self.distinct = self.points = self.feasible = self.thinned = 0
        self._space = space
        self._seen: dict[Point, Trial] = {}
        self._infeasible: Counter[str] = Counter()
        self._snapshots: list[tuple[int, Values]] = []
        """Points asked for by then, and the values of the front."""

    def fresh(self, points: Sequence[Point]) -> list[Point]:
        """Return those of the points that have not been asked for, each once."""
        return [point for point in dict.fromkeys(points) if point not in self._seen]

    def enter(self, points: Sequence[Point], records: Sequence[Record]) -> list[Trial]:
        """Number the points, up to the first fresh one that has no record."""
        new = dict(zip(self.fresh(points), records, strict=False))
        trials: list[Trial] = []
        for point in points:
            first = self._seen.get(point)
            if first is None and point not in new:
                break
            if first is None:
                trial = self._seen[point] = Trial(self.asked, point, new[point], None)
                self._count(trial)
            else:
                trial = Trial(self.asked, point, first.record, first.number)
            trials.append(trial)
            self.asked += 1
        return trials

    def _count(self, trial: Trial) -> None:
        record = trial.record
        self.distinct += 1
        self.points += record.points
        self.feasible += record.feasible
        self._infeasible.update(record.infeasible)
        self.thinned += record.thinned
        if record.state is State.COMPLETE:
            return
        if self.nearest is None or record.excess < self.nearest.record.excess:
            self.nearest = trial

    def add(self, rows: list[Row]) -> list[Row]:
        """Take in designs of the trials entered last; return those that are on the front now."""
        admitted = self.archive.add(rows)
        if admitted:
            self._snapshots.append((self.asked, self.archive.values))
        if len(self._snapshots) > SNAPSHOTS:
            self._snapshots = self._snapshots[1::2]
        return admitted

    def forget_points(self) -> None:
        """Forget which points were asked for: none will be again."""
        self._seen.clear()

    def on_front(self) -> dict[Point, float]:
        """Return the points that have a design on the front, and what these add to its volume.

        As long as nothing was found, the point that misses by least.
        """
        if not self.archive.rows and self.nearest is not None:
            return {self.nearest.point: 1.0}
        shares: defaultdict[Point, float] = defaultdict(float)
        for row, volume in zip(self.archive.rows, self.archive.contributions(), strict=True):
            point = self._space.locate(row)
            if point is not None:
                shares[point] += float(volume)
        return shares

    def gain(self, trials: int) -> float | None:
        """Return by what share the last so many trials enlarged the hypervolume.

        None where fewer were asked for, or nothing was found before them. Where the front of then
        is forgotten, an older one takes its place: the gain is that of a few more trials.
        """
        before = [values for asked, values in self._snapshots if asked <= self.asked - trials]
        reference, signs = self.archive.reference, self.archive.signs
        if not before or reference is None:
            return None
        then, now = (hypervolume(v, reference, signs) for v in (before[-1], self.archive.values))
        return now / then - 1 if then else None

    def convergence(self) -> list[dict[str, float]]:
        """Return the hypervolume after batches that changed the front, from one reference."""
        reference, signs = self.archive.reference, self.archive.signs
        if reference is None:
            return []
        return [
            {"trials": asked, "hypervolume": hypervolume(values, reference, signs)}
            for asked, values in self._snapshots
        ]

    def summary(self) -> dict[str, Any]:
        """Return what `run.json` says of what was found."""
        reference = self.archive.reference
        return {
            "space_size": self._space.size,
            "outer_trials": self.asked,
            "distinct_trials": self.distinct,
            "points_evaluated": self.points,
            "feasible_points": self.feasible,
            "infeasible": dict(sorted(self._infeasible.items())),
            "thinned_trials": self.thinned,
            "front_size": len(self.archive.rows),
            "hypervolume": self.archive.hypervolume(),
            "hypervolume_reference": None
            if reference is None
            else dict(zip(self.archive.objectives, map(float, reference), strict=True)),
            "convergence": self.convergence(),
        }
