"""The tile pipeline across the stages: how long a layer takes, and what bounds it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from star_watos.cost import Bound, Column, largest
from star_watos.star.fit import batch_tokens
from star_watos.star.layer import Layer
from star_watos.star.ports import port_seconds, slowdowns
from star_watos.star.stages import SRAM_NAMES, Stages
from star_watos.star.stages.stage import over_layer


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

    def of(self, total_s: float) -> "Latency":
        """Return the same with another total, in which each group has its share."""
        group_s = self.group_s * (total_s / self.total_s)
        return replace(self, total_s=total_s, group_s=group_s)


class Step(NamedTuple):
    """A stage on a stretch of query tiles: its work, and that of the first visit and the last."""

    work_s: Column
    first_s: Column
    """From the start of the stretch to when the next stage can start."""
    last_s: Column
    """From when the stage before ends to the end."""


def makespan(stretches: Sequence[tuple[Column, Sequence[Step]]]) -> Column:
    """Seconds that stages in a row take for stretches of visits, each (weight, steps).

    A stage starts a stretch when it is done with the one before and the stage before it has passed
    on its first visit; it ends no sooner than its own last visit after the stage before:

        begin = max(own end, begin' + first')      end = max(begin + work, end' + last)

    Stretches of no weight are skipped. Two stages of 3 s and 2 s a visit, four visits: 3 * 4 + 2.

    >>> float(makespan([(1.0, (Step(12.0, 3.0, 3.0), Step(8.0, 2.0, 2.0)))]))
    14.0
    """
    ends: list[Column] = [0.0] * len(stretches[0][1])
    for weight, steps in stretches:
        there = np.asarray(weight) > 0
        if not np.any(there):
            continue
        everywhere = bool(np.all(there))
        passed: Column = 0.0
        ended: Column = 0.0
        for s, step in enumerate(steps):
            begin = np.maximum(ends[s], passed)
            end = np.maximum(begin + step.work_s, ended + step.last_s)
            ends[s] = end if everywhere else np.where(there, end, ends[s])
            passed, ended = begin + step.first_s, end
    return ends[-1]


def memory_seconds(layer: Layer, stages: Stages) -> dict[str, Column]:
    """Seconds of one layer at each memory: bytes over bandwidth, and the DRAM's transfers."""
    ports = port_seconds(layer, stages)
    seconds: dict[str, Column] = {name: sum(ports[name].values()) for name in SRAM_NAMES}
    return seconds | {"dram": over_layer(layer, sum(s.dram.seconds for s in stages))}


def latency(layer: Layer, stages: Stages) -> Latency:
    """Time of all layers when the tiles of a layer stream through the stages.

    DRAM comes first in the row; an SRAM's ports slow the stages that share them (`ports.py`), and
    limit the pace. Layers follow one another.
    """
    work = layer.work
    memory = memory_seconds(layer, stages)
    busy = {
        name: over_layer(layer, stage.cycles) / layer.core.frequency_hz
        for name, stage in zip(Stages._fields, stages, strict=True)
    }
    layer_s = makespan(_stretches(layer, stages))
    for name in SRAM_NAMES:
        layer_s = np.maximum(layer_s, memory[name])
    stage_s = {name: work.total(t) for name, t in busy.items()}
    memory_s = {name: work.total(t) for name, t in memory.items()}
    return Latency(
        total_s=work.total(layer_s),
        group_s=layer_s * work.n_layers,
        stage_s=stage_s,
        memory_s=memory_s,
        bound=largest(_by_resource(stage_s, memory_s)),
    )


def _stretches(layer: Layer, stages: Stages) -> list[tuple[Column, list[Step]]]:
    """The first K/V head by its query tiles, those between as one, and the last by its tiles."""
    heads, weight = np.asarray(layer.work.n_kv_heads, float), layer.tiles.weight
    steps = _steps(layer, stages)
    each = [(weight[m], [_at(step, m) for step in steps]) for m in range(len(weight))]
    middle = [
        Step(sum(np.asarray(s.work_s)) * np.maximum(heads - 2, 0.0), *_edges(s)) for s in steps
    ]
    last = [(w * (heads > 1), s) for w, s in each]
    return [*each, (np.maximum(heads - 2, 0.0), middle), *last]


def _at(step: Step, m: int) -> Step:
    return Step(*(np.asarray(part)[m] for part in step))


def _edges(step: Step) -> tuple[Column, Column]:
    """Return the first visit of the first query tile, and the last of the last."""
    return np.asarray(step.first_s)[0], np.asarray(step.last_s)[-1]


def _steps(layer: Layer, stages: Stages) -> list[Step]:
    """DRAM, predict, sort, generation and attention on each stretch of query tiles, [tiles, ...].

    The first visit waits for its load; generation passes on a batch, loaded, made and stored.
    """
    weight, f = layer.tiles.weight, layer.core.frequency_hz
    nothing = 0.0 * weight
    visits = layer.passes * (1.0 + nothing if layer.flow.isolated else layer.visits.count)
    loads = [stage.dram.seconds for stage in stages]
    slow = slowdowns(layer, stages).values()
    times = [stage.cycles * (s / f) for stage, s in zip(stages, slow, strict=True)]
    predict, sort, _, attend = (_even(weight, t, visits) for t in times)
    passed_on = _batch_seconds(layer, times[2] + loads[2]) + loads[3] / visits
    return [
        Step(weight * sum(loads), loads[0] / visits, nothing),
        predict,
        sort,
        Step(_generated(layer, times[2]), passed_on, nothing),
        attend,
    ]


def _even(weight: Column, time: Column, visits: Column) -> Step:
    """Return the step of an array whose visits are alike."""
    visit = time / visits
    return Step(weight * time, visit, visit)


def _batches(layer: Layer) -> Column:
    batches: Column = np.ceil(layer.work.generated_tokens / batch_tokens(layer))
    return np.maximum(batches, 1.0)


def _batch_seconds(layer: Layer, time: Column) -> Column:
    """Seconds of one batch of a K/V head, in the query tiles that bring new tokens."""
    whole = layer.tiles.total(time) / _batches(layer)
    return np.where(layer.tiles.new > 0, whole, 0.0)


def _generated(layer: Layer, time: Column) -> Column:
    """Seconds of the batches that each stretch of query tiles completes, [tiles, ...]."""
    batches, tiles = _batches(layer), layer.tiles
    known = np.cumsum(tiles.weight * layer.new_share, axis=0)
    complete = np.where(known >= 1 - 1e-9, batches, np.floor(known * batches))
    first = complete[:1]
    return np.concatenate([first, np.diff(complete, axis=0)]) * (tiles.total(time) / batches)


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
