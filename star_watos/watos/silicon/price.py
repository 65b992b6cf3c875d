"""Yield and price of a wafer."""

from star_watos.technology.yields import at_least, dies_per_wafer, repaired_yield
from star_watos.watos.silicon.area import core_share, die_area_mm2, sites
from star_watos.watos.wafer import Wafer


def die_yield(wafer: Wafer) -> float:
    """Share of good compute dies, spare cores used; they are tested before they are placed.

    Of a monolithic wafer it says what its fields would yield if they were cut.
    """
    return _yield(wafer, 1)


def wafer_yield(wafer: Wafer) -> float:
    """Share of good wafers.

    Of placed dies: at least the grid's dies of all sites survive bonding, independently. Of a
    monolithic wafer: no defect outside of cores, and no more in cores than all spare cores.
    """
    if wafer.monolithic:
        return _yield(wafer, sites(wafer))
    bond = wafer.technology.bond_yield
    return at_least(wafer.n_dies, sites(wafer), bond.value if bond else 1.0)


def _yield(wafer: Wafer, n_dies: int) -> float:
    tech = wafer.technology
    return repaired_yield(
        n_dies * die_area_mm2(wafer),
        tech.defect_density_per_mm2.value,
        tech.cluster_parameter.value,
        n_dies * wafer.redundancy.spare_cores,
        core_share(wafer),
    )


def cost_usd(wafer: Wafer) -> float:
    """Price of the parts: good dies and DRAM; assembly, test and the carrier wafer are not in it.

    n (wafer price / (gross dies x yield) + DRAM capacity x price); a monolithic wafer is one wafer.
    """
    tech = wafer.technology
    dram = 0.0
    if wafer.dram:
        dram = wafer.dram.capacity_bytes * tech.dram_price_usd_per_byte.value
    if wafer.monolithic:
        return tech.wafer_price_usd.value + sites(wafer) * dram
    gross = float(dies_per_wafer(die_area_mm2(wafer)))
    die = tech.wafer_price_usd.value / (gross * die_yield(wafer))
    return sites(wafer) * (die + dram)


def good_wafer_cost_usd(wafer: Wafer) -> float | None:
    """Price of the parts of a good wafer: a bad one is thrown away with all that is on it.

    None where no wafer is good.
    """
    good = wafer_yield(wafer)
    return cost_usd(wafer) / good if good > 0 else None
