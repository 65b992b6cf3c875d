"""One wafer, one workload: the best plan that is legal and fits, and all about it."""

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from star_watos.cost import Column, Overflow
from star_watos.spec import InputError
from star_watos.watos.iteration import Iterations, evaluate, memory_bytes, total
from star_watos.watos.memory import every_stage, stage_params
from star_watos.watos.placement import stage_places
from star_watos.watos.plans import Plans, Recompute, legal_plans
from star_watos.watos.silicon import area_mm2, area_overflow, cost_usd, die_yield
from star_watos.watos.training import Training
from star_watos.watos.wafer import Wafer
from star_watos.workload import Model


@dataclass(frozen=True, slots=True)
class Simulation:
    """The chosen plan's iteration (columns of length one) and what it was chosen from."""

    wafer: Wafer
    model: Model
    training: Training
    iteration: Iterations
    n_legal: int
    n_feasible: int


def metrics(wafer: Wafer, training: Training, result: Iterations) -> dict[str, Column]:
    """Return the figures by which plans are compared, one row a plan."""
    iteration_s = result.iteration_s
    tokens = float(training.global_batch * training.seq_len)
    energy = total(result.energy_j)
    return {
        "iteration_s": iteration_s,
        "tokens_per_s": tokens / iteration_s,
        "flops_per_s_per_die": result.model_flops / iteration_s / wafer.n_dies,
        "mfu": result.model_flops / iteration_s / wafer.peak_flops_per_s,
        "hfu": result.hardware_flops / iteration_s / wafer.peak_flops_per_s,
        "memory_per_die_bytes": result.memory_bytes,
        "energy_per_token_j": energy / tokens,
        "power_w": energy / iteration_s,
    }


def wafer_metrics(wafer: Wafer) -> dict[str, float]:
    """Return the figures that depend on the wafer alone."""
    return {
        "memory_capacity_bytes": wafer.dram.capacity_bytes,
        "area_mm2": sum(area_mm2(wafer).values()),
        "wafer_cost_usd": cost_usd(wafer),
        "yield": die_yield(wafer),
    }


def wafer_overflow(wafer: Wafer) -> Overflow | None:
    """Return what of the wafer itself does not fit, the worse of edges and area, if anything."""
    found = [o for o in (wafer.edge_overflow(), area_overflow(wafer)) if o]
    return max(found, key=lambda o: o.excess, default=None)


def simulate(
    wafer: Wafer, model: Model, training: Training, wanted: dict[str, int]
) -> Simulation | Overflow:
    """Return the fastest plan (then the one of least energy) that has the `wanted` degrees.

    `wanted` maps names of `Plans`' columns, or `tp`, to values. What does not fit, the wafer or
    every plan's memory, is returned as an `Overflow`. Raises `InputError` if no plan is legal.
    """
    overflow = wafer_overflow(wafer)
    if overflow:
        return overflow
    plans = matching(legal_plans(model, wafer.grid, training.global_batch), wanted)
    result = evaluate(wafer, model, training, plans)
    fits = np.asarray(result.memory_bytes <= wafer.dram.capacity_bytes)
    if not fits.any():
        least = float(np.min(result.memory_bytes))
        return Overflow("memory of the fullest die", least, wafer.dram.capacity_bytes, "B")
    columns = (total(result.energy_j), result.iteration_s, np.logical_not(fits))
    best = plans.take(np.lexsort([np.asarray(column) for column in columns])[:1])
    chosen = evaluate(wafer, model, training, best)
    return Simulation(wafer, model, training, chosen, len(plans), int(fits.sum()))


def matching(plans: Plans, wanted: dict[str, int]) -> Plans:
    """Return the plans that have every wanted value; raises `InputError` naming what is possible.

    Wishes are applied one after the other, so the message names the first that cannot be met
    beside those before it.
    """
    rows: NDArray[np.bool_] = np.ones(len(plans), dtype=bool)
    for name, value in wanted.items():
        column = getattr(plans, name)
        here = rows & (column == value)
        if not here.any():
            possible = np.unique(column[rows])[:20].tolist()
            legal = ", ".join(_wish(name, number)[1] for number in possible)
            text = f"no legal plan of this wafer has it; possible: {legal}"
            raise InputError.of(" ".join(_wish(name, value)).strip(), text)
        rows = here
    return plans.take(rows)


