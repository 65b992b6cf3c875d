"""A decoder-only transformer as plain numbers, and how many parameters each part of it has."""

from dataclasses import dataclass
from enum import Enum


class Norm(Enum):
    """How activations are normalised; the value is the number of weight vectors a norm has."""

    RMS = 1
    """Scale only; also for layer norms without a shift, which read and write as much."""
    LAYER = 2
    """Scale and shift."""


class LayerKind(Enum):
    """What a decoder layer is made of."""

    DENSE = "dense"
    """Attention and a feed-forward network."""
    WINDOWED = "windowed"
    """The same, with a window that the other layers do not have."""
    MOE = "moe"
    """Attention and experts."""


@dataclass(frozen=True, slots=True)
class Moe:
    """The experts that replace the feed-forward network in all but the first layers."""

    n_experts: int
    """Routed experts of a layer."""
    top_k: int
    """Routed experts that each token visits."""
    d_ff: int
    """Width of one expert."""
    n_shared: int = 0
    """Experts that every token visits."""
    shared_d_ff: int | None = None
    """Width of all of them together; None for that of as many routed ones."""
    shared_gate: bool = False
    """Whether each token weighs the shared experts by a number of its own (Qwen2-MoE)."""
    n_dense_layers: int = 0
    """Layers at the beginning that have one feed-forward network instead."""
    router_bias: bool = False
    """Whether the router adds one stored number an expert (`e_score_correction_bias`)."""

    @property
    def d_shared(self) -> int:
        """Width of all shared experts together."""
        return self.n_shared * self.d_ff if self.shared_d_ff is None else self.shared_d_ff


@dataclass(frozen=True, slots=True)
class Mla:
    """Multi-head latent attention: queries, keys and values come out of narrow latent vectors.

    Source: DeepSeek-V2, arXiv 2405.04434, section 2.1.
    """

    kv_lora_rank: int
    qk_nope_head_dim: int
    """Width of the part of a query or key that has no rotary position."""
    qk_rope_head_dim: int
    """Width of the rotary part; its key is shared by all heads."""
    v_head_dim: int
    q_lora_rank: int | None = None
    """Width of the query latent; None where queries come straight from the input."""


@dataclass(frozen=True, slots=True)
class Model:
    """The numbers of a decoder-only transformer that decide its work and its memory.

    >>> tiny = Model("tiny", n_layers=2, d_model=8, n_heads=2, n_kv_heads=1, head_dim=4,
    ...              d_ff=16, vocab=10, max_seq_len=32)
    >>> tiny.d_q, tiny.d_kv, tiny.n_params
    (8, 4, 1352)
    """

    name: str
    n_layers: int
    d_model: int
    n_heads: int
    n_kv_heads: int
    head_dim: int
    """Width of one query and key; of a value too, unless `mla` says otherwise."""
    d_ff: int
    """Width of the feed-forward network of a dense layer."""
    vocab: int
    max_seq_len: int
    gated: bool = True
    """Whether the feed-forward network has a gate beside its up projection (SwiGLU)."""
    norm: Norm = Norm.RMS
    qk_norm: bool = False
    """Whether each head's query and key are normalised (Qwen3)."""
    qkv_bias: bool = False
    out_bias: bool = False
    """Whether the projection after attention has a bias."""
    mlp_bias: bool = False
    tied_embeddings: bool = False
    """Whether the logits reuse the token embedding."""
    learned_positions: bool = False
    """Whether positions are a table of `max_seq_len` rows; otherwise they are rotary, or ALiBi."""
    unused_positions: int = 0
    """Rows of that table beyond `max_seq_len` (OPT)."""
    alibi: bool = False
    """Whether distance is subtracted from the scores instead; it takes no table and no rotation."""
    causal: bool = True
    window: int | None = None
    """How many tokens back attention reaches; None for all."""
    windowed_layers: int | None = None
    """How many layers have the window; None for all. They may alternate with those that have none.
    """
    parallel_block: bool = False
    """Whether attention and feed-forward network both read the layer's input, and one add ends it.
    """
    norms_per_layer: int = 2
    """One before each block; 1 if parallel blocks share theirs, 4 with one after each (Gemma 2)."""
    embedding_norm: bool = False
    """Whether the embedding is normalised before the first layer (BLOOM)."""
    dropout: float = 0.0
    """Probability of dropping an element before each residual add."""
    embedding_dropout: float | None = None
    """Probability of dropping an element of the embedding; None for that of the residual adds."""
    attention_dropout: float = 0.0
    """Probability of dropping a softmax output."""
    moe: Moe | None = None
    mla: Mla | None = None

    def __post_init__(self) -> None:
        """Refuse what no kind of layer stands for."""
        if self.moe is not None and self.windowed_layers is not None:
            raise ValueError("windowed_layers: experts with a window in some layers are not known")

    def window_of(self, layer: LayerKind) -> int | None:
        """Return how many tokens back attention of such a layer reaches; None for all."""
        everywhere = self.windowed_layers is None
        return self.window if everywhere or layer is LayerKind.WINDOWED else None

    @property
    def n_bottom_layers(self) -> int:
        """Layers at the bottom that differ from all above; 0 where kinds do not follow so."""
        dense = self.moe.n_dense_layers if self.moe else 0
        return dense if dense < self.n_layers else 0

    @property
    def qk_head_dim(self) -> int:
        """Width of one head's query and key."""
        return self.mla.qk_nope_head_dim + self.mla.qk_rope_head_dim if self.mla else self.head_dim

    @property
    def v_head_dim(self) -> int:
        """Width of one head's value."""
        return self.mla.v_head_dim if self.mla else self.head_dim

    @property
    def d_q(self) -> int:
        """Width of all queries of a token."""
        return self.n_heads * self.qk_head_dim

    @property
    def d_kv(self) -> int:
        """Width of all keys of a token; without MLA, of all its values too."""
        return self.n_kv_heads * self.qk_head_dim

    @property
    def d_context(self) -> int:
        """Width of what attention gives to its output projection."""
        return self.n_heads * self.v_head_dim

    @property
    def norm_params(self) -> int:
        """Parameters of one norm over `d_model`."""
        return self.norm.value * self.d_model

    @property
    def n_params(self) -> int:
        """All parameters; tied embeddings once, multi-token-prediction modules not at all."""
        layers = sum(count * layer_params(self, kind) for kind, count in layer_kinds(self))
        return embedding_params(self) + layers + head_params(self)

    @property
    def n_active_params(self) -> int:
        """Parameters that one token meets: all but the routed experts it does not visit."""
        if self.moe is None:
            return self.n_params
        idle = (self.moe.n_experts - self.moe.top_k) * mlp_params(self, self.moe.d_ff)
        return self.n_params - (self.n_layers - self.moe.n_dense_layers) * idle


