"""What `star simulate --mesh` says, as a JSON document."""

from dataclasses import replace
from typing import Any

import numpy as np

from star_watos.star.document import document
from star_watos.star.run import TaskRun
from star_watos.star.spatial.run import MeshTaskRun
from star_watos.star.spatial.simulate import MeshRun


def mesh_document(task: MeshTaskRun) -> dict[str, Any]:
    """Return `star-simulate/1` of a mesh: all cores together, energies of links included."""
    run, n = task.run, task.run.alone.n_cores
    evaluation = run.evaluation
    latency_s = float(evaluation.latency.total_s)
    one = document(
        TaskRun(task.core, evaluation.layer.work, task.workload, evaluation, [], [], latency_s)
    )
    energy_j = _energy(run, one["energy_j"])
    area_mm2 = {block: n * area for block, area in one["area_mm2"].items()}
    return one | {
        "mesh": _mesh(run),
        "metrics": one["metrics"] | mesh_metrics(run),
        "stages": {name: _of_a_core(stage, n) for name, stage in one["stages"].items()},
        "memory_s": {name: seconds / n for name, seconds in _memory(run, one).items()},
        "area_mm2": area_mm2,
        "power_w": {block: joules / run.latency_s for block, joules in energy_j.items()},
        "energy_j": energy_j,
        "bound": run.bound.value,
        "event": _event(run),
        "sensitivity": [_change(name, other, run) for name, other in task.twice.items()],
    }


def mesh_metrics(run: MeshRun) -> dict[str, float]:
    """Return the metrics of all cores together."""
    one, n = run.evaluation.metrics, run.alone.n_cores
    added_j = run.noc_energy_j + run.stored_energy_j
    energy_j, latency_s = float(one["energy_j"]) + added_j, run.latency_s
    area, gops = n * float(one["area_mm2"]), n * float(one["throughput_gops"])
    core_power_w = n * float(one["core_power_w"]) + run.noc_energy_j / latency_s
    return {
        "latency_s": latency_s,
        "throughput_gops": gops,
        "raw_throughput_gops": n * float(one["raw_throughput_gops"]),
        "energy_j": energy_j,
        "power_w": energy_j / latency_s,
        "core_power_w": core_power_w,
        "area_mm2": area,
        "energy_efficiency_gops_per_w": gops * latency_s / energy_j,
        "core_energy_efficiency_gops_per_w": gops / core_power_w,
        "area_efficiency_gops_per_mm2": gops / area,
        "dram_bytes": run.dram_bytes,
        "utilization": float(one["utilization"]),
        "noc_bytes": run.byte_hops,
        "noc_exposed_s": run.exposed_s,
    }


def _mesh(run: MeshRun) -> dict[str, Any]:
    """Return what is of the mesh alone."""
    it, total = run.alone, run.alone.total
    ideal_s = float(it.result.latency.total_s) / it.n_cores
    moved, all_rows = total(run.trip.byte_hops), total(run.trip.all_rows_byte_hops)
    return {
        "rows": it.rows,
        "cols": it.cols,
        **run.spread.names(),
        "overlap": run.spread.overlap,
        "noc": it.noc.model_dump(mode="json"),
        "dram_bytes_per_s_per_core": it.ports.bytes_per_s,
        "ideal_s": ideal_s,
        "efficiency": ideal_s / run.latency_s,
        "busiest_core": run.trip.busiest_core,
        "busiest_link_s": run.link_s,
        "without_links_s": run.still_s,
        "index_share": total(run.trip.index_byte_hops) / moved if moved else 0.0,
        "rows_saved_share": 1 - moved / all_rows if all_rows else 0.0,
    }


def _event(run: MeshRun) -> dict[str, float] | None:
    """Return what the event simulation found beside the formulas, if it was run."""
    if run.events_s is None:
        return None
    analytic_s = replace(run, events_s=None).latency_s
    return {
        "latency_s": run.latency_s,
        "analytic_latency_s": analytic_s,
        "analytic_gap_pct": 100 * (analytic_s / run.latency_s - 1),
    }


def _energy(run: MeshRun, blocks: dict[str, float]) -> dict[str, float]:
    costs = run.alone.result.layer.core.costs
    device, interface = (
        float(np.mean(each)) for each in (costs.dram_j_per_byte, costs.interface_j_per_byte)
    )
    stored = run.stored_energy_j
    added = {
        "interface": blocks["interface"] + stored * interface / (device + interface),
        "dram": blocks["dram"] + stored * device / (device + interface),
    }
    return blocks | added | {"noc": run.noc_energy_j}


def _memory(run: MeshRun, one: dict[str, Any]) -> dict[str, float]:
    seconds: dict[str, float] = one["memory_s"]
    stored = run.alone.total(run.trip.stored_bytes) / float(one["metrics"]["dram_bytes"])
    return seconds | {"dram": seconds["dram"] * (1 + stored)}


def _of_a_core(stage: dict[str, float], n: int) -> dict[str, float]:
    """Return a stage whose times are those of a core; energy, work and traffic are of all."""
    return stage | {"latency_s": stage["latency_s"] / n, "stall_s": stage["stall_s"] / n}


def _change(name: str, other: MeshRun, run: MeshRun) -> dict[str, Any]:
    """Return what twice a resource does, as factors."""
    before, after = mesh_metrics(run), mesh_metrics(other)
    return {
        "resource": name,
        "latency": after["latency_s"] / before["latency_s"],
        "energy": after["energy_j"] / before["energy_j"],
        "area": after["area_mm2"] / before["area_mm2"],
    }
