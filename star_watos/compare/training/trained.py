"""How one strategy trains a model: speed, memory in use, what is run again."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from star_watos.compare.training.case import Best, Case
from star_watos.cost import number
from star_watos.watos import Dies, Recompute, Simulation
from star_watos.watos.balance import Balanced
from star_watos.watos.baselines import Streamed
from star_watos.watos.document import plan_row, stage_rows
from star_watos.watos.event import played
from star_watos.watos.placed import Placed
from star_watos.watos.simulate import Setting


@dataclass(frozen=True, slots=True)
class Trained:
    """What a strategy makes of a model."""

    iteration_s: float
    tokens_per_s: float
    mfu: float
    memory_utilization: float
    """Of the memory of all devices, on the mean."""
    recomputed_share: float
    """Of the activations that a pass leaves, in bytes, what is made again instead of kept."""
    plan: dict[str, Any]


def of_best(best: Best) -> Trained:
    """Return the figures of the fastest plan on the wafers."""
    if best.balanced is not None:
        return _of_balanced(best.setting, best.balanced)
    assert isinstance(best.setting, Simulation)  # noqa: S101 (one policy for all is one)
    return of_simulation(best.setting)


def of_simulation(it: Simulation) -> Trained:
    """Return the figures of a plan of one policy, its iteration by events."""
    timed, _ = played(it)
    seconds, run, machine = number(timed.iteration.iteration_s), it.iteration, it.machine
    held = [stage["memory_bytes"] for stage in stage_rows(it)]
    in_use = int(run.plans.devices[0]) / machine.n_devices
    plain = replace(run.plans, recompute=np.full_like(run.plans.recompute, Recompute.NONE))
    kept = number(run.layer.saved_bytes) / number(it.evaluate(plain).layer.saved_bytes)
    return Trained(
        iteration_s=seconds,
        tokens_per_s=_tokens(it) / seconds,
        mfu=number(run.model_flops) / seconds / _peak(it),
        memory_utilization=float(np.mean(held)) / machine.memory_bytes * in_use,
        recomputed_share=1.0 - kept,
        plan=plan_row(machine, run.plans) | _order(machine),
    )


def _order(machine: object) -> dict[str, str]:
    """Return in which order groups stand on a wafer."""
    if isinstance(machine, Placed):
        return {"order": machine.order.value}
    return {"order": "snake, replicas together"} if isinstance(machine, Dies) else {}


def _tokens(it: Setting) -> float:
    return float(it.training.global_batch * it.training.seq_len)


def _peak(it: Setting) -> float:
    return it.machine.n_devices * it.machine.device_flops_per_s


def _of_balanced(it: Setting, best: Balanced) -> Trained:
    """Return the figures of a plan whose stages differ."""
    scheduled, run, capacity = best.scheduled, best.pipeline.result, it.machine.memory_bytes
    saved = np.array([stage.saved_bytes for stage in scheduled.stages])
    dropped = scheduled.options.dropped_bytes[scheduled.balance.option]
    room = np.array([stage.room_bytes for stage in scheduled.stages])
    held = capacity - room + scheduled.memory_bytes
    in_use = int(best.plans.devices[0]) / it.machine.n_devices
    names = [scheduled.options.names_of(option) for option in scheduled.balance.option.tolist()]
    changed = {"recompute": names, "layers": scheduled.layers.tolist()}
    return Trained(
        iteration_s=best.iteration_s,
        tokens_per_s=_tokens(it) / best.iteration_s,
        mfu=number(run.model_flops) / best.iteration_s / _peak(it),
        memory_utilization=float(held.mean()) / capacity * in_use,
        recomputed_share=float(np.average(dropped / saved, weights=scheduled.layers)),
        plan=plan_row(it.machine, best.plans) | _order(it.machine) | changed,
    )


def of_streamed(case: Case, way: Streamed) -> Trained:
    """Return the figures of weight streaming; its optimizer works outside."""
    seconds, plans = number(way.iteration_s), way.plans
    machine = Dies(case.wafer, None, case.wafers)
    dies = int(plans.devices[0]) * case.wafers / machine.n_devices
    return Trained(
        iteration_s=seconds,
        tokens_per_s=case.training.global_batch * case.training.seq_len / seconds,
        mfu=number(way.model_flops) / seconds / machine.n_devices / machine.device_flops_per_s,
        memory_utilization=number(way.memory_bytes) / machine.memory_bytes * dies,
        recomputed_share=number(way.recomputed_share),
        plan={
            "tp_shape": [int(plans.tp_rows[0]), int(plans.tp_cols[0])],
            "dp": int(plans.dp[0]),
            "microbatch": int(plans.microbatch[0]),
            "microbatches_a_pass": int(way.microbatches[0]),
            "passes": int(way.passes[0]),
            "recompute": Recompute(int(plans.recompute[0])).label,
        },
    )