def layer_kinds(model: Model) -> tuple[tuple[LayerKind, int], ...]:
    """Return the kinds of decoder layers from bottom to top, and how many there are of each.

    Layers with a window and without may alternate: all of one kind are counted together.
    """
    if model.moe is None:
        windowed = model.windowed_layers or 0
        counts = ((LayerKind.WINDOWED, windowed), (LayerKind.DENSE, model.n_layers - windowed))
    else:
        dense = model.moe.n_dense_layers
        counts = ((LayerKind.DENSE, dense), (LayerKind.MOE, model.n_layers - dense))
    return tuple((kind, count) for kind, count in counts if count)


def embedding_params(model: Model) -> int:
    """Return the parameters of the token table, and of a position table and norm if there are."""
    positions = model.max_seq_len + model.unused_positions if model.learned_positions else 0
    norm = model.norm_params if model.embedding_norm else 0
    return (model.vocab + positions) * model.d_model + norm


def head_params(model: Model) -> int:
    """Return the parameters of the final norm, and of the logits unless they are tied."""
    return model.norm_params + (0 if model.tied_embeddings else model.vocab * model.d_model)


def layer_params(model: Model, kind: LayerKind) -> int:
    """Return the parameters of one decoder layer: norms, attention, feed-forward."""
    attention = _mla_params(model, model.mla) if model.mla else _attention_params(model)
    return model.norms_per_layer * model.norm_params + attention + _feed_forward_params(model, kind)


def mlp_params(model: Model, d_ff: int) -> int:
    """Return the parameters of one feed-forward network, or expert, of width `d_ff`."""
    wide = (2 if model.gated else 1) * d_ff
    bias = wide + model.d_model if model.mlp_bias else 0
    return model.d_model * (wide + d_ff) + bias


def _attention_params(model: Model) -> int:
    """Return the parameters of q, k, v and output projections (`d_model` x width each)."""
    wide = model.d_q + 2 * model.d_kv
    bias = (wide if model.qkv_bias else 0) + (model.d_model if model.out_bias else 0)
    qk_norm = 2 * model.head_dim if model.qk_norm else 0
    return model.d_model * (wide + model.d_context) + bias + qk_norm


def _mla_params(model: Model, mla: Mla) -> int:
    """Return the parameters of latent attention; the latents have a scale vector each."""
    kv_a = mla.kv_lora_rank + mla.qk_rope_head_dim
    kv_b = model.n_heads * (mla.qk_nope_head_dim + mla.v_head_dim)
    kv = model.d_model * kv_a + mla.kv_lora_rank * (1 + kv_b)
    rank = mla.q_lora_rank
    q = model.d_model * model.d_q if rank is None else rank * (model.d_model + 1 + model.d_q)
    bias = ((rank or 0) + kv_a if model.qkv_bias else 0) + (model.d_model if model.out_bias else 0)
    return q + kv + model.d_context * model.d_model + bias


def _feed_forward_params(model: Model, kind: LayerKind) -> int:
    if kind is not LayerKind.MOE or model.moe is None:
        return mlp_params(model, model.d_ff)
    moe = model.moe
    router = moe.n_experts * (model.d_model + (1 if moe.router_bias else 0))
    shared = mlp_params(model, moe.d_shared) if moe.n_shared else 0
    gate = model.d_model if moe.shared_gate else 0
    return router + moe.n_experts * mlp_params(model, moe.d_ff) + shared + gate
