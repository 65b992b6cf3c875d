"""The tile pipeline across the stages: how long a layer takes, and what bounds it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from star_watos.cost import Bound, Column, largest
from star_watos.star.batching import batch_seconds, generated, held_up
from star_watos.star.layer import Layer
from star_watos.star.ports import Times, memory_seconds, part_times, users_of
from star_watos.star.stages import SRAM_NAMES, Stages


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


def stage_ends(stretches: Sequence[tuple[Column, Sequence[Step]]]) -> list[Column]:
    """When stages in a row are done with stretches of visits, each (weight, steps).

    A stage starts a stretch when it is done with the one before and the stage before it has passed
    on its first visit; it ends no sooner than its own last visit after the stage before:

        begin = max(own end, begin' + first')      end = max(begin + work, end' + last)

    Stretches of no weight are skipped. Two stages of 3 s and 2 s a visit, four visits: 3 * 4 + 2.

    >>> [float(end) for end in stage_ends([(1.0, (Step(12.0, 3.0, 3.0), Step(8.0, 2.0, 2.0)))])]
    [12.0, 14.0]
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
    return ends


def latency(layer: Layer, stages: Stages) -> Latency:
    """Time of all layers when the tiles of a layer stream through the stages.

    The DRAM and the SRAM ports slow the stages that share them (`ports.py`), and limit the pace.
    Layers follow one another.
    """
    work, users = layer.work, users_of(layer, stages)
    memory = memory_seconds(users)
    busy = {
        name: stage.cycles / layer.core.frequency_hz
        for name, stage in zip(Stages._fields, stages, strict=True)
    }
    times = part_times(layer, users, memory)
    *_, made, ended = stage_ends(_stretches(layer, times))
    layer_s = np.maximum(ended, made + held_up(layer, times[-1].alone))
    for seconds in memory.values():
        layer_s = np.maximum(layer_s, seconds)
    stage_s = {name: work.total(t) for name, t in busy.items()}
    memory_s = {name: work.total(t) for name, t in memory.items()}
    return Latency(
        total_s=work.total(layer_s),
        group_s=layer_s * work.n_layers,
        stage_s=stage_s,
        memory_s=memory_s,
        bound=largest(_by_resource(stage_s, memory_s)),
    )


def _stretches(layer: Layer, times: list[Times]) -> list[tuple[Column, list[Step]]]:
    """The first K/V head by its query tiles, those between as one, and the last by its tiles."""
    heads, weight = np.asarray(layer.work.n_kv_heads, float), layer.tiles.weight
    steps = _steps(layer, times)
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


def _steps(layer: Layer, times: list[Times]) -> list[Step]:
    """Predict, sort, generation and attention on each stretch of query tiles, [tiles, ...].

    Generation passes on a batch.
    """
    *projected, scored, sorted_, made, attended = times
    weight = layer.tiles.weight
    visits = layer.passes * (1.0 + 0.0 * weight if layer.flow.isolated else layer.visits.count)
    project = sum(part.beside for part in projected)
    bringing = np.minimum(layer.new_visits, visits)
    predicted = beside_sort(project, scored.beside, sorted_.beside, visits, bringing)
    alone = sum((part.alone for part in projected), start=scored.alone)
    return [
        _even(weight, Times(alone, predicted), visits),
        _even(weight, sorted_, visits),
        Step(generated(layer, made.beside), batch_seconds(layer, made.alone), 0.0 * weight),
        _even(weight, attended, visits),
    ]


def beside_sort(
    project: Column, scored: Column, sorted_: Column, visits: Column, bringing: Column
) -> Column:
    """Seconds of predict for a query tile, beside a sort that it cannot run away from.

    With two score tiles between them, a visit is predicted while the one before is sorted: each
    takes the longer of both. Of V visits, n bring new tokens and predict their K^ first:

        (V - n) max(score, sort) + max(project + n score, n sort)

    >>> float(beside_sort(6.0, 8.0, 12.0, 4.0, 1.0))  # 3 visits of 3 s to sort, 1 of 6 + 2 s
    17.0
    """
    score, sort = scored / visits, sorted_ / visits
    new = np.maximum(project + bringing * score, bringing * sort)
    return (visits - bringing) * np.maximum(score, sort) + new


def _even(weight: Column, time: Times, visits: Column) -> Step:
    """Return the step of an array whose visits are alike."""
    visit = time.alone / visits
    return Step(weight * time.beside, visit, visit)


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
