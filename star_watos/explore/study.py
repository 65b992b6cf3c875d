"""An Optuna study, asked in batches."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

import numpy as np
import optuna
from optuna.distributions import CategoricalDistribution, IntDistribution
from optuna.samplers import BaseSampler, RandomSampler
from optuna.trial import TrialState

from star_watos.explore.front import signs_of
from star_watos.explore.lineage import Lineage
from star_watos.explore.neighbours import Neighbourhood
from star_watos.explore.quasi import quasi_random
from star_watos.explore.record import Record
from star_watos.explore.space import Axis, Point, Space
from star_watos.explore.sweep import Exploration, Sampler, Search
from star_watos.explore.told import Told, sampler_of

STARTUP = 10
"""Trials before the models of TPE and GP say anything; Optuna's own number."""


class OptunaProposer:
    """A study in memory. It is told ideal points (`Told`); the archive keeps the true rows.

    Every batch has a sampler of its own, seeded by the seed and the number of the batch.
    """

    repeats = True

    def __init__(self, sweep: Exploration, space: Space, start: Point | None) -> None:
        """Open a study in memory; `start` is the first point asked, if given."""
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self.total = sweep.search.budget
        self._search = sweep.search
        self._told = Told(signs_of(sweep.objectives.values()))
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
        self._lineage = Lineage(sweep.search.generation, self._distributions)
        self._first = list(_first(sweep.search, shape, start))
        self._batch = self._asked = 0
        self._open: list[optuna.Trial] = []

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
        if self._search.strategy is Sampler.NSGA2:
            return self._lineage.sampler(self._study, seed)
        return sampler_of(self._search, seed)

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

    def tell(self, records: Sequence[Record], front: Callable[[], Mapping[Point, float]]) -> None:
        """Tell the study what became of the points; line up the neighbours of the front."""
        for trial, record in zip(self._open, records, strict=False):
            self._lineage.members.append(self._told.tell(self._study, trial, record))
        if self._steps_aside:
            self._near.settle(front(), self._seed())


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
