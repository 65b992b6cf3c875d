"""The operators of attention on one die: plain, grouped-query and latent (MLA)."""

from dataclasses import replace
from typing import assert_never

from star_watos.cost import Column
from star_watos.workload.model import LayerKind, Mla, Model
from star_watos.workload.op import (
    LSE_BYTES,
    MASK_BYTES,
    Attention,
    Kind,
    Microbatch,
    Op,
    gemm,
    result,
    share_of_heads,
)


def attention_ops(model: Model, shape: Microbatch, layer: LayerKind) -> tuple[Op, ...]:
    """Return projections, attention and output projection.

    Queries, keys and values are split by heads, the output projection by its input, as in
    Megatron (arXiv 1909.08053, section 3).
    """
    width = share_of_heads(model.n_heads, shape.tp) * model.v_head_dim
    bias = model.d_model if model.out_bias else 0
    return (
        *(_latent_ops(model, model.mla, shape) if model.mla else _projection_ops(model, shape)),
        _core(model, shape, layer),
        gemm("attention_out", shape, shape.tokens, model.d_model, width, bias=bias),
    )


def _projection_ops(model: Model, shape: Microbatch) -> tuple[Op, ...]:
    """Return one GEMM for q, k and v, then what is done to each query and key."""
    heads = share_of_heads(model.n_heads, shape.tp)
    kv_heads = share_of_heads(model.n_kv_heads, shape.tp)
    turned = (heads + kv_heads) * model.head_dim
    width = turned + kv_heads * model.head_dim
    qkv = gemm(
        "qkv",
        shape,
        shape.tokens,
        width,
        model.d_model,
        bias=width if model.qkv_bias else 0.0,
        saved_bytes=shape.element_bytes * shape.tokens * width,
    )
    return (
        qkv,
        *((_qk_norm(model, shape, turned),) if model.qk_norm else ()),
        *(() if model.learned_positions or model.alibi else (_rope(shape, turned),)),
    )


def _qk_norm(model: Model, shape: Microbatch, width: Column) -> Op:
    size, elements = shape.element_bytes, shape.tokens * width
    return Op(
        name="qk_norm",
        kind=Kind.VECTOR,
        m=shape.tokens,
        n=width,
        weight_bytes=size * 2.0 * model.head_dim,
        input_bytes=size * elements,
        output_bytes=size * elements,
        saved_bytes=size * elements,
        recomputed=True,
    )


def _rope(shape: Microbatch, width: Column) -> Op:
    """Return the rotation of queries and keys; it is undone exactly, so nothing of it is saved."""
    moved = shape.element_bytes * shape.tokens * width
    return Op(
        name="rope",
        kind=Kind.VECTOR,
        m=shape.tokens,
        n=width,
        input_bytes=moved,
        output_bytes=moved,
    )


def _latent_ops(model: Model, mla: Mla, shape: Microbatch) -> tuple[Op, ...]:
    """Return latent attention's projections: down to the latents, their norms, up to the heads.

    The down projections are narrow and every die has them whole, on the tokens it has of what
    tensor parallelism does not split. `assemble` rotates and puts each head's key together of its
    own part and the part that all heads share.
    """
    tokens, size = shape.tokens, shape.element_bytes
    heads = share_of_heads(model.n_heads, shape.tp)
    split = mla.qk_nope_head_dim + mla.v_head_dim
    keys = heads * model.qk_head_dim
    up = gemm(
        "kv_b",
        shape,
        tokens,
        heads * split,
        mla.kv_lora_rank,
        saved_bytes=size * tokens * heads * split,
    )
    down = _down("kv_a", model, shape, mla.kv_lora_rank + mla.qk_rope_head_dim)
    read = keys + heads * mla.qk_nope_head_dim + mla.qk_rope_head_dim
    return (
        *_latent_queries(model, mla, shape),
        down,
        _latent_norm("kv_a_norm", shape, mla.kv_lora_rank),
        up,
        result("assemble", shape, tokens, keys, read),
    )


def _latent_queries(model: Model, mla: Mla, shape: Microbatch) -> tuple[Op, ...]:
    width = share_of_heads(model.n_heads, shape.tp) * model.qk_head_dim
    saved = shape.element_bytes * shape.tokens * width
    rank = mla.q_lora_rank
    if rank is None:
        return (gemm("q", shape, shape.tokens, width, model.d_model, saved_bytes=saved),)
    return (
        _down("q_a", model, shape, rank),
        _latent_norm("q_a_norm", shape, rank),
        gemm("q_b", shape, shape.tokens, width, rank, saved_bytes=saved),
    )


