"""Other ways to train on a wafer, or on GPUs worth as much, each as strong as its rules allow."""

from star_watos.watos.baselines.megatron import megatron_gpu, megatron_plans, worth
from star_watos.watos.baselines.row_major import RowMajor
from star_watos.watos.baselines.streaming import Streamed, weight_streaming

__all__ = [
    "RowMajor",
    "Streamed",
    "megatron_gpu",
    "megatron_plans",
    "weight_streaming",
    "worth",
]
