"""DLZS: phase 1 predicts K of new tokens, phase 2 the scores of every visited tile."""

import numpy as np

from star_watos.cost import Column
from star_watos.star.fit import codes_kept, spilled_scores
from star_watos.star.layer import VALUE_BYTES, Layer
from star_watos.star.stages.stage import Dram, Stage, Traffic, over_layer
from star_watos.star.tiles import overhang


def predict(layer: Layer) -> Stage:
    """Return the stage; nothing where nothing is predicted.

    cycles = ceil(N / c) blocks D / int8_rate                      phase 1, N new tokens
           + r sum over tiles ceil(keys / c) d                     phase 2
    """
    if not layer.flow.predicts:
        return Stage(0.0 * layer.tiles.rows, Dram(), 0.0, Traffic())
    core, work = layer.core, layer.work
    cycles = phase1_cycles(layer) * layer.new_share + layer.group * _steps(layer) * work.head_dim
    keys = work.new_tokens * work.d_model * work.n_kv_heads * work.head_dim
    macs = keys + work.n_heads * work.visible_pairs * work.head_dim
    return Stage(cycles, Dram.of(core, _dram_bytes(layer)), 2 * macs, _traffic(layer))


def phase1_cycles(layer: Layer) -> Column:
    """Cycles of phase 1 for a K/V head: ceil(N / c) blocks D / int8_rate."""
    return layer.token_groups * layer.blocks * layer.work.d_model / layer.core.int8_rate


def _steps(layer: Layer) -> Column:
    """Steps of phase 2 for a query tile: its key tiles, each in whole columns."""
    c, visits = layer.core.dlzs_columns, layer.visits
    aligned = (layer.tiles.seen + overhang(layer.core, layer.work, layer.tiles, c)) / c
    each = visits.total(np.ceil(visits.keys / c), np.ceil(visits.last / c))
    return np.where(np.mod(visits.keys, c) == 0, aligned, each)


def _codes_bytes(layer: Layer) -> Column:
    """Codes of a head's blocks, streamed for each group of tokens but for the share that stays."""
    block = layer.work.d_model * layer.core.queries * layer.widths.code
    stays = codes_kept(layer)
    streams = layer.token_groups * (1 - stays) + np.minimum(layer.token_groups, 1.0) * stays
    return streams * layer.blocks * block


def _front_bytes(layer: Layer) -> tuple[Column, Column, Column]:
    """Bytes that a query tile loads: predicted K and queries, tokens, codes.

    K^ that a visit predicts itself is not loaded; a head's own blocks predict it.
    """
    work, tiles, w = layer.work, layer.tiles, layer.widths
    own = np.minimum(layer.blocks, 1.0) * tiles.new
    predicted = (layer.passes * tiles.seen - own) * work.head_dim * w.key
    queries = layer.group * tiles.rows * work.head_dim * VALUE_BYTES
    tokens = tiles.new * layer.blocks * work.d_model * w.token
    return predicted + queries, tokens, layer.new_share * _codes_bytes(layer)


def _dram_bytes(layer: Layer) -> Column:
    """What a query tile loads, the K^ that it stores, and scores where whole rows do not fit."""
    stored = layer.tiles.new * layer.work.head_dim * layer.widths.key
    return sum(_front_bytes(layer)) + stored + layer.passes * spilled_scores(layer)


def _traffic(layer: Layer) -> Traffic:
    """Bytes at the SRAMs; phase 2 reads a tile of predicted keys for each of its heads."""
    core, work, w = layer.core, layer.work, layer.widths
    loaded, tokens, codes = _front_bytes(layer)
    blocks = layer.token_groups * layer.blocks * work.n_kv_heads
    keys_read = over_layer(layer, layer.group * layer.tiles.seen) * work.head_dim * w.key
    scores = over_layer(layer, layer.group * layer.tiles.rows * layer.tiles.seen)
    return Traffic(
        token_read=blocks * core.dlzs_columns * work.d_model * w.token + keys_read,
        token_write=over_layer(layer, loaded + tokens),
        weight_read=blocks * work.d_model * core.queries * w.code,
        weight_write=over_layer(layer, codes),
        temp_write=scores * core.score_bytes,
    )
