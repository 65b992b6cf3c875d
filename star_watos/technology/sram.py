"""Area, energy and leakage of an SRAM bank, from a table made with CACTI 7.

Table: `configs/technologies/cacti_sram.csv`; CACTI 7, plain RAM, one read-write port, ITRS
high-performance cells, 350 K, energy-delay-squared optimisation; 22, 32 and 45 nm, words of 64 to
1,024 bits, 8 KiB to 8 MiB. Between entries logarithms are interpolated; outside them area, energy
and leakage are extrapolated from the last two entries' slope, and `sram_range_note` says so.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from star_watos.cost import Column
from star_watos.tables import Table, table
from star_watos.technology.scaling import area_scale, energy_scale

_FILE = "configs/technologies/cacti_sram.csv"
_COLUMNS = ("area_mm2", "read_nj", "write_nj", "leakage_mw")


@dataclass(frozen=True, slots=True)
class SramBank:
    """One bank: silicon, energy of an access of a whole word, leakage."""

    area_mm2: Column
    read_j: Column
    write_j: Column
    leakage_w: Column


def _table() -> Table:
    return table(_FILE, ("node_nm", "word_bits", "size_bytes"), _COLUMNS)


def sram_bank(capacity_bytes: Column, word_bits: Column, node_nm: Column) -> SramBank:
    """Return the bank of `capacity_bytes` with words of `word_bits` at `node_nm`.

    >>> bank = sram_bank(32_768, 512, 32)
    >>> f"{bank.area_mm2:.6f} mm2, {bank.read_j:.5e} J"
    '0.058475 mm2, 1.72125e-11 J'
    """
    area, read, write, leakage = _table().at(node_nm, word_bits, capacity_bytes)
    return SramBank(area, read * 1e-9, write * 1e-9, leakage * 1e-3)


@dataclass(frozen=True, slots=True)
class SramRange:
    """What the table holds: least and greatest of each axis."""

    node_nm: tuple[float, float]
    word_bits: tuple[float, float]
    capacity_bytes: tuple[float, float]


@cache
def sram_range() -> SramRange:
    """Return the range of the table.

    >>> sram_range().node_nm, sram_range().word_bits, sram_range().capacity_bytes
    ((22, 45), (64, 1024), (8192, 8388608))
    """
    ends = [(round(np.exp(axis[0])), round(np.exp(axis[-1]))) for axis in _table().axes]
    return SramRange(*ends)


def sram_within(capacity_bytes: Column, word_bits: Column, node_nm: Column) -> NDArray[np.bool_]:
    """Say whether a bank, or each of a column of banks, lies inside the table.

    >>> sram_within(np.array([4096, 8192]), 512, 28)
    array([False,  True])
    """
    given = {"capacity_bytes": capacity_bytes, "word_bits": word_bits, "node_nm": node_nm}
    inside = np.asarray(True)  # noqa: FBT003 (a mask)
    for axis, value in given.items():
        low, high = getattr(sram_range(), axis)
        inside = inside & (np.asarray(value) >= low) & (np.asarray(value) <= high)
    return inside


def sram_range_note(capacity_bytes: float, word_bits: float, node_nm: float) -> str | None:
    """Say which of a bank's figures lie outside the table, if any.

    >>> sram_range_note(4096, 512, 28)
    '4,096 B are outside 8,192 to 8,388,608 B'
    >>> sram_range_note(8192, 512, 28) is None
    True
    """
    limits = sram_range()
    figures = (
        (capacity_bytes, limits.capacity_bytes, "B"),
        (word_bits, limits.word_bits, "bits"),
        (node_nm, limits.node_nm, "nm"),
    )
    beyond = [
        f"{value:,.6g} {unit} are outside {low:,} to {high:,} {unit}"
        for value, (low, high), unit in figures
        if not low <= value <= high
    ]
    return "; ".join(beyond) or None


def scaled_bank(capacity_bytes: Column, word_bits: Column, node_nm: float) -> SramBank:
    """Return a bank at any node: inside the table as it is, outside from its nearest node.

    From there area and energy, and leakage with energy, go by the equations of Stillmaker and Baas.

    >>> near, far = scaled_bank(8192, 512, 22), scaled_bank(8192, 512, 14)
    >>> bool(far.area_mm2 < near.area_mm2), bool(far.read_j < near.read_j)
    (True, True)
    """
    low, high = sram_range().node_nm
    at = min(max(node_nm, low), high)
    bank = sram_bank(capacity_bytes, word_bits, at)
    area, energy = area_scale(at, node_nm), energy_scale(at, node_nm)
    return SramBank(
        bank.area_mm2 * area, bank.read_j * energy, bank.write_j * energy, bank.leakage_w * energy
    )
