"""Broken dies, links and cores: what schedules make of what is left."""

from star_watos.watos.faults.draw import Damage, Faults, parse
from star_watos.watos.faults.search import Found
from star_watos.watos.faults.study import Outcome, Study

__all__ = ["Damage", "Faults", "Found", "Outcome", "Study", "parse"]
