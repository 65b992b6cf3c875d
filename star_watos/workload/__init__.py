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
    "embedding_ops",
    "embedding_params",
    "head_ops",
    "head_params",
    "layer_input_bytes",
    "layer_kinds",
    "layer_ops",
    "layer_params",
    "load_model",
    "mlp_params",
    "model_from",
    "scored_pairs",
    "share_of_heads",
]
