"""A finished run as a study in Optuna's storage, so that optuna-dashboard shows it."""

import warnings
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from star_watos.explore import files
from star_watos.explore.problem import Parameters, Row
from star_watos.explore.record import State
from star_watos.explore.space import Axis
from star_watos.explore.storage import OPTION, Storage
from star_watos.explore.stored import Asked, Stored, rows_of
from star_watos.spec import InputError

if TYPE_CHECKING:
    from optuna import Study
    from optuna.distributions import BaseDistribution
    from optuna.trial import FrozenTrial, TrialState

_KEPT = ("seed", "version", "git_commit", "config_hash", "wall_s", "hypervolume")
"""What of `run.json` is said of the study."""


def study_name(name: str, config_hash: str) -> str:
    """Return the name of the study of a sweep.

    >>> study_name("watos_llama3_70b", "0123456789abcdef")
    'watos_llama3_70b-01234567'
    """
    return f"{name}-{config_hash[:8]}"


def export(folder: Path, url: str, name: str | None = None) -> tuple[str, int]:
    """Write the run in `folder` to the storage at `url`; return the study's name and its trials.

    The study is named after the folder and the configuration unless `name` is given. It has the
    numbers of `trials.csv`. Raises `InputError` where there is no run, or such a study already.
    """
    import optuna  # noqa: PLC0415 (0.3 s to import)

    run = Stored.load(folder)
    asked = run.asked
    called = name or study_name(folder.resolve().name, str(run.manifest.get("config_hash")))
    trials = list(_trials(run, asked))
    with Storage(url).using() as store:
        try:
            study = optuna.create_study(
                storage=store,
                study_name=called,
                directions=[sense.value for sense in asked.sweep.objectives.values()],
            )
        except optuna.exceptions.DuplicatedStudyError:
            text = f"has a study {called} already; --name gives this one another name"
            raise InputError.of(OPTION, text) from None
        try:
            _fill(study, run, trials)
        except BaseException:
            optuna.delete_study(study_name=called, storage=store)  # whole or not at all
            raise
    return called, len(trials)


def _fill(study: "Study", run: Stored, trials: "list[FrozenTrial]") -> None:
    name_objectives(study, run.objectives)
    for key in _KEPT:
        study.set_user_attr(key, run.manifest.get(key))
    study.add_trials(trials)


def name_objectives(study: "Study", names: Iterable[str]) -> None:
    """Say what the values of a study are."""
    from optuna.exceptions import ExperimentalWarning  # noqa: PLC0415 (0.3 s to import)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)  # has been since Optuna 3.2
        study.set_metric_names(list(names))


def _trials(run: Stored, asked: Asked) -> "Iterator[FrozenTrial]":
    """Yield every line of `trials.csv` as a trial of the study."""
    designs: dict[tuple[Any, ...], list[Row]] = {}
    for row in run.rows:
        designs.setdefault(tuple(asked.parameters(row).values()), []).append(row)
    distributions = {name: distribution(axis) for name, axis in asked.sweep.space.items()}
    path = run.folder / files.TRIALS
    for row in rows_of(path):
        try:
            parameters = asked.parameters(row)
            best = designs.get(tuple(parameters.values()), [])
            yield _trial(row, parameters, distributions, list(asked.sweep.objectives), best)
        except (KeyError, ValueError) as error:
            text = f"does not belong to the sweep of {files.RUN}: {error}"
            raise InputError.of(str(path), text) from None


def _trial(
    row: Row,
    parameters: Parameters,
    distributions: "Mapping[str, BaseDistribution]",
    objectives: list[str],
    best: list[Row],
) -> "FrozenTrial":
    from optuna.trial import create_trial  # noqa: PLC0415 (0.3 s to import)

    state = State(str(row["state"]))
    told = {name: row[name] for name in files.OUTCOME if row[name] != ""}
    plan = {k: v for k, v in best[0].items() if k not in parameters} if best else {}
    done = state is State.COMPLETE
    return create_trial(
        state=_state(state),
        values=[float(row[name]) for name in objectives] if done else None,
        params=dict(parameters),
        distributions=dict(distributions),
        user_attrs={**told, **plan, "designs_on_front": len(best)},
        constraints={"excess": float(row["excess"] or 0)} if state is not State.INVALID else None,
    )


def _state(state: State) -> "TrialState":
    """Return Optuna's word; a candidate without a value is not complete there."""
    from optuna.trial import TrialState  # noqa: PLC0415 (0.3 s to import)

    match state:
        case State.COMPLETE:
            return TrialState.COMPLETE
        case State.INFEASIBLE:
            return TrialState.PRUNED
        case State.INVALID:
            return TrialState.FAIL


def distribution(axis: Axis) -> "BaseDistribution":
    """Return what an axis holds: whole numbers of a range in order, else a set of its values.

    Fractions are a set too: in floating point their steps do not always add up to the end.
    """
    from optuna.distributions import (  # noqa: PLC0415 (0.3 s to import)
        CategoricalDistribution,
        IntDistribution,
    )

    values = axis.values()
    low, high = values[0], values[-1]
    whole = axis.choices is None and isinstance(low, int) and isinstance(high, int)
    if not whole or len(values) < 2:
        return CategoricalDistribution(values)
    return IntDistribution(int(low), int(high), step=int(values[1]) - int(low))
