"""The cross-stage tile pipeline: how long a layer takes, and what bounds it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from star_watos.cost import Bound, Column, largest
from star_watos.star.core import Resources
from star_watos.star.stages import SRAM_NAMES, Stages, key_tiles
from star_watos.star.work import AttentionWork


@dataclass(frozen=True, slots=True)
class Latency:
    """Seconds of all layers, with the terms behind them."""

    total_s: Column
    group_s: Column
    """Of which each group of equal layers, [..., groups]."""
    stage_s: dict[str, Column]
    """Busy time of each stage's array."""
    memory_s: dict[str, Column]
    """Time that each SRAM's ports and the DRAM are busy."""
    bound: "Bound | NDArray[np.object_]"


def memory_seconds(core: Resources, stages: Stages) -> dict[str, Column]:
    """Seconds of one layer at each memory, its bytes over its bandwidth."""
    totals = {
        name: sum(
            (getattr(s.traffic, f"{name}_read") + getattr(s.traffic, f"{name}_write"))
            for s in stages
        )
        for name in SRAM_NAMES
    }
    seconds: dict[str, Column] = {
        name: total / getattr(core, name).width_bytes / core.frequency_hz
        for name, total in totals.items()
    }
    return seconds | {"dram": sum(s.traffic.dram for s in stages) / core.dram_bytes_per_s}


def latency(core: Resources, work: AttentionWork, key_tile: Column, stages: Stages) -> Latency:
    """Time of all layers when the tiles of a layer stream through the stages.

    A stage or memory with time T in a layer spends f of it on the first tile. A pipeline takes
    sum(f) + max(T - f): one tile through every stage, then the slowest resource sets the pace.
    DRAM comes first and takes part like a stage, loading what the first key tile needs; an SRAM's
    ports work beside the stages and only limit the pace. Layers follow one another.
    """
    memory = memory_seconds(core, stages)
    tiles = key_tiles(work, key_tile)
    busy = {name: getattr(stages, name).cycles / core.frequency_hz for name in Stages._fields}
    first = {
        name: getattr(stages, name).first_cycles / core.frequency_hz for name in Stages._fields
    } | {name: time / tiles for name, time in memory.items()}
    rest = [time - first[name] for name, time in (busy | memory).items()]
    fill = sum(first[name] for name in (*Stages._fields, "dram"))
    layer_s = fill + np.max(np.stack(np.broadcast_arrays(*rest)), axis=0)
    stage_s = {name: work.total(t) for name, t in busy.items()}
    memory_s = {name: work.total(t) for name, t in memory.items()}
    return Latency(
        total_s=work.total(layer_s),
        group_s=layer_s * work.n_layers,
        stage_s=stage_s,
        memory_s=memory_s,
        bound=largest(_by_resource(stage_s, memory_s)),
    )


def _by_resource(busy: dict[str, Column], memory: dict[str, Column]) -> dict[Bound, Column]:
    each = np.broadcast_arrays(*(memory[name] for name in SRAM_NAMES))
    ports: Column = np.max(np.stack(each), axis=0)
    return {
        Bound.COMPUTE: np.maximum(busy["kv_generation"], busy["attention"]),
        Bound.PREDICT: busy["predict"],
        Bound.SORT: busy["sort"],
        Bound.SRAM: ports,
        Bound.DRAM: memory["dram"],
    }
