"""The outer loop: ask for a batch, evaluate what is new, keep the front, write, tell."""

import time
from collections.abc import Sequence
from dataclasses import replace
from enum import StrEnum
from typing import Any

from star_watos.explore import files
from star_watos.explore.books import Books
from star_watos.explore.journal import Batch, Journal
from star_watos.explore.problem import Outcome, Row
from star_watos.explore.progress import Part, Stopwatch, Tally, View
from star_watos.explore.record import Record, Trial, judge
from star_watos.explore.sampler import Proposer
from star_watos.explore.space import Point, Space
from star_watos.explore.sweep import Exploration
from star_watos.explore.workers import Deadline, Evaluate, uninterrupted
from star_watos.files import Folder

FRONT_EVERY_S = 10.0
"""How often the front so far is written, for those who look."""


class Stop(StrEnum):
    """Why a search ended."""

    DONE = "done"
    SETTLED = "hypervolume no longer moves"
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
        self.books = Books(space, sweep.objectives)
        self.journal = Journal(folder, sweep.model_dump(mode="json"))
        self.stop: Stop | None = None
        self._begun: Batch | None = None
        """What an earlier process knew of the batch in which it ended."""
        self._proposer, self._deadline = proposer, deadline
        self._batch = sweep.search.at_once(space.size)
        self._front_written_s = 0.0

    def begin(self) -> None:
        """Start the files of a new run."""
        with self.watch.timing(Part.IO):
            self.journal.begin()
            self.folder.replace(files.TRIALS, self._head())

    def resume(self) -> int:
        """Take in what an earlier process finished; return its number of batches.

        `trials.csv` is written anew: it may end in a part of a batch.
        """
        text = [self._head()]
        for batch in self.journal.batches():
            self._begun = batch
            if len(batch.records) < len(self.books.fresh(batch.points)):
                continue  # it is there again if it was finished
            trials, _ = self._enter(self._next())
            self.watch.spend(batch.spent_s)
            text.append(self._lines(trials))
        self.folder.replace(files.TRIALS, "".join(text))
        return len(text) - 1

    def run(self, evaluate: Evaluate, view: View) -> None:
        """Search to the end: all trials, the deadline, or Ctrl-C."""
        try:
            while self.stop is None:
                batch = self._next()
                outcomes = self._evaluate(self._missing(batch), evaluate)
                with uninterrupted():
                    self._absorb(batch, outcomes)
                    view(self.tally())
        except KeyboardInterrupt:
            self.stop = self.stop or Stop.INTERRUPTED

    def _next(self) -> Batch:
        """Return the batch that an earlier process began, or a new one."""
        begun, self._begun = self._begun, None
        with self.watch.timing(Part.SAMPLER):
            if begun is None:
                return Batch(self._proposer.ask(self._next_batch()), [], [], None, {})
            self._proposer.recall(begun.points)
            self.books.archive.refer(begun.reference)
            return begun

    def _missing(self, batch: Batch) -> list[Point]:
        return self.books.fresh(batch.points)[len(batch.records) :]

    def _next_batch(self) -> int:
        return min(self._batch, self._proposer.total - self.books.asked)

    def _evaluate(self, fresh: Sequence[Point], evaluate: Evaluate) -> list[Outcome | str]:
        """Return the outcomes of the points, of the first few if cut short."""
        outcomes: list[Outcome | str] = []
        candidates = [self.space.parameters(point) for point in fresh]
        try:
            with self.watch.timing(Part.MODEL):
                for outcome in evaluate(candidates, self._deadline):
                    outcomes.append(outcome)  # noqa: PERF402 (what came before Ctrl-C is kept)
        except KeyboardInterrupt:
            self.stop = Stop.INTERRUPTED
        return outcomes

    def _absorb(self, batch: Batch, outcomes: Sequence[Outcome | str]) -> None:
        """Take in a batch, as far as it got."""
        records, rows = self._judged(self._missing(batch), outcomes)
        known = replace(batch, records=batch.records + records, rows=batch.rows + rows)
        trials, admitted = self._enter(known)
        self.stop = self.stop or self._late()
        with self.watch.timing(Part.IO):
            self.journal.add(self._remembered(known, admitted))
            self.folder.append(files.TRIALS, self._lines(trials))
        if self.watch.wall_s - self._front_written_s >= FRONT_EVERY_S:
            self.write_front()
            self._front_written_s = self.watch.wall_s

    def _enter(self, batch: Batch) -> tuple[list[Trial], list[Row]]:
        """Take a batch into the books and let the sampler learn; return its rows on the front."""
        trials = self.books.enter(batch.points, batch.records)
        admitted = self.books.add(batch.rows)
        with self.watch.timing(Part.SAMPLER):
            self._proposer.tell([trial.record for trial in trials], self.books.on_front)
        if not self._proposer.repeats:
            self.books.forget_points()
        self.stop = self.stop or self._reason()
        return trials, admitted

    def _remembered(self, batch: Batch, admitted: list[Row]) -> Batch:
        """Return what another process needs in order to go on behind a batch."""
        reference = self.books.archive.reference
        worst = None if reference is None else [float(value) for value in reference]
        return replace(batch, rows=admitted, reference=worst, spent_s=self.watch.spent_s())

    def _judged(
        self, fresh: Sequence[Point], outcomes: Sequence[Outcome | str]
    ) -> tuple[list[Record], list[Row]]:
        records: list[Record] = []
        found: list[Row] = []
        for point, outcome in zip(fresh, outcomes, strict=False):
            record, rows = judge(outcome, self.sweep.objectives, self.sweep.constraints)
            records.append(record)
            found += [{**self.space.parameters(point), **row} for row in rows]
        return records, found

    def _reason(self) -> Stop | None:
        if self.books.asked == self._proposer.total:
            return Stop.DONE
        patience = self.sweep.search.patience
        gain = None if patience is None else self.books.gain(patience)
        settled = gain is not None and gain < self.sweep.search.min_gain
        return Stop.SETTLED if settled else None

    def _late(self) -> Stop | None:
        late = self._deadline is not None and time.perf_counter() >= self._deadline
        return Stop.TIME_LIMIT if late else None

    def _head(self) -> str:
        return files.trials_head(self.space, self.sweep.objectives)

    def _lines(self, trials: Sequence[Trial]) -> str:
        return files.trials_lines(trials, self.space, self.sweep.objectives)

    def write_front(self) -> list[Row]:
        """Write `pareto.csv` and return its rows."""
        with self.watch.timing(Part.IO):
            rows = files.ordered(self.books.archive.rows, self.sweep.objectives)
            shape = rows or [dict.fromkeys(self.sweep.objectives, 0.0)]
            names = files.columns(shape, self.space.axes, self.sweep.metrics)
            self.folder.replace(files.PARETO, files.pareto_csv(rows, names))
        return rows

    def tally(self) -> Tally:
        """Return where the search stands."""
        return Tally(
            total=self._proposer.total,
            asked=self.books.asked,
            distinct=self.books.distinct,
            points=self.books.points,
            feasible=self.books.feasible,
            front=len(self.books.archive.rows),
            hypervolume=self.books.archive.hypervolume(),
            elapsed_s=self.watch.wall_s,
        )

    def summary(self) -> dict[str, Any]:
        """Return what `run.json` says of the search: how it ended, counts, and the front."""
        ended = {"stop": self.stop.value if self.stop else None}
        return ended | {"interrupted": self.stop is Stop.INTERRUPTED} | self.books.summary()
