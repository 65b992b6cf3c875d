"""Models as operators: FLOPs, bytes and saved activations from a Hugging Face config."""

from star_watos.workload.attention import scored_pairs
from star_watos.workload.huggingface import load_model, model_from
from star_watos.workload.model import (
    LayerKind,
    Mla,
    Model,
    Moe,
    Norm,
    embedding_params,
    head_params,
    layer_kinds,
    layer_params,
    mlp_params,
)
from star_watos.workload.op import Attention, Kind, Microbatch, Op, share_of_heads
from star_watos.workload.ops import embedding_ops, head_ops, layer_input_bytes, layer_ops
from star_watos.workload.serving import cached_bytes, decode_ops, logits_ops, prefill_ops

__all__ = [
    "Attention",
    "Kind",
    "LayerKind",
    "Microbatch",
    "Mla",
    "Model",
    "Moe",
    "Norm",
    "Op",
    "cached_bytes",
    "decode_ops",
    "embedding_ops",
    "embedding_params",
    "head_ops",
    "head_params",
    "layer_input_bytes",
    "layer_kinds",
    "layer_ops",
    "layer_params",
    "load_model",
    "logits_ops",
    "mlp_params",
    "model_from",
    "prefill_ops",
    "scored_pairs",
    "share_of_heads",
]
