"""Wafers and training plans as a problem to explore."""

from functools import lru_cache
from pathlib import Path
from typing import Annotated, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, ValidationInfo, field_validator

from star_watos.cost import Overflow
from star_watos.explore.candidates import parts
from star_watos.explore.chosen import Chosen
from star_watos.explore.problem import Outcome, Parameters, Row
from star_watos.explore.reduce import Room, Table, reduce_fitting
from star_watos.explore.sweep import Exploration
from star_watos.spec import From
from star_watos.units import Count
from star_watos.watos import (
    Choices,
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
from star_watos.watos.balance import balance
from star_watos.watos.memory import plan_bytes
from star_watos.watos.plans import Index
from star_watos.watos.simulate import fastest
from star_watos.watos.wafer import Grid
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
        "memory_headroom_bytes",
        "energy_per_token_j",
        "power_w",
        "area_mm2",
        "wafer_cost_usd",
        "yield",
    }
)
PLAN = ("tp", "tp_rows", "tp_cols", "pp", "dp", "ep", "microbatch", "recompute", "sp", "zero")
"""Columns of `pareto.csv` that say how it is trained."""
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
    wafers: Annotated[Count, Field(le=256)] = 1
    """Equal wafers that train together; area and price are of one."""
    expert_groups: Annotated[tuple[Count, ...], Field(min_length=1, max_length=16)] = (1,)
    """Numbers of groups that experts are split over."""
    refine: Annotated[int, Field(ge=0, le=10_000)] = 0
    """Wafers of the front, best first, whose stages are balanced in the end (`refined.csv`)."""

    @field_validator("wafers")
    @classmethod
    def _joined(cls, value: int, info: ValidationInfo) -> int:
        wafer = info.data.get("hardware")
        if value > 1 and wafer is not None and wafer.off_wafer is None:
            raise ValueError("several wafers need hardware.off_wafer, which the template lacks")
        return value


@lru_cache(maxsize=64)
def _plans(model: Model, grid: Grid, batch: int, ep: tuple[int, ...], wafers: int) -> Plans:
    """Return legal plans; they depend on few hardware parameters, and are shared."""
    return legal_plans(model, grid, batch, Choices(ep=ep), wafers)


@lru_cache(maxsize=64)
def _held_bytes(
    model: Model, training: Training, grid: Grid, ep: tuple[int, ...], wafers: int
) -> NDArray[np.float64]:
    """Return what these plans hold on their fullest die, for which a wafer's grid is enough."""
    plans = _plans(model, grid, training.global_batch, ep, wafers)
    return np.asarray(plan_bytes(model, training, plans))


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
            miss = worst_limit(self.sweep, wafer, overflow)
            return Outcome([], 0, 0, {overflow.name: 1}, miss)
        return self._best_plans(wafer, training, model)

    def _best_plans(self, wafer: Wafer, training: Training, model: Model) -> Outcome:
        plans, machine = self._plans(wafer, training, model), Dies(wafer, None, self.sweep.wafers)
        if not len(plans):
            return Outcome([], 0, 0)

        def table(rows: Index) -> Table:
            result = evaluate(machine, model, training, plans.take(rows))
            figures = metrics(machine, training, result) | wafer_metrics(wafer)
            return {**mapping_columns(result.plans), "bound": result.bound}, figures

        held = _held_bytes(model, training, wafer.grid, self.sweep.expert_groups, self.sweep.wafers)
        room = Room("memory of the fullest die", held, wafer.memory_capacity_bytes, "B")
        return reduce_fitting(self.sweep, room, table)

    def _plans(self, wafer: Wafer, training: Training, model: Model) -> Plans:
        ep, wafers = self.sweep.expert_groups, self.sweep.wafers
        return _plans(model, wafer.grid, training.global_batch, ep, wafers)

    def refined(self, parameters: Parameters) -> Row:
        """Return a wafer with the best of its plans whose stages differ, its iteration by events.

        Where none is faster, with its fastest plan of one policy.
        """
        built = parts(self.sweep, parameters)
        wafer, training = built["hardware"], built["workload"]
        model = _model(training, self.beside)
        plans, machine = self._plans(wafer, training, model), Dies(wafer, None, self.sweep.wafers)
        simulation = fastest(wafer, machine, model, training, plans)
        assert not isinstance(simulation, Overflow)  # noqa: S101 (a plan of the front fits)
        found = balance(simulation, plans)
        seconds = found.best.iteration_s if found.best else found.uniform_s
        own = found.best.plans if found.best else simulation.iteration.plans
        mapping = {name: column[0].item() for name, column in mapping_columns(own).items()}
        if found.best:
            mapping["recompute"] = "by stage"
        tokens = training.global_batch * training.seq_len
        rates = {"uniform_tokens_per_s": tokens / found.uniform_s, "tokens_per_s": tokens / seconds}
        return {**parameters, **mapping, **rates, "gain": found.uniform_s / seconds - 1}


def worst_limit(sweep: Exploration, wafer: Wafer, overflow: Overflow) -> Overflow:
    """Return the worst of `overflow` and the limits that the wafer alone breaks."""
    figures = wafer_metrics(wafer)
    limits = [
        limit.overflow(name, figures[name])
        for name, limit in sweep.constraints.items()
        if name in figures
    ]
    return max([overflow, *filter(None, limits)], key=lambda miss: miss.excess)


def mapping_columns(plans: Plans) -> dict[str, np.ndarray[tuple[int], np.dtype[np.generic]]]:
    """Return the plans' columns as `pareto.csv` names them."""
    columns = {name: getattr(plans, name) for name in PLAN}
    return columns | {"recompute": RECOMPUTE_NAMES[plans.recompute]}


def degrees_of(chosen: Chosen) -> dict[str, int]:
    """Return the plan of a design of a front: names of `Plans`' columns, or `tp`, and values."""
    policy = chosen.one_of("recompute", {policy.label: policy for policy in Recompute})
    with chosen.reading():
        return {n: int(policy if n == "recompute" else chosen.row[n]) for n in PLAN}
