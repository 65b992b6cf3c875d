"""What has to be held at once, what room is left, and what does not fit whole rows.

Double buffers throughout; `docs/star_model.md`, "Fit".
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from star_watos.cost import Column
from star_watos.star.dataflow import Attention
from star_watos.star.layer import ID_BYTES, SLICE, VALUE_BYTES, Layer


class Need(NamedTuple):
    """Bytes that must be held at once, and by what."""

    name: str
    need_bytes: Column
    have_bytes: Column


def token_need(layer: Layer) -> Column:
    """Bytes in the token SRAM: queries (and outputs, if heads take turns), K^ tiles, token slices.

    h P d 2 (1, or 2 where h > 1) + 2 Bc d w + 2 c 128 w'
    """
    core, work, heads = layer.core, layer.work, layer.tile.heads
    each = np.where(np.asarray(heads) > 1, 2.0, 1.0) * VALUE_BYTES
    queries = heads * core.queries * work.head_dim * each
    predicted = 2 * layer.tile.keys * work.head_dim * layer.widths.key
    return queries + predicted + 2 * core.dlzs_columns * SLICE * layer.widths.token


def weight_need(layer: Layer) -> Column:
    """Bytes in the weight SRAM: two slices of weights, and of codes: 2 128 P (2 + w)."""
    return 2 * SLICE * layer.core.queries * (VALUE_BYTES + layer.widths.code)


def temp_need(layer: Layer) -> Column:
    """Bytes in the temporary SRAM: score tiles, identifiers of a pass, rows of two steps.

    2 P (Bc score + survivors 2) + 2 (c / 2) 4 d
    """
    core = layer.core
    scores = layer.tile.keys * core.score_bytes + core.sort_survivors * ID_BYTES
    rows = 2 * (core.sufa_columns / 2) * 2 * layer.work.head_dim * VALUE_BYTES
    return 2 * core.queries * scores * layer.flow.predicts + rows


def layer_needs(layer: Layer) -> tuple[Need, ...]:
    """Return what each SRAM must hold, in a layer of each group."""
    core = layer.core
    return (
        Need("query and key tiles in token SRAM", token_need(layer), core.token.capacity_bytes),
        Need("weight slices in weight SRAM", weight_need(layer), core.weight.capacity_bytes),
        Need("score tile in temp SRAM", temp_need(layer), core.temp.capacity_bytes),
    )


def buffer_needs(layer: Layer) -> tuple[Need, ...]:
    """Return what each SRAM must hold, in the layer that needs most."""
    most = layer.work.most
    return tuple(
        Need(name, most(need_bytes), most(have_bytes))
        for name, need_bytes, have_bytes in layer_needs(layer)
    )


def all_fit(needs: tuple[Need, ...]) -> "bool | NDArray[np.bool_]":
    """Whether there is as much as is needed, of everything."""
    fitting = (np.asarray(need.need_bytes <= need.have_bytes) for need in needs)
    fits: NDArray[np.bool_] = np.logical_and.reduce(np.broadcast_arrays(*fitting))
    return fits


def batch_tokens(layer: Layer) -> Column:
    """Tokens whose K and V are generated while the weights stream once.

    As many as what is left of the token SRAM holds, and no fewer than the array takes at once.
    """
    left = layer.core.token.capacity_bytes - token_need(layer)
    return np.maximum(np.floor(left / layer.work.d_model), layer.core.kv_columns)


def batches(layer: Layer) -> Column:
    """Batches of K/V generation of a K/V head."""
    count: Column = np.ceil(layer.work.generated_tokens / batch_tokens(layer))
    return count


def codes_kept(layer: Layer) -> Column:
    """Share of a head's weight codes that stays in the weight SRAM between groups of tokens.

    left / (ceil(d / P) D P w)
    """
    left = layer.core.weight.capacity_bytes - weight_need(layer)
    blocks = np.ceil(layer.work.head_dim / layer.core.queries)
    codes = blocks * layer.work.d_model * layer.core.queries * max(layer.widths.code, 1e-9)
    return np.clip(left / codes, 0.0, 1.0)


def spilled_scores(layer: Layer) -> Column:
    """Bytes of predicted scores of a query tile and pass that go to DRAM, [tiles, ...].

    None while a tile at a time passes. Whole rows spill where two of h P seen score bytes do not
    fit beside the rest.
    """
    if not (layer.flow.isolated and layer.flow.predicts):
        return 0.0
    heads, seen = layer.tile.heads, layer.tiles.seen
    each = heads * seen * layer.core.score_bytes
    return np.where(_beside(layer, 2 * layer.core.queries * each), 0.0, layer.tiles.rows * each)


def spilled_rows(layer: Layer) -> Column:
    """Bytes of kept scores of a query tile and pass that wait in DRAM for their softmax."""
    if layer.flow.attention is not Attention.SOFTMAX:
        return 0.0
    each = layer.tile.heads * layer.visits.kept * VALUE_BYTES
    return np.where(_beside(layer, 2 * layer.core.queries * each), 0.0, layer.tiles.rows * each)


def _beside(layer: Layer, need_bytes: Column) -> Column:
    """Whether so much more fits the temporary SRAM."""
    return temp_need(layer) + need_bytes <= layer.core.temp.capacity_bytes
