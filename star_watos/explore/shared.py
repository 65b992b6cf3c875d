"""A study in Optuna's storage that several searches add to, each started by hand."""

import secrets
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import optuna
from optuna.trial import TrialState

from star_watos.explore.export import distribution, name_objectives, study_name
from star_watos.explore.front import signs_of
from star_watos.explore.manifest import config_hash
from star_watos.explore.record import Record
from star_watos.explore.space import Point, Space
from star_watos.explore.storage import Storage
from star_watos.explore.sweep import Exploration, Sampler
from star_watos.explore.told import Told, sampler_of
from star_watos.spec import InputError

_HOW = {"search", "storage", "expect", "refine"}
"""Keys of a sweep that do not say what is searched: searches that differ in them share a study."""


class SharedProposer:
    """Asks the study for this search's own trials, and tells it what became of them.

    The sampler learns from the trials of all searches. Each has a seed of its own, or all would
    ask for the same; so no search can be repeated. Trials hold values, not indices, for others to
    read.
    """

    repeats = True

    def __init__(self, sweep: Exploration, space: Space, name: str) -> None:
        """Open the study of the sweep, or begin it. Raises `InputError` if the storage does."""
        if sweep.search.strategy is Sampler.EXHAUSTIVE:
            text = "a shared study is sampled: search.sampler=random covers a space in parts"
            raise InputError.of("storage", text)
        asked = sweep.model_dump(mode="json", exclude=_HOW)
        self.total = sweep.search.budget
        self._storage = Storage(str(sweep.storage))
        self._space = space
        self._distributions = {key: distribution(axis) for key, axis in sweep.space.items()}
        self._objectives = sweep.objectives
        self._told = Told(signs_of(sweep.objectives.values()))
        self._name = study_name(name, config_hash(asked))
        self._sampler = sampler_of(sweep.search, secrets.randbits(32))
        self._open: list[optuna.Trial] = []
        with self._storage.using() as store:
            name_objectives(self._study(store), sweep.objectives)

    def _study(self, store: optuna.storages.RDBStorage) -> optuna.Study:
        return optuna.create_study(
            storage=store,
            study_name=self._name,
            directions=[sense.value for sense in self._objectives.values()],
            sampler=self._sampler,
            load_if_exists=True,
        )

    def ask(self, count: int) -> list[Point]:
        """Return the next points."""
        with self._storage.using() as store:
            study = self._study(store)
            self._open = [study.ask(self._distributions) for _ in range(count)]
            return [self._point(trial.params) for trial in self._open]

    def _point(self, parameters: dict[str, Any]) -> Point:
        axes = self._space.axes
        return tuple(values.index(parameters[key]) for key, values in axes.items())

    def recall(self, points: Sequence[Point]) -> None:  # noqa: ARG002 (they are in the study)
        """Take points that an earlier process asked for; it told the study of them."""
        self._open = []

    def tell(self, records: Sequence[Record], front: Callable[[], Mapping[Point, float]]) -> None:  # noqa: ARG002
        """Tell the study the ideal points; of trials that were not evaluated, that they failed."""
        with self._storage.using() as store:
            study = self._study(store)
            for trial, record in zip(self._open, records, strict=False):
                self._tell_one(study, trial, record)
            for trial in self._open[len(records) :]:
                study.tell(trial, state=TrialState.FAIL)

    def _tell_one(self, study: optuna.Study, trial: optuna.Trial, record: Record) -> None:
        for key, value in _remarks(record).items():
            trial.set_user_attr(key, value)
        self._told.tell(study, trial, record)


def _remarks(record: Record) -> dict[str, Any]:
    """Return what a person may want to know of a trial."""
    told = {"state": record.state.value, "points": record.points, "feasible": record.feasible}
    return told | ({"constraint": record.why} if record.why else {})
