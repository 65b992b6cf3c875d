"""One sparse-attention core: stages, tile pipeline, latency, energy, area."""

from star_watos.star.between import Between
from star_watos.star.beyond import Beyond, beyond, notes, workload_document
from star_watos.star.core import Core
from star_watos.star.dataflow import (
    STAR,
    Attention,
    Dataflow,
    Predictor,
    Schedule,
    Sorter,
    Tile,
    Tiling,
)
from star_watos.star.document import document
from star_watos.star.resources import Resources
from star_watos.star.run import TaskRun, run_task
from star_watos.star.simulate import Evaluation, evaluate, legal_tiles, simulate
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
    "STAR",
    "Attention",
    "AttentionTask",
    "AttentionWork",
    "Between",
    "Beyond",
    "Core",
    "Dataflow",
    "Evaluation",
    "Extrapolation",
    "LayerSparsity",
    "Measurement",
    "Perplexity",
    "Predictor",
    "Resources",
    "Schedule",
    "Sorter",
    "Sparsity",
    "TaskRun",
    "Tile",
    "Tiling",
    "beyond",
    "document",
    "evaluate",
    "legal_tiles",
    "notes",
    "run_task",
    "simulate",
    "workload_document",
]
