"""How the models of each Hugging Face `model_type` spell their numbers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from star_watos.workload.model import Norm

REQUIRED = object()
"""The default of a key that has none."""
_LARGEST = 10**9


@dataclass(frozen=True, slots=True)
class Key:
    """How one number is spelled in the file, what it may be, and what its absence means."""

    name: str
    parse: Callable[[object], Any]
    default: Any = REQUIRED
    """What null means, and absence unless the key is `named`."""
    named: bool = False
    """Whether the key must be there even if null: a missing one would mean another model's number.
    """


@dataclass(frozen=True, slots=True)
class Family:
    """Where one `model_type` keeps its numbers, and what all its models have in common."""

    keys: Mapping[str, Key]
    constant: Mapping[str, Any]


def _count(value: object, least: int = 1) -> int:
    number = value if isinstance(value, int | float) and not isinstance(value, bool) else -1
    if number % 1 or not least <= number <= _LARGEST:
        raise ValueError(f"expected a whole number from {least} to {_LARGEST}")
    return int(number)


def _count_or_zero(value: object) -> int:
    return _count(value, least=0)


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError("expected true or false")  # noqa: TRY004 (collected with the others)
    return value


def _off(value: object) -> bool:
    if value is not False:
        raise ValueError("expected false (a window in some layers only is not supported)")
    return False


def _probability(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1:
        raise ValueError("expected a number from 0 to less than 1")
    return float(value)


def _one(value: object) -> int:
    if isinstance(value, bool) or value != 1:
        raise ValueError("expected 1 (expert layers that alternate are not supported)")
    return 1


_LLAMA = {
    "n_layers": Key("num_hidden_layers", _count),
    "d_model": Key("hidden_size", _count),
    "n_heads": Key("num_attention_heads", _count),
    "n_kv_heads": Key("num_key_value_heads", _count, None),
    "head_dim": Key("head_dim", _count, None),
    "d_ff": Key("intermediate_size", _count),
    "vocab": Key("vocab_size", _count),
    "max_seq_len": Key("max_position_embeddings", _count),
    "tied_embeddings": Key("tie_word_embeddings", _flag, default=False),
    "attention_dropout": Key("attention_dropout", _probability, 0.0),
}
_BIASES = {
    "qkv_bias": Key("attention_bias", _flag, default=False),
    "out_bias": Key("attention_bias", _flag, default=False),
}
_GROUPED = {"n_kv_heads": Key("num_key_value_heads", _count, None, named=True)}
_OWN_HEAD_DIM = {"head_dim": Key("head_dim", _count, None, named=True)}
_WINDOW = {"window": Key("sliding_window", _count, None)}
_NAMED_WINDOW = {"window": Key("sliding_window", _count, None, named=True)}
_NO_WINDOW = {"windowed": Key("use_sliding_window", _off, default=False)}
_MIXTRAL_EXPERTS = {
    "n_experts": Key("num_local_experts", _count),
    "top_k": Key("num_experts_per_tok", _count),
}
_GPT2 = {
    "n_layers": Key("n_layer", _count),
    "d_model": Key("n_embd", _count),
    "n_heads": Key("n_head", _count),
    "d_ff": Key("n_inner", _count, None),
    "vocab": Key("vocab_size", _count),
    "max_seq_len": Key("n_positions", _count),
    "tied_embeddings": Key("tie_word_embeddings", _flag, default=True),
    "dropout": Key("resid_pdrop", _probability, 0.1),
    "attention_dropout": Key("attn_pdrop", _probability, 0.1),
}
_DEEPSEEK = {
    **{key: value for key, value in _LLAMA.items() if key != "head_dim"},
    **_BIASES,
    "q_lora_rank": Key("q_lora_rank", _count, None, named=True),
    "kv_lora_rank": Key("kv_lora_rank", _count),
    "qk_nope_head_dim": Key("qk_nope_head_dim", _count),
    "qk_rope_head_dim": Key("qk_rope_head_dim", _count),
    "v_head_dim": Key("v_head_dim", _count),
    "n_experts": Key("n_routed_experts", _count),
    "top_k": Key("num_experts_per_tok", _count),
    "expert_d_ff": Key("moe_intermediate_size", _count),
    "n_shared": Key("n_shared_experts", _count_or_zero, 0, named=True),
    "n_dense_layers": Key("first_k_dense_replace", _count_or_zero, 0, named=True),
    "moe_layer_freq": Key("moe_layer_freq", _one, 1),
}
_LINEAR_BIASES = {"qkv_bias": True, "out_bias": True, "mlp_bias": True}
# The defaults are those of the configuration classes in Hugging Face transformers 4.46.
FAMILIES = {
    "gpt2": Family(
        _GPT2, {"gated": False, "norm": Norm.LAYER, "learned_positions": True, **_LINEAR_BIASES}
    ),
    "llama": Family({**_LLAMA, **_BIASES, "mlp_bias": Key("mlp_bias", _flag, default=False)}, {}),
    "mistral": Family({**_LLAMA, **_GROUPED, **_NAMED_WINDOW}, {}),
    "mixtral": Family({**_LLAMA, **_GROUPED, **_WINDOW, **_MIXTRAL_EXPERTS}, {}),
    "qwen2": Family({**_LLAMA, **_GROUPED, **_NO_WINDOW}, {"qkv_bias": True}),
    "qwen3": Family(
        {**_LLAMA, **_GROUPED, **_OWN_HEAD_DIM, **_BIASES, **_NO_WINDOW}, {"qk_norm": True}
    ),
    "deepseek_v3": Family(_DEEPSEEK, {"router_bias": True}),
}
