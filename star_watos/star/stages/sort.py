"""SADS: each query keeps its best keys of every tile; and what stands in for it."""

from typing import assert_never

import numpy as np

from star_watos.cost import Column
from star_watos.star.dataflow import Sorter
from star_watos.star.fit import spilled_scores
from star_watos.star.layer import ID_BYTES, Layer
from star_watos.star.sorting import merge_steps, passes, steps
from star_watos.star.stages.stage import Dram, Part, Stage, Traffic, over_layer


def sort(layer: Layer) -> Stage:
    """Return the stage; nothing where no scores are predicted.

    Scores are read once a pass; the identifiers of kept keys go to DRAM, where they
    wait for their attention.
    """
    if not layer.flow.predicts:
        return Stage(0.0, (Part(layer, 0.0 * layer.tiles.rows, Dram(), Traffic()),))
    core, rows = layer.core, layer.group * layer.tiles.rows
    taken, read = _work(layer)
    ids = rows * layer.visits.kept * ID_BYTES
    spilled = layer.passes * spilled_scores(layer)
    read_scores = over_layer(layer, rows * read)
    traffic = Traffic(
        temp_read=read_scores * core.score_bytes + over_layer(layer, ids),
        temp_write=over_layer(layer, ids + spilled),
    )
    part = Part(layer, layer.group * taken, Dram.of(core, ids + spilled), traffic)
    return Stage(read_scores, (part,))


def _work(layer: Layer) -> tuple[Column, Column]:
    """Return steps of a query tile, and scores that a row reads in them."""
    core, visits, seen = layer.core, layer.visits, layer.tiles.seen
    inputs, survivors = core.sort_inputs, core.sort_survivors

    def each(keys: Column) -> Column:
        return steps(keys, inputs, survivors)

    def over(quota: Column) -> Column:
        return passes(quota, survivors)

    match layer.flow.sorter:
        case Sorter.SADS:
            whole, last = visits.over_quotas(over)
            taken = visits.total(whole * each(visits.keys), last * each(visits.last))
            return taken, visits.total(whole * visits.keys, last * visits.last)
        case Sorter.FULL:
            again, merged = over(visits.kept), merge_steps(seen, inputs, survivors)
            repeated = again * each(seen)
            reads = np.where(repeated <= merged, again, merged * (inputs - survivors) / seen)
            return np.minimum(repeated, merged), reads * seen
        case Sorter.NONE:
            taken = visits.total(np.ceil(visits.keys / inputs), np.ceil(visits.last / inputs))
            return taken, seen + 0.0 * taken
        case _:
            assert_never(layer.flow.sorter)
