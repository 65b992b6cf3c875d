"""One core, one workload: the best tiling, and everything there is to say about it."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from star_watos.cost import Column, Overflow
from star_watos.star.core import Core, Resources
from star_watos.star.pipeline import Latency, latency
from star_watos.star.silicon import CORE_BLOCKS, Energy, Units, area_mm2, energy
from star_watos.star.stages import Need, Stages, all_stages, buffer_needs
from star_watos.star.work import AttentionWork

MAX_TILES = 128
"""Key tiles tried are 1 to this many times the predictor's columns."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """A core's figures on a workload for one key tile, or for a column of them."""

    key_tile: Column
    fits: "bool | NDArray[np.bool_]"
    needs: tuple[Need, ...]
    stages: Stages
    """Of one layer of each group, [..., groups]; the rest is of all layers."""
    latency: Latency
    energy: Energy
    metrics: dict[str, Column]


def evaluate(core: Core, work: AttentionWork, key_tile: Column) -> Evaluation:
    """Evaluate `core` on `work` for a key tile of that many keys; the tile may be a column."""
    resources = Resources.of(core)
    tile = work.beside(key_tile)
    stages = all_stages(resources, work, tile)
    time = latency(resources, work, tile, stages)
    joules = energy(core, work, stages, time)
    needs = buffer_needs(resources, work, tile)
    fits = np.logical_and.reduce(
        np.broadcast_arrays(*(need.need_bytes <= need.have_bytes for need in needs))
    )
    metrics = _metrics(core, work, stages, time, joules)
    return Evaluation(key_tile, fits, needs, stages, time, joules, metrics)


def _metrics(
    core: Core, work: AttentionWork, stages: Stages, time: Latency, joules: Energy
) -> dict[str, Column]:
    area = sum(area_mm2(core).values())
    total_j = sum(joules.blocks_j.values())
    core_j = sum(joules.blocks_j[block] for block in CORE_BLOCKS)
    gops = work.dense_ops / time.total_s / 1e9
    ops = work.total(sum(s.ops for s in stages))
    mac_ops = work.total(stages.kv_generation.ops + stages.attention.ops)
    units = Units.of(core)
    peak = 2 * (units.kv_mac + units.sufa_mac) * core.frequency_hz
    return {
        "latency_s": time.total_s,
        "throughput_gops": gops,
        "raw_throughput_gops": ops / time.total_s / 1e9,
        "energy_j": total_j,
        "power_w": total_j / time.total_s,
        "core_power_w": core_j / time.total_s,
        "area_mm2": area,
        "energy_efficiency_gops_per_w": gops * time.total_s / total_j,
        "core_energy_efficiency_gops_per_w": gops * time.total_s / core_j,
        "area_efficiency_gops_per_mm2": gops / area,
        "dram_bytes": work.total(sum(s.traffic.dram for s in stages)),
        "utilization": mac_ops / (peak * time.total_s),
    }


def legal_tiles(core: Core, work: AttentionWork) -> NDArray[np.float64]:
    """Key tiles worth trying: whole multiples of the predictor's columns, up to the sequence."""
    columns = core.dlzs.columns
    most = max(1, min(MAX_TILES, -(-int(work.seq_len) // columns)))
    return np.arange(1, most + 1, dtype=np.float64) * columns


def simulate(core: Core, work: AttentionWork, key_tile: int | None = None) -> Evaluation | Overflow:
    """Return the figures at `key_tile`, or at the tile of least latency (then energy) that fits.

    What does not fit is returned as the `Overflow` of its worst need.
    """
    if key_tile is None:
        tiles = legal_tiles(core, work)
        column = evaluate(core, work, tiles)
        key_tile = int(tiles[_fastest(column)])
    chosen = evaluate(core, work, float(key_tile))
    if not chosen.fits:
        return worst(chosen.needs)
    return chosen


def _fastest(column: Evaluation) -> int:
    """Return the row of least latency, then energy, among those that fit; else the first."""
    keys = [column.metrics["energy_j"], column.metrics["latency_s"], np.logical_not(column.fits)]
    return int(np.lexsort([np.asarray(key) for key in keys])[0])


def worst(needs: tuple[Need, ...]) -> Overflow:
    """Return the need that exceeds what there is by most."""
    overflows = [Overflow(n.name, float(n.need_bytes), float(n.have_bytes), "B") for n in needs]
    return max(overflows, key=lambda o: o.excess)


def document(
    core: Core, workload: dict[str, Any], work: AttentionWork, result: Evaluation
) -> dict[str, Any]:
    """Return the JSON document `star-simulate/1` of a scalar evaluation."""
    time_s = float(result.latency.total_s)
    stages = {
        name: {
            "latency_s": float(result.latency.stage_s[name]),
            "energy_j": float(result.energy.stages_j[name]),
            "ops": float(work.total(stage.ops)),
            "dram_bytes": float(work.total(stage.traffic.dram)),
            "utilization": float(result.latency.stage_s[name]) / time_s,
        }
        for name, stage in zip(Stages._fields, result.stages, strict=True)
    }
    energy_j = {block: float(value) for block, value in result.energy.blocks_j.items()}
    return {
        "schema": "star-simulate/1",
        "design": core.model_dump(mode="json") | {"key_tile": int(result.key_tile)},
        "workload": workload,
        "metrics": {name: float(value) for name, value in result.metrics.items()},
        "stages": stages,
        "memory_s": {name: float(value) for name, value in result.latency.memory_s.items()},
        "area_mm2": {block: float(value) for block, value in area_mm2(core).items()},
        "power_w": {block: value / time_s for block, value in energy_j.items()},
        "energy_j": energy_j,
        "bound": result.latency.bound.value,  # type: ignore[union-attr]
    }
