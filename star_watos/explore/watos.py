"""Wafers and training plans as a problem to explore."""

from functools import lru_cache
from pathlib import Path
from typing import Annotated, ClassVar, Literal

import numpy as np

from star_watos.cost import Overflow
from star_watos.explore.candidates import parts
from star_watos.explore.problem import Outcome, Parameters
from star_watos.explore.reduce import reduce
from star_watos.explore.sweep import Exploration
from star_watos.spec import From
from star_watos.watos import (
    Dies,
    Plans,
    Recompute,
    Training,
    Wafer,
    evaluate,
    legal_plans,
    metrics,
    wafer_metrics,
    wafer_overflow,
)
from star_watos.workload import Model

METRICS = frozenset(
    {
        "iteration_s",
        "tokens_per_s",
        "flops_per_s_per_die",
        "mfu",
        "hfu",
        "memory_per_die_bytes",
        "memory_capacity_bytes",
        "energy_per_token_j",
        "power_w",
        "area_mm2",
        "wafer_cost_usd",
        "yield",
    }
)
RECOMPUTE_NAMES = np.array([policy.label for policy in Recompute])


class WaferExploration(Exploration):
    """A sweep of `watos explore`."""

    metrics: ClassVar[frozenset[str]] = METRICS

    kind: Literal["watos-exploration"]
    """Which tool the sweep is for."""
    hardware: Annotated[Wafer, From("configs/wafers")]
    """The template: a shipped name, a path, or the wafer itself."""
    workload: Training
    """What is trained."""


_plans = lru_cache(maxsize=64)(legal_plans)
"""Plans depend on few hardware parameters; the arrays are shared and never written."""
_model = lru_cache(maxsize=16)(Training.load)


class WaferProblem:
    """Evaluates all legal plans of one wafer in one call."""

    def __init__(self, sweep: WaferExploration, beside: Path | None = None) -> None:
        """Explore `sweep`, whose relative paths start in the folder `beside`."""
        self.sweep = sweep
        self.beside = beside

    def evaluate(self, parameters: Parameters) -> Outcome:
        """Return the plans of the wafer that `parameters` describe which no other plan beats."""
        built = parts(self.sweep, parameters)
        wafer, training = built["hardware"], built["workload"]
        model: Model = _model(training, self.beside)
        overflow = wafer_overflow(wafer)
        if overflow:
            return Outcome([], 0, 0, {overflow.name: 1}, self._worst(wafer, overflow))
        plans = _plans(model, wafer.grid, training.global_batch)
        machine = Dies(wafer)
        result = evaluate(machine, model, training, plans)
        figures = metrics(machine, training, result) | wafer_metrics(wafer)
        memory = (result.memory_bytes, wafer.memory_capacity_bytes, "B")
        return reduce(
            self.sweep,
            {**mapping_columns(plans), "bound": result.bound},
            figures,
            {"memory of the fullest die": memory},
        )

    def _worst(self, wafer: Wafer, overflow: Overflow) -> Overflow:
        """Return the worst of `overflow` and the limits that the wafer alone breaks."""
        figures = wafer_metrics(wafer)
        limits = [
            limit.overflow(name, figures[name])
            for name, limit in self.sweep.constraints.items()
            if name in figures
        ]
        return max([overflow, *filter(None, limits)], key=lambda miss: miss.excess)


def mapping_columns(plans: Plans) -> dict[str, np.ndarray[tuple[int], np.dtype[np.generic]]]:
    """Return the plans' columns as `pareto.csv` names them."""
    return {
        "tp": plans.tp,
        "tp_rows": plans.tp_rows,
        "tp_cols": plans.tp_cols,
        "pp": plans.pp,
        "dp": plans.dp,
        "microbatch": plans.microbatch,
        "recompute": RECOMPUTE_NAMES[plans.recompute],
        "sp": plans.sp,
        "zero": plans.zero,
    }
