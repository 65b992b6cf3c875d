"""One wafer training an LLM: plans, memory, iteration time, energy."""

from star_watos.watos.iteration import Iterations, evaluate
from star_watos.watos.plans import Plans, Recompute, legal_plans
from star_watos.watos.silicon import area_mm2
from star_watos.watos.simulate import (
    Simulation,
    document,
    metrics,
    simulate,
    wafer_metrics,
    wafer_overflow,
)
from star_watos.watos.training import Training
from star_watos.watos.wafer import Wafer

__all__ = [
    "Iterations",
    "Plans",
    "Recompute",
    "Simulation",
    "Training",
    "Wafer",
    "area_mm2",
    "document",
    "evaluate",
    "legal_plans",
    "metrics",
    "simulate",
    "wafer_metrics",
    "wafer_overflow",
]
