"""The four stages of a core: cycles, operations and traffic of one layer.

All of the work of one layer is counted; the pipeline (`pipeline.py`) then says what overlaps.
Quantities are per layer; every argument may be a column.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from star_watos.cost import Column
from star_watos.star.core import Resources
from star_watos.star.work import AttentionWork

TOKEN_BYTES = 1.0
"""Tokens are INT8 (SOFA, section on DLZS)."""
VALUE_BYTES = 2.0
"""Q, K, V, predicted K, weights and outputs are 16-bit."""
CODE_BYTES = 5 / 8
"""A weight as leading-zero code: 4 bits and the sign."""
ID_BYTES = 2.0
"""Position of a kept key inside its tile and segment."""
REDUCTION_SLICE = 128.0
"""Elements of a dot product that are buffered at once while weights stream."""


@dataclass(frozen=True, slots=True)
class Traffic:
    """Bytes in and out of each SRAM and of the DRAM."""

    token_read: Column = 0.0
    token_write: Column = 0.0
    weight_read: Column = 0.0
    weight_write: Column = 0.0
    temp_read: Column = 0.0
    temp_write: Column = 0.0
    dram: Column = 0.0


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage's share of a layer."""

    cycles: Column
    """Cycles in which its array is busy, tile edges rounded up."""
    ops: Column
    """Useful operations, a MAC (or a shift-add) being 2, a sorted score 1."""
    traffic: Traffic


class Stages(NamedTuple):
    """The stages in the order in which a tile passes them."""

    predict: Stage
    sort: Stage
    kv_generation: Stage
    attention: Stage


def _up(x: Column) -> Column:
    rounded: Column = np.ceil(x)
    return rounded


def visits(core: Resources, work: AttentionWork, key_tile: Column) -> Column:
    """Visits of a key tile by a query tile, all heads of one layer."""
    return work.n_heads * work.tile_visits(core.queries, key_tile)


def quota(core: Resources, work: AttentionWork, key_tile: Column) -> Column:
    """Kept keys of a query in a key tile: ceil(kept pairs / (rows x visits)), at most the tile."""
    rows = work.q_len / work.query_tiles(core.queries)
    kept = work.kept_pairs / (rows * work.tile_visits(core.queries, key_tile))
    return np.minimum(_up(kept), key_tile)


def token_tile_resident(core: Resources, work: AttentionWork, key_tile: Column) -> Column:
    """1 where whole tokens for every DLZS column fit beside queries and predicted keys, else 0."""
    need = core.dlzs_columns * work.d_model * TOKEN_BYTES
    fits: Column = np.where(need <= _token_room(core, work, key_tile), 1.0, 0.0)
    return fits


def _token_room(core: Resources, work: AttentionWork, key_tile: Column) -> Column:
    """Bytes of the token SRAM left by one query tile and two tiles of predicted keys."""
    held = (core.queries + 2 * key_tile) * work.head_dim * VALUE_BYTES
    return core.token.capacity_bytes - held


def predict(core: Resources, work: AttentionWork, key_tile: Column) -> Stage:
    """DLZS. Phase 1 predicts K of every token, once; phase 2 the scores of every visited tile.

    cycles = ceil(S / columns) ceil(d_kv / queries) D / int8_rate
           + visits ceil(key_tile / columns) head_dim
    """
    keys = work.seq_len
    blocks = _up(keys / core.dlzs_columns) * _up(work.d_kv / core.queries)
    phase1 = blocks * work.d_model / core.int8_rate
    n_visits = visits(core, work, key_tile)
    phase2 = n_visits * _up(key_tile / core.dlzs_columns) * work.head_dim
    macs = keys * work.d_model * work.d_kv + work.n_heads * work.visible_pairs * work.head_dim
    return Stage(phase1 + phase2, 2 * macs, _predict_traffic(core, work, key_tile, phase1, phase2))


def _predict_traffic(
    core: Resources, work: AttentionWork, key_tile: Column, phase1: Column, phase2: Column
) -> Traffic:
    keys = work.seq_len
    resident = token_tile_resident(core, work, key_tile)
    passes = np.where(resident > 0, 1.0, _up(work.d_kv / core.queries))
    tokens = keys * work.d_model * TOKEN_BYTES * passes
    codes = _up(keys / core.dlzs_columns) * work.d_model * work.d_kv * CODE_BYTES
    predicted = keys * work.d_kv * VALUE_BYTES
    reloaded = work.n_heads * work.key_visits(core.queries) * work.head_dim * VALUE_BYTES
    q = work.q_len * work.d_q * VALUE_BYTES
    rate = core.int8_rate
    scores = work.n_heads * work.visible_pairs * core.score_bytes
    return Traffic(
        token_read=core.dlzs_columns * (phase1 * rate * TOKEN_BYTES + phase2 * VALUE_BYTES),
        token_write=tokens + reloaded + q,
        weight_read=phase1 * core.queries * rate * CODE_BYTES,
        weight_write=codes,
        temp_write=scores,
        dram=tokens + codes + predicted + reloaded + q,
    )


