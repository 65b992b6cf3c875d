"""Families after Llama: RMS norms, gates, rotary positions; Qwen, Gemma, Phi-3 and DeepSeek."""

from collections.abc import Iterable

from star_watos.workload.family import Contradiction, Family, Values
from star_watos.workload.keys import (
    Key,
    count,
    count_or_zero,
    flag,
    layer_types,
    layers,
    only,
    probability,
)


def _window_layers(values: Values) -> Values:
    """Every other layer has the window, the lowest first, unless each says what it has."""
    kinds, n_layers = values["layer_types"], values["n_layers"]
    windowed = kinds.count("sliding_attention") if kinds else -(-n_layers // 2)
    return {"windowed_layers": windowed if values["window"] else None}


def _one_type_a_layer(values: Values) -> Iterable[Contradiction]:
    kinds, n_layers = values["layer_types"], values["n_layers"]
    if kinds is not None and len(kinds) != n_layers:
        yield "layer_types", f"expected one for each of the {n_layers} layers"


_LLAMA = {
    "n_layers": Key("num_hidden_layers", layers),
    "d_model": Key("hidden_size", count),
    "n_heads": Key("num_attention_heads", count),
    "n_kv_heads": Key("num_key_value_heads", count, None),
    "head_dim": Key("head_dim", count, None),
    "d_ff": Key("intermediate_size", count),
    "vocab": Key("vocab_size", count),
    "max_seq_len": Key("max_position_embeddings", count),
    "tied_embeddings": Key("tie_word_embeddings", flag, default=False),
    "attention_dropout": Key("attention_dropout", probability, 0.0),
}
_BIASES = {
    "qkv_bias": Key("attention_bias", flag, default=False),
    "out_bias": Key("attention_bias", flag, default=False),
}
_MLP_BIAS = {"mlp_bias": Key("mlp_bias", flag, default=False)}
_TIED = {"tied_embeddings": Key("tie_word_embeddings", flag, default=True)}
_GROUPED = {"n_kv_heads": Key("num_key_value_heads", count, None, named=True)}
_OWN_HEAD_DIM = {"head_dim": Key("head_dim", count, None, named=True)}
_WINDOW = {"window": Key("sliding_window", count, None)}
_NAMED_WINDOW = {"window": Key("sliding_window", count, None, named=True)}
_SOME_LAYERS = "a window in some layers only is not supported in this family"
_NO_WINDOW = {"windowed": only("use_sliding_window", allowed=False, why=_SOME_LAYERS)}
_MIXTRAL_EXPERTS = {
    "n_experts": Key("num_local_experts", count),
    "top_k": Key("num_experts_per_tok", count),
}
_ALTERNATING = "expert layers that alternate are not supported"
_QWEN_EXPERTS = {
    "n_experts": Key("num_experts", count),
    "top_k": Key("num_experts_per_tok", count),
    "expert_d_ff": Key("moe_intermediate_size", count),
    "moe_layer_freq": only("decoder_sparse_step", 1, _ALTERNATING),
    "dense_layers": only("mlp_only_layers", [], _ALTERNATING),
}
_QWEN2_MOE = {
    **_QWEN_EXPERTS,
    "shared_d_ff": Key("shared_expert_intermediate_size", count),
    "qkv_bias": Key("qkv_bias", flag, default=True),
}
_GEMMA = {**_LLAMA, **_GROUPED, **_OWN_HEAD_DIM, **_TIED, **_BIASES}
_GEMMA2 = {**_GEMMA, **_NAMED_WINDOW, "layer_types": Key("layer_types", layer_types, None)}
_PHI3 = {
    **_LLAMA,
    **_WINDOW,
    "dropout": Key("resid_pdrop", probability, 0.0),
    "embedding_dropout": Key("embd_pdrop", probability, 0.0),
}
_DEEPSEEK = {
    **{key: value for key, value in _LLAMA.items() if key != "head_dim"},
    **_BIASES,
    "q_lora_rank": Key("q_lora_rank", count, None, named=True),
    "kv_lora_rank": Key("kv_lora_rank", count),
    "qk_nope_head_dim": Key("qk_nope_head_dim", count),
    "qk_rope_head_dim": Key("qk_rope_head_dim", count),
    "v_head_dim": Key("v_head_dim", count),
    "n_experts": Key("n_routed_experts", count),
    "top_k": Key("num_experts_per_tok", count),
    "expert_d_ff": Key("moe_intermediate_size", count),
    "n_shared": Key("n_shared_experts", count_or_zero, 0, named=True),
    "n_dense_layers": Key("first_k_dense_replace", count_or_zero, 0, named=True),
    "moe_layer_freq": only("moe_layer_freq", 1, _ALTERNATING),
}
_QWEN3 = {**_LLAMA, **_GROUPED, **_OWN_HEAD_DIM, **_BIASES, **_NO_WINDOW}
LLAMA_LIKE = {
    "llama": Family({**_LLAMA, **_BIASES, **_MLP_BIAS}, {}),
    "mistral": Family({**_LLAMA, **_GROUPED, **_NAMED_WINDOW}, {}),
    "mixtral": Family({**_LLAMA, **_GROUPED, **_WINDOW, **_MIXTRAL_EXPERTS}, {}),
    "qwen2": Family({**_LLAMA, **_GROUPED, **_NO_WINDOW}, {"qkv_bias": True}),
    "qwen2_moe": Family(
        {**_LLAMA, **_GROUPED, **_NO_WINDOW, **_QWEN2_MOE}, {"n_shared": 1, "shared_gate": True}
    ),
    "qwen3": Family(_QWEN3, {"qk_norm": True}),
    "qwen3_moe": Family({**_QWEN3, **_QWEN_EXPERTS}, {"qk_norm": True}),
    "gemma": Family(_GEMMA, {}),
    "gemma2": Family(_GEMMA2, {"norms_per_layer": 4}, _window_layers, _one_type_a_layer),
    "phi3": Family(_PHI3, {}),
    "deepseek_v2": Family({**_DEEPSEEK, **_MLP_BIAS}, {}),
    "deepseek_v3": Family(_DEEPSEEK, {"router_bias": True}),
}
"""Read by `FAMILIES`."""
