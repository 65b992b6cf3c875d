"""The cross-stage tile pipeline: how long a layer takes, and what bounds it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from star_watos.cost import Bound, Column, largest
from star_watos.star.core import Resources
from star_watos.star.stages import Stages, all_stages, visits
from star_watos.star.work import AttentionWork


@dataclass(frozen=True, slots=True)
class Latency:
    """Seconds of all layers, with the terms behind them."""

    total_s: Column
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
        for name in ("token", "weight", "temp")
    }
    seconds: dict[str, Column] = {
        name: total / getattr(core, name).width_bytes / core.frequency_hz
        for name, total in totals.items()
    }
    return seconds | {"dram": sum(s.traffic.dram for s in stages) / core.dram_bytes_per_s}


def latency(core: Resources, work: AttentionWork, key_tile: Column) -> Latency:
    """Time of all layers when the tiles of a layer stream through the stages.

    With n tile visits of equal share, stage times T_i of a layer and shares t_i = T_i / n, a linear
    pipeline takes sum(t_i) + (n - 1) max(t_i): one tile through every stage, then the slowest
    resource sets the pace. Loads from DRAM come first and take part like a stage; SRAM ports only
    limit the pace. Layers follow one another.
    """
    stages = all_stages(core, work, key_tile)
    busy = {
        name: stage.cycles / core.frequency_hz
        for name, stage in zip(Stages._fields, stages, strict=True)
    }
    memory = memory_seconds(core, stages)
    n = visits(core, work, key_tile)
    fill = (sum(busy.values()) + memory["dram"]) / n
    slowest = np.max(np.stack(np.broadcast_arrays(*busy.values(), *memory.values())), axis=0)
    layer_s = fill + (n - 1) / n * slowest
    return Latency(
        total_s=layer_s * work.n_layers,
        stage_s={name: t * work.n_layers for name, t in busy.items()},
        memory_s={name: t * work.n_layers for name, t in memory.items()},
        bound=largest(_by_resource(busy, memory)),
    )


def _by_resource(busy: dict[str, Column], memory: dict[str, Column]) -> dict[Bound, Column]:
    ports: Column = np.max(
        np.stack(np.broadcast_arrays(memory["token"], memory["weight"], memory["temp"])), axis=0
    )
    return {
        Bound.COMPUTE: np.maximum(busy["kv_generation"], busy["attention"]),
        Bound.PREDICT: busy["predict"],
        Bound.SORT: busy["sort"],
        Bound.SRAM: ports,
        Bound.DRAM: memory["dram"],
    }
