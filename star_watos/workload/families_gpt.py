"""Families after GPT: layer norms, networks without a gate; blocks side by side, ALiBi."""

from collections.abc import Iterable

from star_watos.workload.family import Contradiction, Family, Values
from star_watos.workload.keys import Key, count, flag, layers, mapping, only, probability
from star_watos.workload.model import Norm


def _unprojected(values: Values) -> Iterable[Contradiction]:
    width, d_model = values["embedding_width"], values["d_model"]
    if width not in (None, d_model):
        text = f"expected the width {d_model} (projected embeddings are not supported)"
        yield "embedding_width", f"{text}, got {width}"


def _falcon_heads(values: Values) -> Values:
    """Return key-value heads and norms; `num_kv_heads` counts in the new architecture only."""
    new = values["new_architecture"]
    one_head = values["multi_query"] and not new
    norms = values["norms_per_layer"] or (2 if new else 1)
    return {
        "n_kv_heads": 1 if one_head else values["n_kv_heads"],
        "norms_per_layer": norms if values["parallel_block"] else 2,
    }


def _falcon_contradictions(values: Values) -> Iterable[Contradiction]:
    new, heads = values["new_architecture"], values["n_heads"]
    if new and not values["parallel_block"]:
        yield "parallel_block", "expected true with new_decoder_architecture, got False"
    norms, most = values["norms_per_layer"] or 1, 2 if new else 1
    if values["parallel_block"] and norms > most:
        yield "norms_per_layer", f"expected {most} at most in this architecture, got {norms}"
    kv_heads = values["n_kv_heads"] or heads
    if not new and not values["multi_query"] and kv_heads != heads:
        text = f"expected all {heads} heads without multi_query and new_decoder_architecture"
        yield "n_kv_heads", f"{text}, got {kv_heads}"


def _mpt_width(values: Values) -> Values:
    return {"d_ff": values["expansion"] * values["d_model"]}


