"""Broken dies, links and cores: what schedules make of what is left."""

from star_watos.watos.faults.curve import Draw, Kind, cases_of, draws
from star_watos.watos.faults.curve import document as curve_document
from star_watos.watos.faults.document import document
from star_watos.watos.faults.draw import Damage, Faults, check_size, parse, rate
from star_watos.watos.faults.search import Found
from star_watos.watos.faults.study import Outcome, Study

__all__ = [
    "Damage",
    "Draw",
    "Faults",
    "Found",
    "Kind",
    "Outcome",
    "Study",
    "cases_of",
    "check_size",
    "curve_document",
    "document",
    "draws",
    "parse",
    "rate",
]
