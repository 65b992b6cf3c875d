"""Recomputation and memory balanced over the stages of a pipeline."""

from star_watos.watos.balance.document import document
from star_watos.watos.balance.operators import Operator, Options
from star_watos.watos.balance.parking import park
from star_watos.watos.balance.run import Balanced, Comparison, balance
from star_watos.watos.balance.schedule import Balance, Stage, balanced

__all__ = [
    "Balance",
    "Balanced",
    "Comparison",
    "Operator",
    "Options",
    "Stage",
    "balance",
    "balanced",
    "document",
    "park",
]
