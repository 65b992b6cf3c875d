"""Area of a wafer from its parts."""

from star_watos.cost import Overflow
from star_watos.watos.wafer import Wafer


def sites(wafer: Wafer) -> int:
    """Return the dies on the wafer, spare ones too."""
    return wafer.n_dies + wafer.redundancy.spare_dies


def area_mm2(wafer: Wafer) -> dict[str, float]:
    """Silicon by part, of all dies, spare cores and dies too, in mm2: units times unit area.

    Parts: macs, sram, core_overhead (scalar, vector, router), d2d, dram (in the wafer's plane).
    """
    tech, die, n_dies = wafer.technology, wafer.die, sites(wafer)
    cores = n_dies * (die.cores.size + wafer.redundancy.spare_cores)
    d2d = wafer.d2d.bandwidth_bytes_per_s * tech.d2d_area_mm2_per_bytes_per_s.value
    return {
        "macs": cores * die.core.n_macs * tech.mac_area_mm2.value,
        "sram": cores * die.core.sram_bytes / 1e6 * tech.sram_area_mm2_per_mb.value,
        "core_overhead": cores * tech.core_overhead_area_mm2.value,
        "d2d": n_dies * d2d,
        "dram": n_dies * dram_area_mm2(wafer),
    }


def die_area_mm2(wafer: Wafer) -> float:
    """Area of one compute die, without its DRAM."""
    parts = area_mm2(wafer)
    return (sum(parts.values()) - parts["dram"]) / sites(wafer)


def core_share(wafer: Wafer) -> float:
    """Share of a die's area in its cores: a defect there costs one core, elsewhere the die."""
    parts = area_mm2(wafer)
    cores = parts["macs"] + parts["sram"] + parts["core_overhead"]
    return cores / (cores + parts["d2d"])


def dram_area_mm2(wafer: Wafer) -> float:
    """Area in the wafer's plane that the DRAM of one die takes."""
    return wafer.dram.stacks_per_die * wafer.dram.stack_area_mm2 if wafer.dram else 0.0


def area_overflow(wafer: Wafer) -> Overflow | None:
    """Return by how much the parts exceed the usable area, if they do."""
    need, have = sum(area_mm2(wafer).values()), wafer.usable_area_mm2
    return Overflow("dies and DRAM on the wafer", need, have, "mm2") if need > have else None
