"""K and V rows of the tokens that some query keeps, once each, in batches."""

import numpy as np

from star_watos.cost import Column
from star_watos.star.fit import batch_tokens, batches
from star_watos.star.layer import TOKEN_BYTES, VALUE_BYTES, Layer
from star_watos.star.stages.stage import Dram, Part, Stage, Traffic


def generate(layer: Layer) -> Stage:
    """Return the stage.

    cycles = array steps ceil(2 d / P) D, with T tokens in batches of b:
    array steps = floor(T / b) ceil(b / c) + ceil((T mod b) / c)
    """
    core, work = layer.core, layer.work
    tokens, steps = work.generated_tokens, array_steps(layer)
    cycles = steps * np.ceil(2 * work.head_dim / core.queries) * work.d_model
    x, weights, rows = _head_bytes(layer)
    heads = work.n_kv_heads
    traffic = Traffic(
        token_read=heads * x * np.ceil(2 * work.head_dim / core.queries),
        token_write=heads * x,
        weight_read=heads * cycles * core.queries * VALUE_BYTES,
        weight_write=heads * weights,
    )
    macs = tokens * work.d_model * 2 * heads * work.head_dim
    dram = Dram.of(core, x + weights + rows)
    return Stage(2 * macs, (Part(layer, cycles, dram, traffic, by_token=True),))


def array_steps(layer: Layer) -> Column:
    """Steps of the array for a K/V head, each of `columns` tokens."""
    tokens, batch, c = layer.work.generated_tokens, batch_tokens(layer), layer.core.kv_columns
    whole = np.floor(tokens / batch)
    return whole * np.ceil(batch / c) + np.ceil((tokens - whole * batch) / c)


def _head_bytes(layer: Layer) -> tuple[Column, Column, Column]:
    """Bytes of a K/V head: tokens, weights once a batch, rows made."""
    work, tokens = layer.work, layer.work.generated_tokens
    weights = batches(layer) * 2 * work.d_model * work.head_dim * VALUE_BYTES
    rows = tokens * 2 * work.head_dim * VALUE_BYTES
    return tokens * work.d_model * TOKEN_BYTES, weights, rows
