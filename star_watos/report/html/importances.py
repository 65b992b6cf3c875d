"""How much each parameter matters to each objective, over the trials of a run."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import optuna

from star_watos.explore import Sense, Space
from star_watos.explore.files import TRIALS
from star_watos.explore.record import State
from star_watos.explore.stored import Stored, rows_of
from star_watos.files import cell
from star_watos.spec import InputError

LEAST_TRIALS = 20
"""Distinct ones that worked out; the best tenth of fewer says nothing."""
MOST_TRIALS = 4000
"""The last ones, of more."""


@dataclass(frozen=True, slots=True)
class Importances:
    """Shares of all parameters in one objective sum to 1."""

    parameters: list[str]
    shares: dict[str, list[float]]
    """Objective -> share of each parameter."""
    trials: int


def importances(stored: Stored) -> Importances | None:
    """Return how much parameters matter; None where there are too few trials to tell.

    PED-ANOVA (Watanabe et al. 2023): how far the values of a parameter among the best tenth of the
    trials differ from those among all. A trial counts with its ideal point.
    """
    space = Space.of(stored.asked.sweep.space)
    varied = [name for name, values in space.axes.items() if len(values) > 1]
    path = stored.folder / TRIALS
    try:
        trials = list(_trials(path, space, stored.objectives))[-MOST_TRIALS:]
    except (KeyError, ValueError) as error:
        raise InputError.of(str(path), f"is not of this run: {error}") from None
    if len(trials) < LEAST_TRIALS or not varied:
        return None
    shares = {name: _shares(trials, varied, name, s) for name, s in stored.objectives.items()}
    return Importances(varied, shares, len(trials))


@dataclass(frozen=True, slots=True)
class _Trial:
    """A trial that worked out, once."""

    places: dict[str, int]
    """Of its values on the axes."""
    values: dict[str, float]
    """Its ideal point."""
    sizes: dict[str, int]
    """Of the axes."""

    def frozen(self, value: float, names: list[str]) -> optuna.trial.FrozenTrial:
        """Return it as Optuna's, with one value to minimise."""
        ranges: dict[str, optuna.distributions.BaseDistribution] = {
            name: optuna.distributions.IntDistribution(0, self.sizes[name] - 1) for name in names
        }
        params = {name: self.places[name] for name in names}
        return optuna.trial.create_trial(params=params, distributions=ranges, value=value)


def _trials(path: Path, space: Space, objectives: Mapping[str, Sense]) -> Iterator[_Trial]:
    """Yield the trials that worked out, each once; none where there is no such file."""
    if not path.is_file():
        return
    places = {n: {cell(v): i for i, v in enumerate(values)} for n, values in space.axes.items()}
    sizes = {name: len(values) for name, values in space.axes.items()}
    for row in rows_of(path):
        if row["state"] == State.COMPLETE.value and row["repeat_of"] == "":
            here = {name: places[name][cell(row[name])] for name in places}
            yield _Trial(here, {name: float(row[name]) for name in objectives}, sizes)


def _shares(trials: list[_Trial], names: list[str], objective: str, sense: Sense) -> list[float]:
    sign = -1.0 if sense is Sense.MAXIMIZE else 1.0
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study()
    study.add_trials([trial.frozen(sign * trial.values[objective], names) for trial in trials])
    evaluator = optuna.importance.PedAnovaImportanceEvaluator()
    found = optuna.importance.get_param_importances(study, evaluator=evaluator)
    return [float(found.get(name, 0.0)) for name in names]
