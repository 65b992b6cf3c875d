"""Wafers and their strategies beside Megatron-LM and weight streaming, and the paper's ratios."""

from star_watos.compare.training.case import Case, Known, known_models
from star_watos.compare.training.document import document
from star_watos.compare.training.rows import Row

__all__ = ["Case", "Known", "Row", "document", "known_models"]
