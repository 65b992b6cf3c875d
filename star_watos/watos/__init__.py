"""Wafers and clusters training an LLM: plans, memory, iteration time, energy."""

from star_watos.watos.cluster import Cluster
from star_watos.watos.dies import Dies
from star_watos.watos.document import document
from star_watos.watos.hardware import Hardware, load_hardware, machine_of, plans_on
from star_watos.watos.iteration import Iterations, evaluate
from star_watos.watos.legal import Choices, cluster_plans, legal_plans
from star_watos.watos.machine import Machine
from star_watos.watos.plans import Plans, Recompute, Schedule, plans_of
from star_watos.watos.silicon import area_mm2
from star_watos.watos.simulate import (
    Simulation,
    metrics,
    simulate,
    wafer_metrics,
    wafer_overflow,
)
from star_watos.watos.switched import Switched
from star_watos.watos.training import Training
from star_watos.watos.wafer import Wafer

__all__ = [
    "Choices",
    "Cluster",
    "Dies",
    "Hardware",
    "Iterations",
    "Machine",
    "Plans",
    "Recompute",
    "Schedule",
    "Simulation",
    "Switched",
    "Training",
    "Wafer",
    "area_mm2",
    "cluster_plans",
    "document",
    "evaluate",
    "legal_plans",
    "load_hardware",
    "machine_of",
    "metrics",
    "plans_of",
    "plans_on",
    "simulate",
    "wafer_metrics",
    "wafer_overflow",
]
