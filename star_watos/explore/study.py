"""An Optuna study, asked in batches."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, assert_never

import numpy as np
import optuna
from optuna.distributions import CategoricalDistribution, IntDistribution
from optuna.samplers import BaseSampler, GPSampler, RandomSampler, TPESampler
from optuna.trial import TrialState

from star_watos.explore.front import signs_of
from star_watos.explore.lineage import Lineage
from star_watos.explore.neighbours import Neighbourhood
from star_watos.explore.quasi import quasi_random
from star_watos.explore.record import Record, State
from star_watos.explore.space import Axis, Point, Space
from star_watos.explore.sweep import Exploration, Sampler, Search

STARTUP = 10
"""Trials before the models of TPE and GP say anything; Optuna's own number."""


class OptunaProposer:
    """A study of candidates, each of which stands for all its mappings.

    A study takes one value an objective. It is told the ideal point, the best of each objective
    over the candidate's front: if the front of A dominates that of B (each point of B is beaten by
    one of A), then so does the ideal point of A that of B, so no candidate is ranked below one that
    it beats. The archive keeps the true rows.

    Every batch has a sampler of its own, seeded by the seed and the number of the batch.
    """

    repeats = True

    def __init__(self, sweep: Exploration, space: Space, start: Point | None) -> None:
        """Open a study in memory; `start` is the first point asked, if given."""
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self.total = sweep.search.budget
        self._search = sweep.search
        self._signs = signs_of(sweep.objectives.values())
        self._names = list(space.axes)
        self._distributions = {
            name: _distribution(axis, len(space.axes[name])) for name, axis in sweep.space.items()
        }
        self._study = optuna.create_study(
            directions=[sense.value for sense in sweep.objectives.values()],
            sampler=RandomSampler(seed=0),  # replaced before the first batch
            pruner=optuna.pruners.NopPruner(),
        )
        shape = [len(values) for values in space.axes.values()]
        self._near = Neighbourhood(shape)
        self._steps_aside = sweep.search.strategy is not Sampler.RANDOM
        self._lineage = Lineage(sweep.search.generation)
        self._first = list(_first(sweep.search, shape, start))
        self._batch = self._asked = 0
        self._open: list[optuna.Trial] = []
        self._worst: list[float] | None = None

    def ask(self, count: int) -> list[Point]:
        """Return the next batch: the first points, then the sampler's.

        A neighbour of the front takes the place of each repeat.
        """
        self._begin()
        return [self._ask_one() for _ in range(count)]

    def recall(self, points: Sequence[Point]) -> None:
        """Take points that were asked for in an earlier process as the next batch."""
        self._begin()
        for point in points:
            self._take(point)

    def _begin(self) -> None:
        self._open = []
        self._study.sampler = self._sampler(self._seed())
        self._batch += 1

    def _sampler(self, seed: int) -> BaseSampler:
        match self._search.strategy:
            case Sampler.NSGA2:
                return self._lineage.sampler(self._study, seed)
            case Sampler.TPE:
                return TPESampler(seed=seed)
            case Sampler.GP:
                return GPSampler(seed=seed)
            case Sampler.RANDOM | Sampler.EXHAUSTIVE:
                return RandomSampler(seed=seed)
            case _:
                assert_never(self._search.strategy)

    def _seed(self) -> int:
        sequence = np.random.SeedSequence((self._search.seed, self._batch))
        return int(sequence.generate_state(1)[0])

    def _ask_one(self) -> Point:
        if self._asked < len(self._first):
            return self._take(self._first[self._asked])
        trial = self._study.ask(self._distributions)
        params = trial.params
        point = tuple(int(params[name]) for name in self._names)
        if point in self._near and self._steps_aside:
            aside = self._near.pop()
            if aside is not None:
                self._study.tell(trial, state=TrialState.FAIL)
                return self._take(aside)
        return self._note(trial, point)

    def _take(self, point: Point) -> Point:
        """Make `point` the next trial, whatever the sampler would say."""
        self._study.enqueue_trial(dict(zip(self._names, point, strict=True)))
        return self._note(self._study.ask(self._distributions), point)

    def _note(self, trial: optuna.Trial, point: Point) -> Point:
        self._near.add(point)
        self._open.append(trial)
        self._asked += 1
        return point

    def tell(self, records: Sequence[Record], front: Mapping[Point, float]) -> None:
        """Tell the study the ideal points and, of every trial, by how much it misses.

        Samplers rank an infeasible trial by its excess alone. It still needs values: the worst told
        so far, which are finite and draw no sampler towards it.
        """
        for trial, record in zip(self._open, records, strict=False):
            done = record.state is State.COMPLETE
            if done:
                self._remember(record.ideal)
            trial.set_constraint("excess", record.excess)
            worst = self._worst or [0.0] * len(self._signs)
            told = self._study.tell(trial, list(record.ideal) if done else worst)
            self._lineage.members.append(told)
        self._near.settle(front, self._seed())

    def _remember(self, ideal: Sequence[float]) -> None:
        pairs = zip(self._signs, self._worst or ideal, ideal, strict=True)
        self._worst = [float(max(s * a, s * b) * s) for s, a, b in pairs]


def _first(search: Search, shape: Sequence[int], start: Point | None) -> Iterator[Point]:
    """Yield what is asked before the sampler is: the start, and points spread over the space."""
    known = {start} if start is not None else set()
    yield from known
    match search.strategy:
        case Sampler.NSGA2:
            wanted = search.generation
        case Sampler.TPE | Sampler.GP:
            wanted = STARTUP
        case _:
            return
    # Of a space that has fewer than are wanted, those that a few draws find.
    for point in islice(quasi_random(shape, search.seed), 4 * wanted):
        if len(known) < wanted and point not in known:
            known.add(point)
            yield point


def _distribution(axis: Axis, count: int) -> Any:  # noqa: ANN401 (one of two)
    """Return the indices of an axis: ordered for a range, a mere set for choices."""
    if axis.choices is not None:
        return CategoricalDistribution(tuple(range(count)))
    return IntDistribution(0, count - 1)
