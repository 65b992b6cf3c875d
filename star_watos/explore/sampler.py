"""Who proposes candidates: Optuna, or a count through the whole space."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, assert_never

from star_watos.explore.front import signs_of
from star_watos.explore.neighbours import Neighbourhood
from star_watos.explore.record import Record, State
from star_watos.explore.space import Axis, Point, Space
from star_watos.explore.sweep import Exploration, Sampler, Search
from star_watos.files import Scalar

if TYPE_CHECKING:
    import optuna


class Proposer(Protocol):
    """Proposes points, and learns from what became of them."""

    total: int
    """How many points it will propose."""
    repeats: bool
    """Whether it may propose a point twice."""

    def ask(self, count: int) -> list[Point]:
        """Return the next points."""
        ...

    def tell(self, records: Sequence[Record], front: Iterable[Point]) -> None:
        """Learn what became of the points last asked for, or of the first few of them.

        `front` are the points that have a design on the front by now.
        """
        ...


def proposer(
    sweep: Exploration, space: Space, baseline: Mapping[str, Scalar] | None = None
) -> Proposer:
    """Return what the sweep asks for; a space of no more than its trials is enumerated whole."""
    if sweep.search.sampler is Sampler.EXHAUSTIVE or sweep.search.trials >= space.size:
        return Enumeration(space)
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

    def tell(self, records: Sequence[Record], front: Iterable[Point]) -> None:
        """Learn nothing."""


class OptunaProposer:
    """An Optuna study, asked in batches.

    A candidate stands for all its mappings, but a study takes one value an objective. It is told
    the ideal point, the best of each objective over the candidate's front: if the front of A
    dominates that of B (each point of B is beaten by one of A), then so does the ideal point of A
    that of B, so no candidate is ranked below one that it beats. The archive keeps the true rows.
    """

    repeats = True

    def __init__(self, sweep: Exploration, space: Space, start: Point | None) -> None:
        """Open a study in memory; `start` is the first point asked, if given."""
        import optuna  # noqa: PLC0415 (0.3 s to import)

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self.total = sweep.search.trials
        self._signs = signs_of(sweep.objectives.values())
        self._names = list(space.axes)
        self._distributions = {
            name: _distribution(axis, len(space.axes[name])) for name, axis in sweep.space.items()
        }
        self._study = optuna.create_study(
            directions=[sense.value for sense in sweep.objectives.values()],
            sampler=_sampler(sweep.search),
            pruner=optuna.pruners.NopPruner(),
        )
        self._open: list[optuna.Trial] = []
        self._repeats: list[tuple[optuna.Trial, Point]] = []
        self._told: dict[Point, Record] = {}
        shape = [len(values) for values in space.axes.values()]
        self._near = Neighbourhood(shape, sweep.search.seed)
        self._steps_aside = sweep.search.sampler is not Sampler.RANDOM
        self._worst = [0.0] * len(self._signs)
        self._any = False
        if start is not None:
            self._study.enqueue_trial(dict(zip(self._names, start, strict=True)))

    def ask(self, count: int) -> list[Point]:
        """Return the next points; a neighbour of the front in place of each repeat."""
        self._open, self._repeats = [], []
        return [self._ask_one() for _ in range(count)]

    def _ask_one(self) -> Point:
        trial, point = self._draw()
        if point in self._near and self._steps_aside:
            aside = self._near.pop()
            if aside is not None:
                self._repeats.append((trial, point))
                self._study.enqueue_trial(dict(zip(self._names, aside, strict=True)))
                trial, point = self._draw()
        self._near.add(point)
        self._open.append(trial)
        return point

    def _draw(self) -> "tuple[optuna.Trial, Point]":
        trial = self._study.ask(self._distributions)
        params = trial.params
        return trial, tuple(int(params[name]) for name in self._names)

    def tell(self, records: Sequence[Record], front: Iterable[Point]) -> None:
        """Tell the study the ideal points and, of every trial, by how much it misses.

        Samplers rank an infeasible trial by its excess alone. It still needs values: the worst told
        so far, which are finite and draw no sampler towards it.
        """
        trials = list(zip(self._open, records, strict=False))
        points = [tuple(int(t.params[name]) for name in self._names) for t, _ in trials]
        self._told |= zip(points, records, strict=False)
        misses = [p for p, record in self._told.items() if record.state is not State.COMPLETE]
        self._near.settle(front, misses)
        trials += [(t, self._told[point]) for t, point in self._repeats if point in self._told]
        for trial, record in trials:
            self._remember(record)
            trial.set_constraint("excess", record.excess)
            done = record.state is State.COMPLETE
            self._study.tell(trial, list(record.ideal) if done else self._worst)

    def _remember(self, record: Record) -> None:
        if record.state is not State.COMPLETE:
            return
        worst = self._worst if self._any else record.ideal
        pairs = zip(self._signs, worst, record.ideal, strict=True)
        self._worst = [float(max(s * a, s * b) * s) for s, a, b in pairs]
        self._any = True


def _distribution(axis: Axis, count: int) -> Any:  # noqa: ANN401 (Optuna's, imported when used)
    """Return the indices of an axis: ordered for a range, a mere set for choices."""
    from optuna.distributions import (  # noqa: PLC0415
        CategoricalDistribution,
        IntDistribution,
    )

    if axis.choices is not None:
        return CategoricalDistribution(tuple(range(count)))
    return IntDistribution(0, count - 1)


def _sampler(search: Search) -> "optuna.samplers.BaseSampler":
    from optuna import samplers  # noqa: PLC0415

    match search.sampler:
        case Sampler.NSGA2:
            return samplers.NSGAIISampler(population_size=search.generation, seed=search.seed)
        case Sampler.TPE:
            return samplers.TPESampler(seed=search.seed)
        case Sampler.GP:
            return samplers.GPSampler(seed=search.seed)
        case Sampler.RANDOM | Sampler.EXHAUSTIVE:
            return samplers.RandomSampler(seed=search.seed)
        case _:
            assert_never(search.sampler)
