"""DLZS: phase 1 predicts K of new tokens, phase 2 the scores of every visited tile."""

import numpy as np

from star_watos.cost import Column
from star_watos.star.fit import codes_kept, spilled_scores
from star_watos.star.layer import VALUE_BYTES, Layer
from star_watos.star.stages.stage import Dram, Part, Stage, Traffic, over_layer
from star_watos.star.tiles import overhang


def predict(layer: Layer) -> Stage:
    """Return the stage; nothing where nothing is predicted.

    cycles = ceil(N / c) blocks D / int8_rate                      phase 1, N new tokens
           + r sum over tiles ceil(keys / c) d                     phase 2
    """
    if not layer.flow.predicts:
        return Stage(0.0, (Part(layer, 0.0 * layer.tiles.rows, Dram(), Traffic()),))
    work = layer.work
    keys = work.new_tokens * work.d_model * work.n_kv_heads * work.head_dim
    macs = keys + work.n_heads * work.visible_pairs * work.head_dim
    return Stage(2 * macs, (_project(layer), _score(layer)))


def _project(layer: Layer) -> Part:
    """Phase 1: tokens and codes stream in, K^ is stored."""
    core, work, w = layer.core, layer.work, layer.widths
    tokens = work.new_tokens * layer.blocks * work.d_model * w.token
    codes, stored = _codes_bytes(layer), work.new_tokens * work.head_dim * w.key
    blocks = layer.token_groups * layer.blocks * work.n_kv_heads
    traffic = Traffic(
        token_read=blocks * core.dlzs_columns * work.d_model * w.token,
        token_write=work.n_kv_heads * tokens,
        weight_read=blocks * work.d_model * core.queries * w.code,
        weight_write=work.n_kv_heads * codes,
    )
    dram = Dram.of(core, tokens + codes + stored)
    return Part(layer, _phase1_cycles(layer), dram, traffic, by_token=True)


def _score(layer: Layer) -> Part:
    """Phase 2: a tile of K^ is loaded once, and read for each of its heads.

    Whole rows of scores go to DRAM where they do not fit.
    """
    core, work, w = layer.core, layer.work, layer.widths
    loaded, scored = _front_bytes(layer), layer.group * layer.tiles.seen
    traffic = Traffic(
        token_read=over_layer(layer, scored) * work.head_dim * w.key,
        token_write=over_layer(layer, loaded),
        temp_write=over_layer(layer, layer.tiles.rows * scored) * core.score_bytes,
    )
    dram = Dram.of(core, loaded + layer.passes * spilled_scores(layer))
    return Part(layer, layer.group * _steps(layer) * work.head_dim, dram, traffic)


def _phase1_cycles(layer: Layer) -> Column:
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


def _front_bytes(layer: Layer) -> Column:
    """Predicted K and queries that a query tile loads.

    K^ that a visit predicts itself is not loaded; a head's own blocks predict it.
    """
    work, tiles, w = layer.work, layer.tiles, layer.widths
    own = np.minimum(layer.blocks, 1.0) * tiles.new
    predicted = (layer.passes * tiles.seen - own) * work.head_dim * w.key
    return predicted + layer.group * tiles.rows * work.head_dim * VALUE_BYTES
