"""Collectives on a mesh: as transfers step by step, in closed form, and against their bounds."""

from star_watos.fabric.collectives.check import Kind, is_right
from star_watos.fabric.collectives.choose import (
    Algorithm,
    Choice,
    algorithms,
    best,
    choices,
    collective,
)
from star_watos.fabric.collectives.timing import StepFlows, Terms, played, summed, together_s
from star_watos.fabric.collectives.transfers import Transfers

__all__ = [
    "Algorithm",
    "Choice",
    "Kind",
    "StepFlows",
    "Terms",
    "Transfers",
    "algorithms",
    "best",
    "choices",
    "collective",
    "is_right",
    "played",
    "summed",
    "together_s",
]
