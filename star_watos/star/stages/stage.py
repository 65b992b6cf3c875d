"""What a stage does in one layer.

Cycles and DRAM transfers are of one K/V head and each representative query tile, [tiles, ...], all
passes of its heads together; operations and SRAM traffic are summed over the layer.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from star_watos.cost import Column
from star_watos.star.layer import Layer
from star_watos.star.resources import Resources

SRAM_NAMES = ("token", "weight", "temp")
"""The buffers of a core."""


@dataclass(frozen=True, slots=True)
class Traffic:
    """Bytes in and out of each SRAM."""

    token_read: Column = 0.0
    token_write: Column = 0.0
    weight_read: Column = 0.0
    weight_write: Column = 0.0
    temp_read: Column = 0.0
    temp_write: Column = 0.0


@dataclass(frozen=True, slots=True)
class Dram:
    """Transfers: seconds, and bytes with what fills their bursts."""

    seconds: Column = 0.0
    moved_bytes: Column = 0.0

    def __add__(self, other: "Dram") -> "Dram":
        return Dram(self.seconds + other.seconds, self.moved_bytes + other.moved_bytes)

    @classmethod
    def of(cls, core: Resources, size_bytes: Column, piece_bytes: Column | None = None) -> "Dram":
        """Return the transfer of `size_bytes` in pieces that lie together, pages if not told.

        A piece is whole bursts, and opens one page:
        time = size / piece * max(ceil(piece / burst) burst / bandwidth, 1 / activations).

        A 300 B piece is ten bursts of 32 B; a hundred of them move 32 kB.

        >>> from star_watos.spec import load
        >>> from star_watos.star.core import Core
        >>> core = Resources.of(load(Core, "star_28nm", "configs/cores"))
        >>> moved = Dram.of(core, 30_000.0, 300.0)
        >>> f"{moved.moved_bytes:,.0f} B in {moved.seconds * 1e9:.1f} ns"
        '32,000 B in 69.4 ns'
        """
        piece = core.page_bytes if piece_bytes is None else np.minimum(piece_bytes, core.page_bytes)
        bursts = np.ceil(piece / core.burst_bytes) * core.burst_bytes
        each = np.maximum(bursts / core.dram_bytes_per_s, 1 / core.activations_hz)
        return cls(size_bytes / piece * each, size_bytes * (bursts / piece))


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage's share of a layer."""

    cycles: Column
    """Cycles in which its array is busy, [tiles, ...]."""
    dram: Dram
    """Transfers for it and of what it makes, [tiles, ...]."""
    ops: Column
    """Useful operations of the layer, a MAC (or a shift-add) being 2, a sorted score 1."""
    traffic: Traffic
    """Bytes of the layer."""


class Stages(NamedTuple):
    """The stages in the order in which a tile passes them."""

    predict: Stage
    sort: Stage
    kv_generation: Stage
    attention: Stage


def over_layer(layer: Layer, of_a_tile: Column) -> Column:
    """Sum over all query tiles and K/V heads of a layer: [tiles, ...] -> [...]."""
    return layer.tiles.total(of_a_tile) * layer.work.n_kv_heads
