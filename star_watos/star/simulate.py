"""One core, one workload: the best tiling, and everything there is to say about it."""

from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from numpy.typing import NDArray

from star_watos.cost import Column, Overflow
from star_watos.star.core import Core
from star_watos.star.dataflow import STAR, Dataflow, Tile
from star_watos.star.fit import Need, all_fit, buffer_needs, layer_needs
from star_watos.star.layer import Layer
from star_watos.star.pipeline import Latency, latency
from star_watos.star.resources import Resources
from star_watos.star.silicon import CORE_BLOCKS, Energy, area_mm2, energy
from star_watos.star.stages import Stages, all_stages
from star_watos.star.work import AttentionWork

MAX_TILES = 128
"""Key tiles tried are 1 to this many times the predictor's columns."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """A core's figures on a workload, for one design and tile or for columns of them."""

    layer: Layer
    fits: "bool | NDArray[np.bool_]"
    needs: tuple[Need, ...]
    stages: Stages
    """Of one layer of each group, [..., groups]; the rest is of all layers."""
    latency: Latency
    energy: Energy
    areas_mm2: dict[str, Column]
    metrics: dict[str, Column]

    def at(self, time: Latency) -> "Evaluation":
        """Return the same work as it takes `time`: what idles longer takes more energy."""
        joules = energy(self.layer, self.stages, time)
        metrics = _metrics(self.layer, self.stages, time, joules, self.areas_mm2)
        return replace(self, latency=time, energy=joules, metrics=metrics)

    def by_layer(self) -> dict[str, Column]:
        """Return what adds up over layers, of all layers of each group: [..., groups].

        Every metric but the area follows from these sums. So a tile can be chosen for each layer
        without evaluating their combinations.
        """
        blocks = self.energy.layer_j
        each = {
            "energy_j": sum(blocks.values()),
            "core_energy_j": sum(blocks[block] for block in CORE_BLOCKS),
            "dram_bytes": sum(s.moved_bytes for s in self.stages),
            "ops": sum(s.ops for s in self.stages),
            "mac_ops": self.stages.kv_generation.ops + self.stages.attention.ops,
        }
        counted = {name: value * self.layer.work.n_layers for name, value in each.items()}
        return {"latency_s": self.latency.group_s, **counted}

    def fits_by_layer(self) -> "bool | NDArray[np.bool_]":
        """Whether the tile fits in a layer of each group, [..., groups]."""
        return all_fit(layer_needs(self.layer))


def evaluate(core: Resources, work: AttentionWork, tile: Tile, flow: Dataflow = STAR) -> Evaluation:
    """Evaluate designs on `work`; numbers and columns of equal length serve alike."""
    _keep_freed_memory()
    layer = Layer.of(core, work, tile, flow)
    stages = all_stages(layer)
    time = latency(layer, stages)
    joules, areas = energy(layer, stages, time), area_mm2(core, flow)
    needs = buffer_needs(layer)
    metrics = _metrics(layer, stages, time, joules, areas)
    return Evaluation(layer, all_fit(needs), needs, stages, time, joules, areas, metrics)


@cache
def _keep_freed_memory() -> None:
    """Let the C library keep what columns free, instead of giving it back page by page.

    glibc raises the size from which on it asks the system for each block to that of the largest
    block freed, 32 MiB at most; without this half of the time of a column goes into page faults.
    """
    np.empty(2**25 - 2**16, dtype=np.uint8)


def _metrics(
    layer: Layer, stages: Stages, time: Latency, joules: Energy, areas: dict[str, Column]
) -> dict[str, Column]:
    core, work, area = layer.design, layer.work, sum(areas.values())
    total_j = sum(joules.blocks_j.values())
    core_j = sum(joules.blocks_j[block] for block in CORE_BLOCKS)
    gops = work.dense_ops / time.total_s / 1e9
    ops = work.total(sum(s.ops for s in stages))
    mac_ops = work.total(stages.kv_generation.ops + stages.attention.ops)
    peak = 2 * core.queries * (core.kv_columns + core.sufa_columns) * core.frequency_hz
    moved = sum(s.moved_bytes for s in stages)
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
        "dram_bytes": work.total(moved),
        "utilization": mac_ops / (peak * time.total_s),
    }


def legal_tiles(core: Core, work: AttentionWork, keys: int | None = None) -> Tile:
    """Tiles worth trying, as columns.

    Of `keys`, or of all whole multiples of the predictor's columns up to the sequence, each with
    every number of query heads that divides those of a K/V head.
    """
    columns = core.dlzs.columns
    most = max(1, min(MAX_TILES, -(-int(np.max(work.seq_len)) // columns)))
    widths = np.arange(1, most + 1, dtype=np.float64) * columns if keys is None else [float(keys)]
    group = int(work.n_heads // work.n_kv_heads)
    together = [float(h) for h in range(1, group + 1) if group % h == 0]
    return Tile(np.tile(widths, len(together)), np.repeat(together, len(widths)))


def simulate(
    core: Core, work: AttentionWork, key_tile: Tile | int | None = None, flow: Dataflow = STAR
) -> Evaluation | Overflow:
    """Return the figures of the tile of least latency, then energy, that fits.

    The tile is the one that is told, or of `key_tile` keys, or of any legal number of them.
    What does not fit is returned as the `Overflow` of its worst need.
    """
    tile = key_tile if isinstance(key_tile, Tile) else _best_tile(core, work, key_tile, flow)
    chosen = evaluate(Resources.of(core), work, tile, flow)
    if not chosen.fits:
        return worst(chosen.needs)
    return chosen


def _best_tile(core: Core, work: AttentionWork, keys: int | None, flow: Dataflow) -> Tile:
    """Return the tile of least latency, then energy; where none fits, that which nearly does."""
    tiles = legal_tiles(core, work, keys)
    column = evaluate(Resources.of(core), work, tiles, flow)
    best = fastest(column) if np.any(column.fits) else _nearest(column)
    return Tile(float(np.asarray(tiles.keys)[best]), float(np.asarray(tiles.heads)[best]))


def fastest(column: Evaluation, rows: NDArray[np.intp] | None = None) -> int:
    """Return which of `rows` has the least latency, then energy, among those that fit."""
    keys = (column.metrics["energy_j"], column.metrics["latency_s"], np.logical_not(column.fits))
    taken = [np.asarray(key) if rows is None else np.asarray(key)[rows] for key in keys]
    return int(np.lexsort(taken)[0])


def _nearest(column: Evaluation) -> int:
    """Return the row whose worst need exceeds what there is by least."""
    excess = [np.asarray(need.need_bytes / need.have_bytes) for need in column.needs]
    return int(np.argmin(np.max(np.stack(np.broadcast_arrays(*excess)), axis=0)))


def worst(needs: tuple[Need, ...]) -> Overflow:
    """Return the need that exceeds what there is by most."""
    overflows = [Overflow(n.name, float(n.need_bytes), float(n.have_bytes), "B") for n in needs]
    return max(overflows, key=lambda o: o.excess)
