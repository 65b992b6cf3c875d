"""The JSON document of `watos simulate`."""

from dataclasses import fields
from typing import Any

import numpy as np

from star_watos.cost import Column
from star_watos.watos.dies import Dies
from star_watos.watos.machine import Machine
from star_watos.watos.memory import memory_bytes
from star_watos.watos.outside import kernels_outside
from star_watos.watos.pipeline import stage_passes
from star_watos.watos.plans import Plans, Recompute, Schedule
from star_watos.watos.schedule import stage_times
from star_watos.watos.silicon import (
    area_mm2,
    edges,
    good_wafer_cost_usd,
    power_at_peak_w,
    site_mm,
    sites_that_fit,
    wafer_yield,
)
from star_watos.watos.simulate import Simulation, metrics, wafer_metrics
from star_watos.watos.stages import every_stage, stage_params
from star_watos.watos.switched import Switched
from star_watos.watos.wafer import Wafer

SILICON = ("power_at_peak_w", "power_limit_w", "wafer_yield", "good_wafer_cost_usd")
"""Metrics of the wafer alone that are not for sweeps."""


def document(result: Simulation) -> dict[str, Any]:
    """Return the JSON document `watos-simulate/1`; a cluster has neither area nor price."""
    training, iteration, machine = result.training, result.iteration, result.machine
    hardware = result.hardware
    stages = stage_rows(result)
    mean = sum(s["memory_bytes"] for s in stages) / len(stages) * int(iteration.plans.devices[0])
    figures = _floats(metrics(machine, training, iteration))
    used = mean / (machine.n_devices * machine.memory_bytes)
    own: dict[str, Any] = {"memory_capacity_bytes": machine.memory_bytes}
    own |= dict.fromkeys(("area_mm2", "wafer_cost_usd", "yield", *SILICON))
    power = power_at_peak_w(hardware) if isinstance(hardware, Wafer) else None
    return {
        "schema": "watos-simulate/1",
        "wafer": hardware.model_dump(mode="json"),
        "workload": training.model_dump(mode="json") | {"model": result.model.name},
        "plan": plan_row(machine, iteration.plans),
        "plans": {"legal": result.n_legal, "feasible": result.n_feasible},
        "metrics": figures
        | (silicon_metrics(hardware) if isinstance(hardware, Wafer) else own)
        | {"devices": machine.n_devices, "dram_utilization": used},
        "time_s": _floats(iteration.time_s),
        "energy_j": _floats(iteration.energy_j),
        "area_mm2": area_mm2(hardware) if isinstance(hardware, Wafer) else None,
        "power_at_peak_w": power,
        "geometry": geometry(hardware) if isinstance(hardware, Wafer) else None,
        "stages": stages,
        "event": None if result.event_s is None else {"iteration_s": result.event_s},
        "outside_table": not_measured(result),
        "bound": iteration.bound[0].value,
    }


def silicon_metrics(wafer: Wafer) -> dict[str, float | None]:
    """Return the figures of the wafer alone, those that a sweep has and `SILICON`."""
    more = (
        sum(power_at_peak_w(wafer).values()),
        wafer.power_limit_w,
        wafer_yield(wafer),
        good_wafer_cost_usd(wafer),
    )
    return {**wafer_metrics(wafer), **dict(zip(SILICON, more, strict=True))}


def geometry(wafer: Wafer) -> dict[str, Any]:
    """Return the sites of dies and what is taken and left of each edge of a die, in mm."""
    return {
        "site_mm": list(site_mm(wafer)),
        "sites_that_fit": sites_that_fit(wafer),
        "edges": {
            edge.name: {
                "length_mm": edge.length_mm,
                "d2d_mm": edge.d2d_mm,
                "dram_mm": edge.dram_mm,
                "left_mm": edge.left_mm,
            }
            for edge in edges(wafer)
        },
    }


def not_measured(result: Simulation) -> list[str]:
    """Return the products of the plan that lie outside of the GPU's measured table."""
    if isinstance(result.hardware, Wafer):
        return []
    plans = result.iteration.plans
    found = kernels_outside(result.hardware, result.model, result.training, plans)
    return [name for name, outside in found.items() if outside.any()]


def _floats(columns: dict[str, Column]) -> dict[str, float]:
    return {name: float(np.asarray(column).item()) for name, column in columns.items()}


def plan_row(machine: Machine, plans: Plans) -> dict[str, Any]:
    """Return one plan as the contract of the JSON document names it."""
    row = {f.name: int(getattr(plans, f.name)[0]) for f in fields(plans)}
    shape = (row["tp_rows"], row["tp_cols"])
    return {
        "tp": shape[0] * shape[1],
        "tp_shape": list(shape),
        **{name: row[name] for name in ("pp", "dp", "cp")},
        "sp": bool(row["sp"]),
        **{name: row[name] for name in ("ep", "zero", "microbatch")},
        "schedule": Schedule(row["schedule"]).label,
        "virtual_stages": row["virtual_stages"],
        "recompute": [Recompute(row["recompute"]).label] * row["pp"],
        "placement": _places(machine, plans),
    }


def _places(machine: Machine, plans: Plans) -> list[list[int]]:
    """Return row and column of each stage's first die, or node and place of its first GPU.

    Wafers stand side by side.
    """
    if isinstance(machine, Dies):
        cols, first = machine.wafer.grid.cols, machine.layout(plans).dies[:, 0, 0]
        here = np.stack(np.divmod(first, cols), axis=-1)
        every = [here + np.array([0, wafer * cols]) for wafer in range(machine.wafers)]
        places: list[list[int]] = np.concatenate(every).tolist()
        return places
    assert isinstance(machine, Switched)  # noqa: S101 (the other kind of machine)
    per_node = machine.cluster.network.gpus_per_node
    step = int(plans.tp[0] * plans.replicas[0])
    return [list(divmod(stage * step, per_node)) for stage in range(int(plans.pp[0]))]


def stage_rows(result: Simulation) -> list[dict[str, Any]]:
    """Return one entry a pipeline stage: layers, seconds per microbatch, memory."""
    iteration, training = result.iteration, result.training
    plans = iteration.plans
    stage = every_stage(result.model, int(plans.pp[0]), int(plans.virtual_stages[0]))
    layer = iteration.layer.mixed(stage.bottom, stage.layers)
    params = stage_params(result.model, stage, plans.tp, layer)
    held = memory_bytes(training, plans, layer, iteration.n_microbatches, stage, params)
    passes, times = stage_passes(layer, stage), stage_times(layer, stage)
    share = times.recompute / times.all
    columns = np.broadcast_arrays(stage.layers, passes.forward_s, passes.backward_s, held, share)
    return [
        {
            "stage": index,
            "layers": int(layers),
            "forward_s": float(forward_s),
            "backward_s": float(backward_s),
            "memory_bytes": float(bytes_),
            "recompute_share": float(again),
        }
        for index, (layers, forward_s, backward_s, bytes_, again) in enumerate(
            zip(*columns, strict=True)
        )
    ]
