"""Bit-accurate models of what a sparse-attention core computes, for any tensors.

Prediction (DLZS and others), sorting (SADS), attention (SU-FA and references), load order (RASS).
"""

from star_watos.star.algorithms.attention import Attended, flash_attention2, softmax_attention
from star_watos.star.algorithms.fixed import Fixed, quantize
from star_watos.star.algorithms.leading_zero import Snap, leading_zeros, shift_product, snap
from star_watos.star.algorithms.operations import MaskCounts, Operations, mask_counts
from star_watos.star.algorithms.predictors import Encode, Method, Predictor, Prepared
from star_watos.star.algorithms.rass import in_order_loads, rass_loads, schedule
from star_watos.star.algorithms.sads import Sads, SortedRows
from star_watos.star.algorithms.segments import Layout
from star_watos.star.algorithms.sufa import (
    Arithmetic,
    SufaAttended,
    max_updates,
    predicted_order,
    sufa,
)
from star_watos.star.algorithms.top import Ranking

__all__ = [
    "Arithmetic",
    "Attended",
    "Encode",
    "Fixed",
    "Layout",
    "MaskCounts",
    "Method",
    "Operations",
    "Predictor",
    "Prepared",
    "Ranking",
    "Sads",
    "Snap",
    "SortedRows",
    "SufaAttended",
    "flash_attention2",
    "in_order_loads",
    "leading_zeros",
    "mask_counts",
    "max_updates",
    "predicted_order",
    "quantize",
    "rass_loads",
    "schedule",
    "shift_product",
    "snap",
    "softmax_attention",
    "sufa",
]
