"""Formulas against events: the same plans by both."""

from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from star_watos.watos.event.iteration import play_iteration
from star_watos.watos.iteration import Iterations, evaluate
from star_watos.watos.machine import Machine
from star_watos.watos.plans import Plans
from star_watos.watos.training import Training
from star_watos.workload import Model

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Agreement:
    """Seconds of an iteration of the same plans, one row a plan."""

    plans: Plans
    analytic_s: Floats
    event_s: Floats

    @property
    def gap(self) -> Floats:
        """How much longer the formulas say it takes, as a share of what the events say."""
        return self.analytic_s / self.event_s - 1


def compare(
    machine: Machine,
    model: Model,
    training: Training,
    plans: Plans,
    rng: np.random.Generator,
    n: int,
) -> Agreement:
    """Return both sides for n of the plans, or all if there are fewer, drawn without repetition."""
    rows = rng.permutation(len(plans))[:n]
    drawn = plans.take(rows)
    if not len(drawn):
        return Agreement(drawn, np.zeros(0), np.zeros(0))
    result = evaluate(machine, model, training, drawn)
    event = [
        play_iteration(
            machine, model, training, drawn.take(np.array([row])), _row(result, row)
        ).makespan_s
        for row in range(len(drawn))
    ]
    return Agreement(drawn, np.asarray(result.iteration_s, dtype=np.float64), np.array(event))


def _row(result: Iterations, row: int) -> Iterations:
    """Return one plan's figures that are played, as columns of length one."""
    rows = np.array([row])
    return replace(
        result,
        plans=result.plans.take(rows),
        layer=_cut(result.layer, row),
        n_microbatches=result.n_microbatches[rows],
    )


def _cut(value: Any, row: int) -> Any:  # noqa: ANN401 (costs and columns alike)
    """Return one row of a column, or of every field of a cost, or of each of several."""
    if isinstance(value, tuple):
        return tuple(_cut(one, row) for one in value)
    if is_dataclass(value) and not isinstance(value, type):
        return type(value)(**{f.name: _cut(getattr(value, f.name), row) for f in fields(value)})
    return value if np.ndim(value) == 0 else np.asarray(value)[row : row + 1]
