"""What balancing found, as JSON."""

from typing import Any

import numpy as np

from star_watos.watos.balance.run import Balanced, Comparison
from star_watos.watos.balance.schedule import stage_tables
from star_watos.watos.simulate import Simulation
from star_watos.watos.wafer import Wafer


def document(comparison: Comparison, simulation: Simulation) -> dict[str, Any]:
    """Return `balance` of the JSON: the balanced plan beside the best of one policy for all."""
    best, tokens = comparison.best, simulation.training.global_batch * simulation.training.seq_len
    seconds = comparison.uniform_s if best is None else best.iteration_s
    return {
        "iteration_s": seconds,
        "uniform_iteration_s": comparison.uniform_s,
        "tokens_per_s": tokens / seconds,
        "tried": comparison.tried,
        "plan": None if best is None else _plan(best),
        "slowest_stage_s": None if best is None else best.balance.slowest_s,
        "busiest_link_s": None if best is None else best.remote_s,
        "placement": [] if best is None else _placement(simulation, best),
        "placement_cost_over_snake": None if best is None else best.cost_over_snake,
        "stages": [] if best is None else _stages(best),
        "parked": [] if best is None else _parked(best),
    }


def _plan(best: Balanced) -> dict[str, Any]:
    plans = best.plans
    shape = [int(plans.tp_rows[0]), int(plans.tp_cols[0])]
    names = ("pp", "dp", "cp", "ep", "zero", "microbatch")
    degrees = {name: int(getattr(plans, name)[0]) for name in names}
    return {"tp": shape[0] * shape[1], "tp_shape": shape, **degrees, "sp": bool(plans.sp[0])}


def _placement(simulation: Simulation, best: Balanced) -> list[list[int]]:
    """Return row and column of each stage's first die."""
    wafer = simulation.hardware
    assert isinstance(wafer, Wafer)  # noqa: S101 (only wafers are balanced)
    return [list(divmod(node, wafer.grid.cols)) for node in best.nodes.tolist()]


def _stages(best: Balanced) -> list[dict[str, Any]]:
    """Return what each stage runs again, holds, and has others keep."""
    time_s, _ = stage_tables(best.stages, best.options)
    parked = best.balance.parked_bytes
    held = best.memory_bytes
    return [
        {
            "stage": index,
            "recompute": best.options.names_of(option),
            "seconds": float(time_s[index, option]),
            "recompute_s": float(time_s[index, option]) - stage.busy_s,
            "activation_bytes": float(held[index]),
            "room_bytes": stage.room_bytes,
            "sent_bytes": float(parked[index].sum()),
            "kept_for_others_bytes": float(parked[:, index].sum()),
        }
        for index, (stage, option) in enumerate(
            zip(best.stages, best.balance.option.tolist(), strict=True)
        )
    ]


def _parked(best: Balanced) -> list[dict[str, Any]]:
    """Return who keeps how much for whom, on each die."""
    parked = best.balance.parked_bytes
    return [
        {"from": int(sender), "to": int(helper), "bytes": float(parked[sender, helper])}
        for sender, helper in np.argwhere(parked > 0)
    ]
