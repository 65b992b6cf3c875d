"""The operators of inference: prefill as in training's forward pass, and decode against a cache."""

from dataclasses import replace

import numpy as np

from star_watos.cost import Column
from star_watos.workload.model import LayerKind, Model
from star_watos.workload.op import Kind, Microbatch, Op, share_of_heads
from star_watos.workload.ops import head_ops, layer_ops


def cached_bytes(model: Model, shape: Microbatch) -> Column:
    """Return what one die keeps of a token in a layer: keys and values of its heads.

    Dies that share fewer key-value heads than there are dies keep copies. Latent attention keeps
    one latent and one rotary key for all heads (arXiv 2405.04434, section 2.1), on each die.

    >>> from star_watos.workload import load_model
    >>> one = Microbatch(tokens=1, seq_len=1)
    >>> [cached_bytes(load_model(name), one) for name in ("llama3_70b", "deepseek_v3")]
    [4096.0, 1152.0]
    """
    if model.mla:
        return shape.element_bytes * float(model.mla.kv_lora_rank + model.mla.qk_rope_head_dim)
    heads = share_of_heads(model.n_kv_heads, shape.tp)
    return shape.element_bytes * heads * (model.qk_head_dim + model.v_head_dim)


def prefill_ops(
    model: Model, shape: Microbatch, layer: LayerKind, keep: float = 1.0
) -> tuple[Op, ...]:
    """Return the operators of a layer for whole prompts, of whose scores `keep` are computed."""
    return tuple(
        replace(op, forward_flops=keep * op.forward_flops) if op.kind is Kind.ATTENTION else op
        for op in layer_ops(model, shape, layer)
    )


def decode_ops(
    model: Model,
    shape: Microbatch,
    context: float,
    layer: LayerKind,
    keep: float = 1.0,
    load: float = 1.0,
) -> tuple[Op, ...]:
    """Return the operators of a layer for one new token of each of `shape.tokens` sequences.

    `context` are the tokens that each has cached, of which scores of `keep` are computed and keys
    and values of `load` are read. Of the experts only those that a token visits are read:
    E (1 - (1 - 1 / E)^(B k)) of E, on the mean.
    """
    seen = min(context, float(model.window_of(layer) or context))
    attention = _cached_attention(model, shape, seen, keep, load)
    ops = (attention if op.kind is Kind.ATTENTION else op for op in layer_ops(model, shape, layer))
    return tuple(_visited(model, shape, op) for op in ops)


def _cached_attention(
    model: Model, shape: Microbatch, context: float, keep: float, load: float
) -> Op:
    """Return one query of each head against the cache; heads of a key-value head go together.

    With latent attention all heads share one: queries are multiplied into the latent space and
    results out of it, which takes as many operations as `kv_b` of the new tokens, which it stands
    for (arXiv 2405.04434, section 2.1.2).
    """
    heads = share_of_heads(model.n_heads, shape.tp)
    shared = 1.0 if model.mla else share_of_heads(model.n_kv_heads, shape.tp)
    rank = model.mla.kv_lora_rank if model.mla else 0
    key = rank + model.mla.qk_rope_head_dim if model.mla else model.qk_head_dim
    value = rank if model.mla else model.v_head_dim
    size = shape.element_bytes
    return Op(
        name="attention",
        kind=Kind.ATTENTION,
        m=heads / shared,
        n=context,
        k=float(key),
        batch=shape.tokens * shared,
        forward_flops=2.0 * keep * shape.tokens * heads * context * (key + value),
        weight_bytes=load * shape.tokens * context * cached_bytes(model, shape),
        input_bytes=size * shape.tokens * heads * key,
        output_bytes=size * shape.tokens * heads * value,
        cached=True,
    )


def _visited(model: Model, shape: Microbatch, op: Op) -> Op:
    """Return the operator of the experts that any token visits."""
    if model.moe is None or not op.name.startswith("experts_") or op.kind is not Kind.GEMM:
        return op
    visits = shape.tokens * shape.ep * model.moe.top_k
    share = 1.0 - (1.0 - 1.0 / model.moe.n_experts) ** np.asarray(visits, dtype=np.float64)
    return replace(op, batch=op.batch * share, m=op.m / share, weight_bytes=op.weight_bytes * share)


def logits_ops(model: Model, shape: Microbatch, sequences: Column) -> tuple[Op, ...]:
    """Return final norm and logits of the last token of each sequence."""
    last = replace(shape, tokens=sequences, sequence_parallel=False)
    return tuple(op for op in head_ops(model, last) if op.name != "loss")