def _wish(name: str, value: int) -> tuple[str, str]:
    """Return the option for a value of a column, and the value, as users write them."""
    match name:
        case "tp_rows":
            return "--tp-shape", f"{value}x?"
        case "tp_cols":
            return "--tp-shape", f"?x{value}"
        case "sp":
            return "", "--sp" if value else "--no-sp"
        case _:
            return f"--{name.replace('_', '-')}", str(value)


def document(result: Simulation) -> dict[str, Any]:
    """Return the JSON document `watos-simulate/1`."""
    wafer, training, iteration = result.wafer, result.training, result.iteration
    stages = stage_rows(result)
    mean = sum(s["memory_bytes"] for s in stages) / len(stages) * int(iteration.plans.dies[0])
    figures = _floats(metrics(wafer, training, iteration))
    used = mean / (wafer.n_dies * wafer.dram.capacity_bytes)
    return {
        "schema": "watos-simulate/1",
        "wafer": wafer.model_dump(mode="json"),
        "workload": training.model_dump(mode="json") | {"model": result.model.name},
        "plan": plan_row(result),
        "plans": {"legal": result.n_legal, "feasible": result.n_feasible},
        "metrics": figures | wafer_metrics(wafer) | {"dram_utilization": used},
        "time_s": _floats(iteration.time_s),
        "energy_j": _floats(iteration.energy_j),
        "area_mm2": area_mm2(wafer),
        "stages": stages,
        "bound": iteration.bound[0].value,
    }


def _floats(columns: dict[str, Column]) -> dict[str, float]:
    return {name: float(np.asarray(column).item()) for name, column in columns.items()}


def plan_row(result: Simulation) -> dict[str, Any]:
    """Return the plan as the contract of the JSON document names it."""
    plans = result.iteration.plans
    row = {f.name: int(getattr(plans, f.name)[0]) for f in fields(plans)}
    shape = (row["tp_rows"], row["tp_cols"])
    return {
        "tp": shape[0] * shape[1],
        "tp_shape": list(shape),
        "pp": row["pp"],
        "dp": row["dp"],
        "sp": bool(row["sp"]),
        "ep": 1,
        "zero": row["zero"],
        "microbatch": row["microbatch"],
        "schedule": "1f1b",
        "recompute": [Recompute(row["recompute"]).name.lower()] * row["pp"],
        "placement": [
            list(p) for p in stage_places(result.wafer.grid, shape, row["pp"], row["dp"])
        ],
    }


def stage_rows(result: Simulation) -> list[dict[str, Any]]:
    """Return one entry a pipeline stage: layers, seconds per microbatch, memory."""
    iteration = result.iteration
    plans, layer = iteration.plans, iteration.layer
    stage = every_stage(result.model, int(plans.pp[0]))
    params = stage_params(result.model, stage, plans.tp, layer.params)
    held = memory_bytes(plans, layer, iteration.n_microbatches, stage, params)
    again = layer.recompute.time_s
    forward = stage.layers * (layer.forward.time_s + layer.comm.time_s / 2)
    backward = stage.layers * (layer.backward.time_s + again + layer.comm.time_s / 2)
    share = stage.layers * again / (forward + backward)
    columns = np.broadcast_arrays(stage.layers, forward, backward, held, share)
    return [
        {
            "stage": index,
            "layers": int(layers),
            "forward_s": float(forward_s),
            "backward_s": float(backward_s),
            "memory_bytes": float(bytes_),
            "recompute_share": float(part),
        }
        for index, (layers, forward_s, backward_s, bytes_, part) in enumerate(
            zip(*columns, strict=True)
        )
    ]
