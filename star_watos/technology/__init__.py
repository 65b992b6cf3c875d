"""Energy, area and cost of circuits, memories and links, each constant with its source."""

from star_watos.technology.core import CoreTechnology, UnitCost
from star_watos.technology.scaling import area_scale, energy_scale
from star_watos.technology.sram import SramBank, sram_bank
from star_watos.technology.wafer import WaferTechnology
from star_watos.technology.yields import dies_per_wafer, negative_binomial_yield

__all__ = [
    "CoreTechnology",
    "SramBank",
    "UnitCost",
    "WaferTechnology",
    "area_scale",
    "dies_per_wafer",
    "energy_scale",
    "negative_binomial_yield",
    "sram_bank",
]
