"""Area, geometry, power, yield and price of a wafer from its parts."""

from star_watos.cost import Overflow
from star_watos.watos.silicon.area import area_mm2, area_overflow, core_share, die_area_mm2
from star_watos.watos.silicon.geometry import (
    Edge,
    beachfront_overflow,
    edges,
    rectangle_overflows,
    site_mm,
    sites_that_fit,
)
from star_watos.watos.silicon.power import (
    mesh_bytes_per_s,
    power_at_peak_w,
    power_overflow,
    static_power_w,
)
from star_watos.watos.silicon.price import cost_usd, die_yield, good_wafer_cost_usd, wafer_yield
from star_watos.watos.wafer import Wafer

__all__ = [
    "Edge",
    "area_mm2",
    "area_overflow",
    "beachfront_overflow",
    "core_share",
    "cost_usd",
    "die_area_mm2",
    "die_yield",
    "edges",
    "good_wafer_cost_usd",
    "mesh_bytes_per_s",
    "overflows",
    "power_at_peak_w",
    "power_overflow",
    "rectangle_overflows",
    "site_mm",
    "sites_that_fit",
    "static_power_w",
    "wafer_yield",
]


def overflows(wafer: Wafer) -> list[Overflow]:
    """Return everything of the wafer itself that does not fit."""
    single = (
        wafer.edge_overflow(),
        area_overflow(wafer),
        beachfront_overflow(wafer),
        power_overflow(wafer),
    )
    return [*filter(None, single), *rectangle_overflows(wafer)]