def sort(core: Resources, work: AttentionWork, key_tile: Column) -> Stage:
    """SADS. A pass over a tile yields `survivors` keys; inputs not carried over are new.

    cycles = visits ceil(quota / survivors) ceil((key_tile - survivors) / new inputs)
    """
    new = core.sort_inputs - core.sort_survivors
    steps = np.maximum(_up((key_tile - core.sort_survivors) / new), 1)
    kept = quota(core, work, key_tile)
    passes = _up(kept / core.sort_survivors)
    n_visits = visits(core, work, key_tile)
    sorted_scores = work.n_heads * work.visible_pairs * passes
    ids = n_visits * core.queries * kept * ID_BYTES
    traffic = Traffic(temp_read=sorted_scores * core.score_bytes, temp_write=ids)
    return Stage(n_visits * passes * steps, sorted_scores, traffic)


def kv_generation(core: Resources, work: AttentionWork, key_tile: Column) -> Stage:
    """K and V rows of the tokens that some query keeps, once each.

    cycles = ceil(tokens / columns) ceil(2 d_kv / queries) D
    """
    tokens = work.generated_tokens
    cycles = _up(tokens / core.kv_columns) * _up(2 * work.d_kv / core.queries) * work.d_model
    batch = _token_room(core, work, key_tile) / (work.d_model * TOKEN_BYTES)
    batch = np.maximum(np.floor(batch), core.kv_columns)
    x = tokens * work.d_model * TOKEN_BYTES
    weights = _up(tokens / batch) * 2 * work.d_model * work.d_kv * VALUE_BYTES
    rows = tokens * 2 * work.d_kv * VALUE_BYTES
    traffic = Traffic(
        token_read=cycles * core.kv_columns * TOKEN_BYTES,
        token_write=x,
        weight_read=cycles * core.queries * VALUE_BYTES,
        weight_write=weights,
        dram=x + weights + rows,
    )
    return Stage(cycles, 2 * tokens * work.d_model * 2 * work.d_kv, traffic)


def attention(core: Resources, work: AttentionWork, key_tile: Column) -> Stage:
    """SU-FA. Each half of the columns takes one kept key; tiles are joined once, at the end.

    cycles = visits max(ceil(quota / (columns / 2)) head_dim, quota)       scores, exp and S V
           + visits (head_dim + 1) / columns                               rescale when joining
           + heads x query tiles x head_dim                                division
    """
    kept = quota(core, work, key_tile)
    lanes = core.sufa_columns / 2
    n_visits = visits(core, work, key_tile)
    tiles = n_visits * np.maximum(_up(kept / lanes) * work.head_dim, kept)
    join = n_visits * (work.head_dim + 1) / core.sufa_columns
    divide = work.n_heads * work.query_tiles(core.queries) * work.head_dim
    loaded = work.n_heads * work.key_visits(core.queries) * work.kv_ratio
    rows = loaded * 2 * work.head_dim * VALUE_BYTES
    out = work.q_len * work.d_q * VALUE_BYTES
    ids = n_visits * core.queries * kept * ID_BYTES
    traffic = Traffic(temp_write=rows, temp_read=rows + ids, dram=rows + out)
    return Stage(tiles + join + divide, 4 * work.n_heads * work.kept_pairs * work.head_dim, traffic)


def all_stages(core: Resources, work: AttentionWork, key_tile: Column) -> Stages:
    """Return the four stages of one layer."""
    return Stages(
        predict(core, work, key_tile),
        sort(core, work, key_tile),
        kv_generation(core, work, key_tile),
        attention(core, work, key_tile),
    )


class Need(NamedTuple):
    """Bytes that must be held at once, and by what."""

    name: str
    need_bytes: Column
    have_bytes: Column


def buffer_needs(core: Resources, work: AttentionWork, key_tile: Column) -> tuple[Need, ...]:
    """Bytes each SRAM must hold for a key tile, double buffered.

    Tokens: a query tile, two tiles of predicted keys, and two slices of tokens where whole tokens
    do not fit. Weights: two slices. Temporary: two tiles of scores and of kept identifiers, and
    the K and V rows that SU-FA works on and loads next.
    """
    kept = quota(core, work, key_tile)
    token_slices = 2 * core.dlzs_columns * REDUCTION_SLICE * TOKEN_BYTES
    held = (core.queries + 2 * key_tile) * work.head_dim * VALUE_BYTES
    rows = 2 * (core.sufa_columns / 2) * 2 * work.head_dim * VALUE_BYTES
    scores = 2 * core.queries * (key_tile * core.score_bytes + kept * ID_BYTES)
    return (
        Need("query and key tiles in token SRAM", held + token_slices, core.token.capacity_bytes),
        Need(
            "weight slices in weight SRAM",
            2 * core.queries * REDUCTION_SLICE * VALUE_BYTES,
            core.weight.capacity_bytes,
        ),
        Need("score tile in temp SRAM", scores + rows, core.temp.capacity_bytes),
    )
