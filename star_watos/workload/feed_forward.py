"""The operators after attention on one die: a feed-forward network, or experts."""

from star_watos.cost import Column
from star_watos.workload.model import LayerKind, Model, Moe
from star_watos.workload.op import (
    LOGIT_BYTES,
    Kind,
    Microbatch,
    Op,
    gemm,
    result,
)


def feed_forward_ops(model: Model, shape: Microbatch, layer: LayerKind) -> tuple[Op, ...]:
    """Return the feed-forward network of a layer, or its experts."""
    if model.moe is None or layer is not LayerKind.MOE:
        return _mlp_ops("mlp", model, shape, d_ff=model.d_ff, tokens=shape.tokens)
    return _expert_ops(model, model.moe, shape)


def _mlp_ops(
    name: str,
    model: Model,
    shape: Microbatch,
    *,
    d_ff: int,
    tokens: Column,
    batch: Column = 1.0,
) -> tuple[Op, ...]:
    """Return up (and gate, in one GEMM), activation and down, `batch` networks side by side.

    The up projection is split by its columns and the down projection by its rows (arXiv
    1909.08053, section 3). Gate and up are saved, and so is their product.
    """
    width = d_ff / shape.tp
    wide = (2.0 if model.gated else 1.0) * width
    up = gemm(
        f"{name}_up",
        shape,
        tokens,
        wide,
        model.d_model,
        batch=batch,
        bias=batch * wide if model.mlp_bias else 0.0,
        saved_bytes=shape.element_bytes * batch * tokens * wide,
    )
    bias = batch * model.d_model if model.mlp_bias else 0.0
    down = gemm(f"{name}_down", shape, tokens, model.d_model, width, batch=batch, bias=bias)
    return up, result(f"{name}_activation", shape, batch * tokens, width, wide), down


def _expert_ops(model: Model, moe: Moe, shape: Microbatch) -> tuple[Op, ...]:
    """Return router, dispatch, the experts as one batched GEMM, combine, and shared experts.

    The load is taken as even: each expert gets tokens * ep * top_k / n_experts rows. Every expert
    is split over the `tp` dies like a feed-forward network, and a token's weight multiplies the
    activation before the down projection, so that the down projection's result is not saved.
    """
    routed = _mlp_ops(
        "experts",
        model,
        shape,
        d_ff=moe.d_ff,
        tokens=shape.tokens * shape.ep * moe.top_k / moe.n_experts,
        batch=moe.n_experts / shape.ep,
    )
    return (
        _router("router", model, shape, moe.n_experts, bias=moe.router_bias),
        _dispatch(model, moe, shape),
        *routed,
        *(_shared_ops(model, moe, shape) if moe.n_shared else ()),
        _combine(model, moe, shape),
    )


def _shared_ops(model: Model, moe: Moe, shape: Microbatch) -> tuple[Op, ...]:
    """Return shared experts as one network, after the gate that weighs them if there is one.

    The weight multiplies the activation, as that of the routed experts does.
    """
    gate = (_router("shared_gate", model, shape, 1),) if moe.shared_gate else ()
    network = _mlp_ops("shared_experts", model, shape, d_ff=moe.d_shared, tokens=shape.tokens)
    return gate + network


def _router(name: str, model: Model, shape: Microbatch, width: int, *, bias: bool = False) -> Op:
    """Return the product that gives each token its `width` scores."""
    saved = LOGIT_BYTES * shape.rows * width
    stored = width if bias else 0
    return gemm(name, shape, shape.rows, width, model.d_model, bias=stored, saved_bytes=saved)


def _dispatch(model: Model, moe: Moe, shape: Microbatch) -> Op:
    """Return the copy of each token to its experts.

    It is kept under selective recomputation: to make it again would repeat the all-to-all.
    """
    size, copies = shape.element_bytes, shape.tokens * moe.top_k
    return Op(
        name="dispatch",
        kind=Kind.VECTOR,
        m=copies,
        n=float(model.d_model),
        input_bytes=size * shape.tokens * model.d_model,
        output_bytes=size * copies * model.d_model,
        saved_bytes=size * copies * model.d_model,
    )


def _combine(model: Model, moe: Moe, shape: Microbatch) -> Op:
    """Return the sum of each token's experts, shared ones as one more."""
    size, tokens = shape.element_bytes, shape.tokens
    summands = moe.top_k + (1 if moe.n_shared else 0)
    return Op(
        name="combine",
        kind=Kind.VECTOR,
        m=tokens,
        n=float(model.d_model),
        input_bytes=size * tokens * summands * model.d_model,
        output_bytes=size * tokens * model.d_model,
    )
