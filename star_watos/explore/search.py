"""The outer loop: ask for a batch, evaluate what is new, keep the front, tell, write."""

import time
from collections import Counter
from collections.abc import Sequence
from enum import StrEnum
from typing import Any

from star_watos.explore import files
from star_watos.explore.archive import Archive
from star_watos.explore.front import Values, hypervolume
from star_watos.explore.problem import Outcome, Row
from star_watos.explore.progress import Part, Stopwatch, Tally, View
from star_watos.explore.record import Record, State, Trial, judge
from star_watos.explore.sampler import Proposer
from star_watos.explore.space import Point, Space
from star_watos.explore.sweep import Exploration
from star_watos.explore.workers import Deadline, Evaluate, uninterrupted
from star_watos.files import Folder

FRONT_EVERY_S = 10.0
"""How often the front so far is written, so that a kill loses little of it."""


class Stop(StrEnum):
    """Why a search ended."""

    DONE = "done"
    TIME_LIMIT = "time limit"
    INTERRUPTED = "interrupted"


class Session:
    """One search under way. Nothing in it depends on how many workers evaluate."""

    def __init__(
        self,
        sweep: Exploration,
        space: Space,
        proposer: Proposer,
        folder: Folder,
        watch: Stopwatch,
        deadline: Deadline = None,
    ) -> None:
        """Begin with nothing found."""
        self.sweep, self.space, self.folder, self.watch = sweep, space, folder, watch
        self.archive = Archive(sweep.objectives)
        self.stop: Stop | None = None
        self.nearest: Record | None = None
        """The candidate with the smallest excess of those that did not work out."""
        self._proposer, self._deadline = proposer, deadline
        self._batch = sweep.search.batch or sweep.search.generation
        self._seen: dict[Point, Trial] = {}
        self._asked = self._distinct = self._points = self._feasible = self._thinned = 0
        self._infeasible: Counter[str] = Counter()
        self._history: list[tuple[int, Values]] = []
        self._front_written_s = 0.0
        self._append(files.trials_head(space, sweep.objectives))

    def run(self, evaluate: Evaluate, view: View) -> None:
        """Search to the end: all trials, the deadline, or Ctrl-C."""
        try:
            while self.stop is None:
                with self.watch.timing(Part.SAMPLER):
                    points = self._proposer.ask(self._next_batch())
                outcomes = self._evaluate(points, evaluate)
                with uninterrupted():
                    self._absorb(points, outcomes)
                    view(self.tally())
        except KeyboardInterrupt:
            self.stop = self.stop or Stop.INTERRUPTED

    def _next_batch(self) -> int:
        return min(self._batch, self._proposer.total - self._asked)

    def _evaluate(self, points: Sequence[Point], evaluate: Evaluate) -> dict[Point, Outcome | str]:
        """Return the outcomes of the points not seen before, of the first few if cut short."""
        fresh = [point for point in dict.fromkeys(points) if point not in self._seen]
        outcomes: dict[Point, Outcome | str] = {}
        candidates = [self.space.parameters(point) for point in fresh]
        try:
            with self.watch.timing(Part.MODEL):
                for outcome in evaluate(candidates, self._deadline):
                    outcomes[fresh[len(outcomes)]] = outcome
        except KeyboardInterrupt:
            self.stop = Stop.INTERRUPTED
        return outcomes

    def _absorb(self, points: Sequence[Point], outcomes: dict[Point, Outcome | str]) -> None:
        trials, rows = self._book(points, outcomes)
        if self.archive.add(rows):
            self._history.append((self._asked, self.archive.values))
        with self.watch.timing(Part.SAMPLER):
            self._proposer.tell([trial.record for trial in trials], self._front())
        self._write(trials)
        if not self._proposer.repeats:
            self._seen.clear()
        if self.stop is None:
            self.stop = self._reason()

    def _front(self) -> set[Point]:
        """Return the points that have a design on the front."""
        places = (self.space.locate(row) for row in self.archive.rows)
        return {point for point in places if point is not None}

    def _reason(self) -> Stop | None:
        if self._asked == self._proposer.total:
            return Stop.DONE
        late = self._deadline is not None and time.perf_counter() >= self._deadline
        return Stop.TIME_LIMIT if late else None

    def _book(
        self, points: Sequence[Point], outcomes: dict[Point, Outcome | str]
    ) -> tuple[list[Trial], list[Row]]:
        """Number the points that have an outcome, up to the first that has none."""
        trials: list[Trial] = []
        found: list[Row] = []
        for point in points:
            first = self._seen.get(point)
            if first is None and point not in outcomes:
                break
            if first is None:
                record, rows = judge(outcomes[point], self.sweep.objectives, self.sweep.constraints)
                found += [{**self.space.parameters(point), **row} for row in rows]
                self._count(record)
                trial = self._seen[point] = Trial(self._asked, point, record, None)
            else:
                trial = Trial(self._asked, point, first.record, first.number)
            trials.append(trial)
            self._asked += 1
        return trials, found

    def _count(self, record: Record) -> None:
        self._distinct += 1
        self._points += record.points
        self._feasible += record.feasible
        self._infeasible.update(record.infeasible)
        self._thinned += record.thinned
        if record.state is State.COMPLETE:
            return
        if self.nearest is None or record.excess < self.nearest.excess:
            self.nearest = record

    def _write(self, trials: Sequence[Trial]) -> None:
        self._append(files.trials_lines(trials, self.space, self.sweep.objectives))
        if self.watch.wall_s - self._front_written_s >= FRONT_EVERY_S:
            self.write_front()
            self._front_written_s = self.watch.wall_s

    def _append(self, text: str) -> None:
        with self.watch.timing(Part.IO):
            self.folder.append(files.TRIALS, text)

    def write_front(self) -> list[Row]:
        """Write `pareto.csv` and return its rows."""
        with self.watch.timing(Part.IO):
            rows = files.ordered(self.archive.rows, self.sweep.objectives)
            shape = rows or [dict.fromkeys(self.sweep.objectives, 0.0)]
            names = files.columns(shape, self.space.axes, self.sweep.metrics)
            self.folder.replace(files.PARETO, files.pareto_csv(rows, names))
        return rows

    def tally(self) -> Tally:
        """Return where the search stands."""
        return Tally(
            total=self._proposer.total,
            asked=self._asked,
            distinct=self._distinct,
            points=self._points,
            feasible=self._feasible,
            front=len(self.archive.rows),
            hypervolume=self.archive.hypervolume(),
            elapsed_s=self.watch.wall_s,
        )

    def summary(self) -> dict[str, Any]:
        """Return what `run.json` says of the search: counts, front, and how it got there."""
        reference = self.archive.reference
        return {
            "stop": self.stop.value if self.stop else None,
            "interrupted": self.stop is Stop.INTERRUPTED,
            "space_size": self.space.size,
            "outer_trials": self._asked,
            "distinct_trials": self._distinct,
            "points_evaluated": self._points,
            "feasible_points": self._feasible,
            "infeasible": dict(sorted(self._infeasible.items())),
            "thinned_trials": self._thinned,
            "front_size": len(self.archive.rows),
            "hypervolume": self.archive.hypervolume(),
            "hypervolume_reference": None
            if reference is None
            else dict(zip(self.sweep.objectives, map(float, reference), strict=True)),
            "convergence": self._convergence(),
        }

    def _convergence(self) -> list[dict[str, float]]:
        """Return the hypervolume after each batch that changed the front, from one reference."""
        reference, signs = self.archive.reference, self.archive.signs
        if reference is None:
            return []
        return [
            {"trials": asked, "hypervolume": hypervolume(values, reference, signs)}
            for asked, values in self._history
        ]
