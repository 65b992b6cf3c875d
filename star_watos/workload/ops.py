"""The operators of a decoder layer, of the embedding and of the head, as one die sees them.

What is saved for the backward pass is what a layer *reads* last: a norm's account holds the
residual stream that enters it. So a layer's saved bytes have its input once, and the last layer's
output is on the head's account.
"""

from star_watos.cost import Column
from star_watos.workload.attention import attention_ops
from star_watos.workload.feed_forward import feed_forward_ops
from star_watos.workload.model import LayerKind, Model
from star_watos.workload.op import (
    LOGIT_BYTES,
    MASK_BYTES,
    Kind,
    Microbatch,
    Op,
    gemm,
    norm,
    residual,
)


def layer_ops(model: Model, shape: Microbatch, layer: LayerKind) -> tuple[Op, ...]:
    """Return the operators of one decoder layer on one die, in the order they run.

    Heads and the width of the feed-forward network are split over `shape.tp` dies; norms, dropouts
    and residual adds are repeated on each, or split by tokens with sequence parallelism (arXiv
    2205.05198, section 4.2).

    >>> from star_watos.workload import load_model
    >>> shape = Microbatch(tokens=4096, seq_len=4096, tp=8)
    >>> [op.name for op in layer_ops(load_model("llama3_8b"), shape, LayerKind.DENSE)]
    ['attention_norm', 'qkv', 'rope', 'attention', 'attention_out', 'attention_residual',
     'mlp_norm', 'mlp_up', 'mlp_activation', 'mlp_down', 'mlp_residual']
    """
    attention = attention_ops(model, shape, layer)
    network = feed_forward_ops(model, shape, layer)
    if model.parallel_block:
        return _side_by_side(model, shape, attention, network)
    return _block("attention", model, shape, attention) + _block("mlp", model, shape, network)


def _block(name: str, model: Model, shape: Microbatch, ops: tuple[Op, ...]) -> tuple[Op, ...]:
    """Return norm, `ops` and add; with four norms a layer, one more before the add."""
    width, params = model.d_model, model.norm_params
    after = norm(f"{name}_post_norm", shape, width, params, saves_result=False)
    return (
        norm(f"{name}_norm", shape, width, params),
        *ops,
        *((after,) if model.norms_per_layer == 4 else ()),
        residual(f"{name}_residual", shape, width, model.dropout),
    )


def _side_by_side(
    model: Model, shape: Microbatch, attention: tuple[Op, ...], network: tuple[Op, ...]
) -> tuple[Op, ...]:
    """Return both blocks on the layer's input and one add; they share a norm, or their norms do it.

    Whichever norm there is second finds its input saved by the first.
    """
    width, params = model.d_model, model.norm_params
    own = norm("mlp_norm", shape, width, params, saves_input=False)
    return (
        norm("attention_norm", shape, width, params),
        *attention,
        *((own,) if model.norms_per_layer == 2 else ()),
        *network,
        residual("residual", shape, width, model.dropout, blocks=2),
    )


def layer_input_bytes(model: Model, shape: Microbatch) -> Column:
    """Return what full recomputation keeps of a layer on one die: its input.

    element_bytes * tokens * d_model, divided by `tp` with sequence parallelism.

    >>> from star_watos.workload import load_model
    >>> layer_input_bytes(load_model("llama2_7b"), Microbatch(tokens=2, seq_len=2))
    16384.0
    """
    return shape.element_bytes * shape.rows * model.d_model


def embedding_ops(model: Model, shape: Microbatch) -> tuple[Op, ...]:
    """Return the lookup that makes the first layer's input; the table is split by vocabulary.

    `weight_bytes` are the rows looked up, not the table. The result is the first layer's input and
    on its account; only a dropout mask is saved here, and what a norm of the embedding reads.
    """
    size, width = shape.element_bytes, model.d_model
    positions = shape.seq_len * width if model.learned_positions else 0.0
    own = model.embedding_dropout
    dropout = model.dropout if own is None else own
    mask = (MASK_BYTES if dropout else 0.0) * shape.rows * width
    lookup = Op(
        name="embedding",
        kind=Kind.VECTOR,
        m=shape.tokens,
        n=float(width),
        weight_bytes=size * (shape.tokens / shape.tp * width + positions),
        output_bytes=size * shape.tokens * width + mask,
        saved_bytes=mask,
    )
    after = norm("embedding_norm", shape, width, model.norm_params, saves_result=False)
    return (lookup, after) if model.embedding_norm else (lookup,)


def head_ops(model: Model, shape: Microbatch) -> tuple[Op, ...]:
    """Return final norm, logits and loss; the vocabulary is split over `tp` dies.

    The logits are saved in fp32, so a microbatch leaves 4 s b h (1 + v / h) bytes at tp = 1 (arXiv
    2205.05198, 4.3). Tied or not, the GEMM reads its weights.
    """
    vocab = model.vocab / shape.tp
    logits = LOGIT_BYTES * shape.tokens * vocab
    loss = Op(
        name="loss",
        kind=Kind.VECTOR,
        m=shape.tokens,
        n=vocab,
        input_bytes=shape.element_bytes * shape.tokens * vocab,
        output_bytes=logits,
    )
    return (
        norm("final_norm", shape, model.d_model, model.norm_params),
        gemm("logits", shape, shape.tokens, vocab, model.d_model, saved_bytes=logits),
        loss,
    )
