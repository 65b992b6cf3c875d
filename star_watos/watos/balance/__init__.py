"""Recomputation and memory balanced over the stages of a pipeline."""

from star_watos.watos.balance.document import document
from star_watos.watos.balance.operators import Operator, Options
from star_watos.watos.balance.parking import park
from star_watos.watos.balance.parts import EVERYTHING, Part
from star_watos.watos.balance.pipeline import Pipeline
from star_watos.watos.balance.promise import promising
from star_watos.watos.balance.run import (
    Balanced,
    Comparison,
    balance,
    best_balanced,
    played_s,
)
from star_watos.watos.balance.schedule import Balance, Stage, balanced
from star_watos.watos.balance.simulate import simulate_balanced

__all__ = [
    "EVERYTHING",
    "Balance",
    "Balanced",
    "Comparison",
    "Operator",
    "Options",
    "Part",
    "Pipeline",
    "Stage",
    "balance",
    "balanced",
    "best_balanced",
    "document",
    "park",
    "played_s",
    "promising",
    "simulate_balanced",
]
