"""SU-FA on the kept keys; and what stands in for it."""

from typing import assert_never

import numpy as np

from star_watos.cost import Column
from star_watos.star.dataflow import Attention, Schedule
from star_watos.star.fit import spilled_rows
from star_watos.star.layer import ID_BYTES, VALUE_BYTES, Layer
from star_watos.star.stages.stage import Dram, Part, Stage, Traffic, over_layer


def attend(layer: Layer) -> Stage:
    """Return the stage: half of the columns takes a key's score, the other half its value.

    cycles of a tile with quota > 0 = max(ceil(quota / (c / 2)) d, lane) + join,  and d to divide
    """
    core, work = layer.core, layer.work
    each = layer.visits.total(*layer.visits.over_quotas(lambda quota: _tile_cycles(layer, quota)))
    loaded = layer.passes * _loaded_keys(layer)
    row_bytes = 2 * work.head_dim * VALUE_BYTES
    dram = Dram.of(core, loaded * row_bytes, row_bytes) + Dram.of(core, _other_bytes(layer))
    macs = work.n_heads * work.kept_pairs * 2 * work.head_dim
    traffic = _traffic(layer, loaded * row_bytes)
    return Stage(2 * macs, (Part(layer, layer.group * (each + work.head_dim), dram, traffic),))


def _tile_cycles(layer: Layer, quota: Column) -> Column:
    """Cycles of a tile of which the fullest query keeps `quota` keys; 0 if none.

    SU-FA scales a tile's output once, when it joins the tiles before, as FlashAttention-2 does,
    which also searches its maximum; softmax has no tiles to join.
    """
    core, d = layer.core, layer.work.head_dim
    waits = core.rass_steps if layer.flow.schedule is Schedule.RASS else 1.0
    macs = np.ceil(quota / (core.sufa_columns / 2)) * d * waits
    joined = np.minimum(quota, 1.0)
    join = joined * (d + 1) / core.sufa_columns
    match layer.flow.attention:
        case Attention.SUFA:
            return np.maximum(macs, quota) + join
        case Attention.FA2:
            return np.maximum(macs, 2 * quota + joined) + join
        case Attention.SOFTMAX:
            return np.maximum(macs, 2 * quota)
        case _:
            assert_never(layer.flow.attention)


def _loaded_keys(layer: Layer) -> Column:
    """Keys whose K and V rows a query tile loads, a pass."""
    shared = layer.loaded_keys
    if not layer.flow.predicts:
        return shared
    match layer.flow.schedule:
        case Schedule.RASS:
            return shared
        case Schedule.IN_ORDER:
            kept = layer.tiles.rows * layer.tile.heads * layer.visits.kept
            return np.maximum(shared, layer.work.in_order_distinct * kept)
        case _:
            assert_never(layer.flow.schedule)


def _other_bytes(layer: Layer) -> Column:
    """Bytes beside the rows: identifiers, outputs, and queries if no predictor loaded them."""
    rows, work = layer.group * layer.tiles.rows, layer.work
    ids = rows * layer.visits.kept * ID_BYTES * layer.flow.predicts
    values = rows * work.head_dim * VALUE_BYTES
    queries = 0.0 if layer.flow.predicts else values
    return ids + values + queries + 2 * layer.passes * spilled_rows(layer)


def _traffic(layer: Layer, row_bytes: Column) -> Traffic:
    """Bytes at the temporary SRAM: rows are written once, and read by each head that loads them.

    Rows loaded in order are not held: they pass to the array as they come.
    """
    work, rows, heads = layer.work, layer.tiles.rows, layer.tile.heads
    alone, together = work.loaded_share(rows), work.loaded_share(rows, heads)
    reads = np.maximum(heads * alone / together, 1.0)
    held = row_bytes if layer.flow.schedule is Schedule.RASS else 0.0 * row_bytes
    ids = layer.group * rows * layer.visits.kept * ID_BYTES * layer.flow.predicts
    return Traffic(
        temp_read=over_layer(layer, held * reads + ids), temp_write=over_layer(layer, held + ids)
    )