def _down(name: str, model: Model, shape: Microbatch, width: int) -> Op:
    saved = shape.element_bytes * shape.rows * width
    bias = width if model.qkv_bias else 0
    return gemm(name, shape, shape.rows, width, model.d_model, bias=bias, saved_bytes=saved)


def _latent_norm(name: str, shape: Microbatch, rank: int) -> Op:
    """Return the norm of a latent; its input is saved by the projection that made it."""
    made = result(name, shape, shape.rows, rank, rank)
    return replace(made, weight_bytes=shape.element_bytes * rank)


def scored_pairs(model: Model, shape: Microbatch, layer: LayerKind = LayerKind.DENSE) -> float:
    """Return how many pairs of query and key of one sequence and head a layer computes.

    Unfused attention computes the square s². Flash attention skips blocks that the causal mask
    empties and is counted as s²/2 in the limit of small blocks (the convention of arXiv
    2307.08691, 4.1); with a window of w tokens, as s w - w²/2.

    >>> from star_watos.workload import load_model
    >>> scored_pairs(load_model("llama2_7b"), Microbatch(tokens=4096, seq_len=4096)) / 4096**2
    0.5
    """
    square = float(shape.seq_len) ** 2
    match shape.attention:
        case Attention.UNFUSED:
            return square
        case Attention.FLASH:
            window = float(min(model.window_of(layer) or shape.seq_len, shape.seq_len))
            return shape.seq_len * window - window**2 / 2.0 if model.causal else square
        case _:
            assert_never(shape.attention)


def _core(model: Model, shape: Microbatch, layer: LayerKind) -> Op:
    """Return softmax(Q·Kᵀ)·V: per sequence and head, a [seq_len, seq_len] square of scores.

    FLOPs = 2 * pairs * (qk_head_dim + v_head_dim) per sequence and head, the same for any split.
    """
    heads = share_of_heads(model.n_heads, shape.tp)
    kv_heads = heads if model.mla else share_of_heads(model.n_kv_heads, shape.tp)
    batch = shape.tokens / shape.seq_len * heads
    width = model.qk_head_dim + model.v_head_dim
    op = Op(
        name="attention",
        kind=Kind.ATTENTION,
        m=float(shape.seq_len),
        n=float(shape.seq_len),
        k=float(model.qk_head_dim),
        batch=batch,
        forward_flops=2.0 * batch * scored_pairs(model, shape, layer) * width,
        input_bytes=shape.element_bytes
        * shape.tokens
        * (heads * model.qk_head_dim + kv_heads * width),
        output_bytes=shape.element_bytes * shape.tokens * heads * model.v_head_dim,
    )
    match shape.attention:
        case Attention.FLASH:
            return _flash(op, LSE_BYTES * shape.tokens * heads)
        case Attention.UNFUSED:
            return _unfused(op, shape.element_bytes, model.attention_dropout)
        case _:
            assert_never(shape.attention)


def _flash(op: Op, lse_bytes: Column) -> Op:
    """Return `op` done in one pass: five products backward (arXiv 2307.08691, 4.1), two forward."""
    written = op.output_bytes + lse_bytes
    return replace(
        op, backward_flops=2.5 * op.forward_flops, output_bytes=written, saved_bytes=written
    )


def _unfused(op: Op, element_bytes: float, dropout: float) -> Op:
    """Return `op` with its squares written out: scores, softmax, and with dropout mask and product.

    Run again, it still leaves its output in memory, which the output projection reads.
    """
    elements = op.batch * op.m * op.n
    square, mask = element_bytes * elements, MASK_BYTES * elements if dropout else 0.0 * elements
    kept_softmax = square + mask + (square if dropout else 0.0)
    return replace(
        op,
        backward_flops=2.0 * op.forward_flops,
        input_bytes=op.input_bytes + (3.0 if dropout else 2.0) * square,
        output_bytes=op.output_bytes + square + kept_softmax,
        saved_bytes=op.output_bytes + kept_softmax,
        kept_bytes=op.output_bytes,
        recomputed=True,
    )
