"""Area, energy and leakage of an SRAM bank, from a table made with CACTI 7.

Table: `configs/technologies/cacti_sram.csv`; CACTI 7, plain RAM, one read-write port, ITRS
high-performance cells, 350 K, energy-delay-squared optimisation; 22, 32 and 45 nm, words of 64 to
1,024 bits, 8 KB to 8 MB. Between entries logarithms are interpolated; outside the range of sizes
area, energy and leakage are extrapolated from the last two entries' slope.
"""

import csv
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from star_watos.cost import Column
from star_watos.spec import root

_COLUMNS = ("area_mm2", "read_nj", "write_nj", "leakage_mw")


@dataclass(frozen=True, slots=True)
class SramBank:
    """One bank: silicon, energy of an access of a whole word, leakage."""

    area_mm2: Column
    read_j: Column
    write_j: Column
    leakage_w: Column


@cache
def _table() -> tuple[
    NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]
]:
    """Return log node [n], log word [w], log size [s] and log values [4, n, w, s]."""
    path = root() / "configs" / "technologies" / "cacti_sram.csv"
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    axes = [sorted({float(r[key]) for r in rows}) for key in ("node_nm", "word_bits", "size_bytes")]
    values = np.array([[float(r[c]) for r in rows] for c in _COLUMNS])
    grid = np.log(values).reshape(len(_COLUMNS), *map(len, axes))
    node, word, size = (np.log(axis) for axis in axes)
    return node, word, size, grid


def _weights(axis: NDArray[np.float64], x: Column) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Return the left neighbour of `x` on `axis` and the share of the way to the right one."""
    left = np.clip(np.searchsorted(axis, x, side="right") - 1, 0, len(axis) - 2)
    return left, (x - axis[left]) / (axis[left + 1] - axis[left])


def sram_bank(capacity_bytes: Column, word_bits: Column, node_nm: float) -> SramBank:
    """Return the bank of `capacity_bytes` with words of `word_bits` at `node_nm`.

    >>> bank = sram_bank(32_768, 512, 32)
    >>> f"{bank.area_mm2:.6f} mm2, {bank.read_j:.5e} J"
    '0.058475 mm2, 1.72125e-11 J'
    """
    nodes, words, sizes, grid = _table()
    i, a = _weights(nodes, np.log(node_nm))
    j, b = _weights(words, np.log(word_bits))
    k, c = _weights(sizes, np.log(capacity_bytes))
    corners = [
        grid[:, i + di, j + dj, k + dk] * wa * wb * wc
        for di, wa in ((0, 1 - a), (1, a))
        for dj, wb in ((0, 1 - b), (1, b))
        for dk, wc in ((0, 1 - c), (1, c))
    ]
    area, read, write, leakage = np.exp(sum(corners))
    return SramBank(area, read * 1e-9, write * 1e-9, leakage * 1e-3)
