"""Power of a wafer by part, every part at its full rate at once: more than any work draws."""

import math

from star_watos.cost import Overflow
from star_watos.watos.silicon.area import die_area_mm2
from star_watos.watos.wafer import Wafer


def static_power_w(wafer: Wafer) -> float:
    """Leakage of all dies."""
    macs = wafer.n_dies * wafer.die.cores.size * wafer.die.core.n_macs
    return macs * wafer.technology.mac_static_power_w.value


def power_at_peak_w(wafer: Wafer) -> dict[str, float]:
    """Power by part, in W: rate times energy, with the constants of an iteration's energy.

    - macs: peak FLOP/s / 2
    - sram: operands of the arrays, a + b 16-bit numbers a cycle for a x b MACs
    - noc: see `noc_power_w`
    - d2d: all links of the mesh, both ways; dram: its bandwidth
    - off_wafer: in and out, where the technology says its energy
    - static: leakage
    """
    tech, core, peak = wafer.technology, wafer.die.core, wafer.peak_flops_per_s
    operands = peak * (1 / core.mac_rows + 1 / core.mac_cols)
    dram = wafer.n_dies * wafer.dram_bytes_per_s
    return {
        "macs": peak / 2 * tech.mac_energy_j.value,
        "sram": operands * tech.sram_energy_j_per_byte.value,
        "noc": noc_power_w(wafer),
        "d2d": mesh_bytes_per_s(wafer) * tech.d2d_energy_j_per_byte.value,
        "dram": dram * tech.dram_energy_j_per_byte.value,
        "off_wafer": _off_wafer_w(wafer),
        "static": static_power_w(wafer),
    }


def mesh_bytes_per_s(wafer: Wafer) -> float:
    """Bandwidth of all links between dies, each direction counted: those at the rim lead nowhere.

    2 (R (C - 1) + C (R - 1)) links of R x C dies.
    """
    rows, cols = wafer.grid.rows, wafer.grid.cols
    links = 2 * (rows * (cols - 1) + cols * (rows - 1))
    return links * wafer.d2d.link_bytes_per_s


def noc_power_w(wafer: Wafer) -> float:
    """Power of the wires inside of dies.

    Where a core's NoC bandwidth is known, all its links over the pitch of the cores; elsewhere what
    comes from DRAM and neighbours over half a die's side, as in an iteration (`operator.py`).
    """
    tech, die, area = wafer.technology, wafer.die, die_area_mm2(wafer)
    per_core = die.core.noc_bandwidth_bytes_per_s
    if per_core is None:
        rate = wafer.dram_bytes_per_s + wafer.d2d.bandwidth_bytes_per_s
        byte_mm = rate * math.sqrt(area) / 2
    else:
        byte_mm = die.cores.size * per_core * math.sqrt(area / die.cores.size)
    return wafer.n_dies * byte_mm * tech.noc_energy_j_per_byte_mm.value


def _off_wafer_w(wafer: Wafer) -> float:
    energy = wafer.technology.off_wafer_energy_j_per_byte
    if wafer.off_wafer is None or energy is None:
        return 0.0
    return 2 * wafer.off_wafer.bandwidth_bytes_per_s * energy.value


def power_overflow(wafer: Wafer) -> Overflow | None:
    """Return by how much full rate exceeds what supply and cooling allow, if it does."""
    need, have = sum(power_at_peak_w(wafer).values()), wafer.power_limit_w
    if have is None or need <= have:
        return None
    return Overflow("power of the wafer at full rate", need, have, "W")
