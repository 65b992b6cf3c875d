"""Area, yield and price of a wafer from its parts."""

from star_watos.cost import Overflow
from star_watos.technology.yields import dies_per_wafer, negative_binomial_yield
from star_watos.watos.wafer import Wafer


def area_mm2(wafer: Wafer) -> dict[str, float]:
    """Silicon by part, of all dies, in mm2: units times unit area.

    Parts: macs, sram, core_overhead (scalar, vector, router), d2d, dram (in the wafer's plane).
    """
    tech, die = wafer.technology, wafer.die
    cores = wafer.n_dies * die.cores.size
    d2d = wafer.d2d.bandwidth_bytes_per_s * tech.d2d_area_mm2_per_bytes_per_s.value
    return {
        "macs": cores * die.core.n_macs * tech.mac_area_mm2.value,
        "sram": cores * die.core.sram_bytes / 1e6 * tech.sram_area_mm2_per_mb.value,
        "core_overhead": cores * tech.core_overhead_area_mm2.value,
        "d2d": wafer.n_dies * d2d,
        "dram": wafer.n_dies * wafer.dram.stacks_per_die * wafer.dram.stack_area_mm2,
    }


def die_area_mm2(wafer: Wafer) -> float:
    """Area of one compute die, without its DRAM."""
    parts = area_mm2(wafer)
    return (sum(parts.values()) - parts["dram"]) / wafer.n_dies


def area_overflow(wafer: Wafer) -> Overflow | None:
    """Return by how much the parts exceed the usable area, if they do."""
    need, have = sum(area_mm2(wafer).values()), wafer.usable_area_mm2
    return Overflow("dies and DRAM on the wafer", need, have, "mm2") if need > have else None


def die_yield(wafer: Wafer) -> float:
    """Share of good compute dies; dies are tested before they are placed on the wafer."""
    tech = wafer.technology
    defects, cluster = tech.defect_density_per_mm2.value, tech.cluster_parameter.value
    return float(negative_binomial_yield(die_area_mm2(wafer), defects, cluster))


def cost_usd(wafer: Wafer) -> float:
    """Price of good dies and DRAM; assembly, test and the carrier wafer are not in it.

    cost = n (wafer price / (gross dies x yield) + capacity x price)
    """
    tech = wafer.technology
    gross = float(dies_per_wafer(die_area_mm2(wafer)))
    die = tech.wafer_price_usd.value / (gross * die_yield(wafer))
    dram = wafer.dram.capacity_bytes * tech.dram_price_usd_per_byte.value
    return wafer.n_dies * (die + dram)