_ENDS = {
    "vocab": Key("vocab_size", count),
    "tied_embeddings": Key("tie_word_embeddings", flag, default=True),
}
_GPT2 = {
    "n_layers": Key("n_layer", layers),
    "d_model": Key("n_embd", count),
    "n_heads": Key("n_head", count),
    "d_ff": Key("n_inner", count, None),
    "max_seq_len": Key("n_positions", count),
    **_ENDS,
    "dropout": Key("resid_pdrop", probability, 0.1),
    "embedding_dropout": Key("embd_pdrop", probability, 0.1),
    "attention_dropout": Key("attn_pdrop", probability, 0.1),
}
_POST_NORM = "norms after the blocks are not supported"
_NO_WEIGHTS = "norms without weights are not supported"
_FINAL_NORM = "a model without its last norm is not supported"
_OPT = {
    "n_layers": Key("num_hidden_layers", layers),
    "d_model": Key("hidden_size", count),
    "n_heads": Key("num_attention_heads", count),
    "max_seq_len": Key("max_position_embeddings", count),
    **_ENDS,
    "d_ff": Key("ffn_dim", count),
    "dropout": Key("dropout", probability, 0.1),
    "attention_dropout": Key("attention_dropout", probability, 0.0),
    **{name: Key("enable_bias", flag, default=True) for name in ("qkv_bias", "out_bias")},
    "mlp_bias": Key("enable_bias", flag, default=True),
    "embedding_width": Key("word_embed_proj_dim", count, None),
    "norm_before": only("do_layer_norm_before", allowed=True, why=_POST_NORM),
    "norm_weights": only("layer_norm_elementwise_affine", allowed=True, why=_NO_WEIGHTS),
    "no_final_norm": only("_remove_final_layer_norm", allowed=False, why=_FINAL_NORM),
    "layer_dropout": only("layerdrop", 0, "layers left out are not modelled"),
}
_BLOOM = {
    "n_layers": Key("n_layer", layers, also="num_hidden_layers"),
    "d_model": Key("hidden_size", count, also="n_embed"),
    "n_heads": Key("n_head", count, also="num_attention_heads"),
    "max_seq_len": Key("seq_length", count, 2048),  # BLOOM's own, arXiv 2211.05100
    **_ENDS,
    "dropout": Key("hidden_dropout", probability, 0.0),
    "attention_dropout": Key("attention_dropout", probability, 0.0),
    "residual_of_norm": only(
        "apply_residual_connection_post_layernorm",
        allowed=False,
        why="adding the norm's result is not supported",
    ),
}
_NEOX = {
    "n_layers": Key("num_hidden_layers", layers),
    "d_model": Key("hidden_size", count),
    "n_heads": Key("num_attention_heads", count),
    "d_ff": Key("intermediate_size", count),
    "vocab": Key("vocab_size", count),
    "max_seq_len": Key("max_position_embeddings", count),
    "tied_embeddings": Key("tie_word_embeddings", flag, default=False),
    "attention_dropout": Key("attention_dropout", probability, 0.0),
    "qkv_bias": Key("attention_bias", flag, default=True),
    "out_bias": Key("attention_bias", flag, default=True),
    "dropout": Key("hidden_dropout", probability, 0.0),
    "parallel_block": Key("use_parallel_residual", flag, default=True),
}
# Blocks side by side would have one mask for both, and others drop attention's output at the rate
# of the scores. Published models drop nothing.
_NO_DROPOUT = "dropout is not modelled in this family"
_FALCON = {
    "n_layers": Key("num_hidden_layers", layers),
    "d_model": Key("hidden_size", count, also="n_embed"),
    "n_heads": Key("num_attention_heads", count),
    "n_kv_heads": Key("num_kv_heads", count, None),
    "d_ff": Key("ffn_hidden_size", count, None),
    "max_seq_len": Key("max_position_embeddings", count, 2048),
    **_ENDS,
    "alibi": Key("alibi", flag, default=False),
    "multi_query": Key("multi_query", flag, default=True),
    "new_architecture": Key("new_decoder_architecture", flag, default=False),
    "parallel_block": Key("parallel_attn", flag, default=True),
    "norms_per_layer": Key("num_ln_in_parallel_attn", count, None),
    **{name: Key("bias", flag, default=False) for name in ("qkv_bias", "out_bias", "mlp_bias")},
    "dropout": only("hidden_dropout", 0, _NO_DROPOUT),
    "attention_dropout": only("attention_dropout", 0, _NO_DROPOUT),
}
_SHARED_HEADS = "shared keys and values are not supported in this family"
_QK_NORM = "norms of queries and keys are not supported in this family"
_MPT = {
    "n_layers": Key("n_layers", layers),
    "d_model": Key("d_model", count),
    "n_heads": Key("n_heads", count),
    "expansion": Key("expansion_ratio", count, 4),
    "max_seq_len": Key("max_seq_len", count),
    **_ENDS,
    "dropout": Key("resid_pdrop", probability, 0.0),
    "embedding_dropout": Key("emb_pdrop", probability, 0.0),
    "attention": Key("attn_config", mapping, None),
    "attention_dropout": Key("attn_config.attn_pdrop", probability, 0.0),
    "biases": only("no_bias", allowed=True, why="biases are not supported in this family"),
    "alibi": only("attn_config.alibi", allowed=True, why="only ALiBi is supported"),
    "own_heads": only("attn_config.attn_type", "multihead_attention", _SHARED_HEADS),
    "qk_norm": only("attn_config.qk_ln", allowed=False, why=_QK_NORM),
    "prefix": only("attn_config.prefix_lm", allowed=False, why="prefixes are not supported"),
}
_LAYER_NORM = {"gated": False, "norm": Norm.LAYER}
_LINEAR_BIASES = {"qkv_bias": True, "out_bias": True, "mlp_bias": True}
GPT_LIKE = {
    "gpt2": Family(_GPT2, {**_LAYER_NORM, **_LINEAR_BIASES, "learned_positions": True}),
    # "We do not apply any dropout to embeddings" (arXiv 2205.01068, 2.2).
    "opt": Family(
        _OPT,
        {**_LAYER_NORM, "learned_positions": True, "unused_positions": 2, "embedding_dropout": 0.0},
        contradictions=_unprojected,
    ),
    "bloom": Family(
        _BLOOM,
        {
            **_LAYER_NORM,
            **_LINEAR_BIASES,
            "alibi": True,
            "embedding_norm": True,
            "embedding_dropout": 0.0,
        },
    ),
    "gpt_neox": Family(_NEOX, {**_LAYER_NORM, "mlp_bias": True}),
    "falcon": Family(_FALCON, _LAYER_NORM, _falcon_heads, _falcon_contradictions),
    # Its layer norms have no shift.
    "mpt": Family(_MPT, {"gated": False, "norm": Norm.RMS}, _mpt_width),
}
"""Read by `FAMILIES`."""
