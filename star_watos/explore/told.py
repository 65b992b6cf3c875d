"""What a study of Optuna is told of candidates, and who samples for it."""

from collections.abc import Sequence
from typing import assert_never

import optuna
from optuna.samplers import BaseSampler, GPSampler, NSGAIISampler, RandomSampler, TPESampler
from optuna.trial import FrozenTrial

from star_watos.explore.front import Values
from star_watos.explore.record import Record, State
from star_watos.explore.sweep import Sampler, Search


class Told:
    """Tells a study the ideal points and, of every trial, by how much it misses.

    A candidate stands for all its mappings, but a study takes one value an objective: the best of
    each over the candidate's front. If the front of A dominates that of B (each point of B is
    beaten by one of A), then so does the ideal point of A that of B, so no candidate is ranked
    below one that it beats.

    Samplers rank an infeasible trial by its excess alone. It still needs values: the worst told so
    far, which are finite and draw no sampler towards it.
    """

    def __init__(self, signs: Values) -> None:
        """Begin with nothing told."""
        self._signs = signs
        self._worst: Sequence[float] | None = None

    def tell(self, study: optuna.Study, trial: optuna.Trial, record: Record) -> FrozenTrial:
        """Tell the study what became of a trial."""
        trial.set_constraint("excess", record.excess)
        if record.state is not State.COMPLETE:
            return study.tell(trial, self._worst or [0.0] * len(self._signs))
        pairs = zip(self._signs, self._worst or record.ideal, record.ideal, strict=True)
        self._worst = [float(max(s * a, s * b) * s) for s, a, b in pairs]
        return study.tell(trial, list(record.ideal))


def sampler_of(search: Search, seed: int) -> BaseSampler:
    """Return Optuna's sampler that a search names."""
    match search.strategy:
        case Sampler.NSGA2:
            return NSGAIISampler(population_size=search.generation, seed=seed)
        case Sampler.TPE:
            return TPESampler(seed=seed)
        case Sampler.GP:
            return GPSampler(seed=seed)
        case Sampler.RANDOM | Sampler.EXHAUSTIVE:
            return RandomSampler(seed=seed)
        case _:
            assert_never(search.strategy)
