"""What balancing found, as JSON."""

from typing import Any

import numpy as np

from star_watos.watos.balance.run import Balanced, Comparison
from star_watos.watos.simulate import Simulation


def document(comparison: Comparison, simulation: Simulation) -> dict[str, Any]:
    """Return `balance` of the JSON: the balanced plan beside the best of one policy for all."""
    best, tokens = comparison.best, simulation.training.global_batch * simulation.training.seq_len
    seconds = comparison.uniform_s if best is None else best.iteration_s
    return {
        "iteration_s": seconds,
        "uniform_iteration_s": comparison.uniform_s if np.isfinite(comparison.uniform_s) else None,
        "tokens_per_s": tokens / seconds,
        "tried": comparison.tried,
        "plan": None if best is None else _plan(best),
        "slowest_stage_s": None if best is None else best.scheduled.balance.slowest_s,
        "busiest_link_s": None if best is None else best.remote_s,
        "placement": [] if best is None else _placement(best),
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


def _placement(best: Balanced) -> list[list[int]]:
    """Return row and column of each stage's first die, the same on each wafer."""
    layout = best.layout
    return [list(divmod(die, layout.mesh.cols)) for die in layout.dies[:, 0, 0].tolist()]


def _stages(best: Balanced) -> list[dict[str, Any]]:
    """Return what each stage runs again, holds, and has others keep."""
    it = best.scheduled
    columns = (it.stages, it.layers.tolist(), it.balance.time_s.tolist(), it.memory_bytes.tolist())
    parked, options = it.balance.parked_bytes, it.balance.option.tolist()
    return [
        {
            "stage": index,
            "layers": layers,
            "recompute": it.options.names_of(options[index]),
            "seconds": seconds,
            "recompute_s": seconds - stage.busy_s,
            "activation_bytes": held,
            "room_bytes": stage.room_bytes,
            "sent_bytes": float(parked[index].sum()),
            "kept_for_others_bytes": float(parked[:, index].sum()),
        }
        for index, (stage, layers, seconds, held) in enumerate(zip(*columns, strict=True))
    ]


def _parked(best: Balanced) -> list[dict[str, Any]]:
    """Return who keeps how much for whom, on each die."""
    parked = best.scheduled.balance.parked_bytes
    return [
        {"from": int(sender), "to": int(helper), "bytes": float(parked[sender, helper])}
        for sender, helper in np.argwhere(parked > 0)
    ]
