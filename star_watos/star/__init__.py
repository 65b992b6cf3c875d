"""One sparse-attention core: stages, tile pipeline, latency, energy, area."""

from star_watos.star.beyond import Beyond, beyond, notes, workload_document
from star_watos.star.core import Core, Resources
from star_watos.star.silicon import area_mm2
from star_watos.star.simulate import Evaluation, document, evaluate, legal_tiles, simulate
from star_watos.star.sparsity import (
    Extrapolation,
    LayerSparsity,
    Measurement,
    Perplexity,
    Sparsity,
)
from star_watos.star.task import AttentionTask
from star_watos.star.work import AttentionWork

__all__ = [
    "AttentionTask",
    "AttentionWork",
    "Beyond",
    "Core",
    "Evaluation",
    "Extrapolation",
    "LayerSparsity",
    "Measurement",
    "Perplexity",
    "Resources",
    "Sparsity",
    "area_mm2",
    "beyond",
    "document",
    "evaluate",
    "legal_tiles",
    "notes",
    "simulate",
    "workload_document",
]
