"""What a stage does in one layer.

Cycles and DRAM transfers of a part are of one K/V head and each representative query tile,
[tiles, ...], all passes of its heads together, or of the whole head where new tokens bring them;
everything else is summed over the layer.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import cached_property, reduce
from operator import add
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

    def __add__(self, other: "Traffic") -> "Traffic":
        return Traffic(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))


class Transfer(NamedTuple):
    """Bytes that lie together in pieces of one size."""

    size_bytes: Column
    s_per_byte: Column
    moved_per_byte: Column
    """Bytes with what fills their bursts, over bytes."""


@dataclass(frozen=True, slots=True)
class Dram:
    """Transfers, one after the other."""

    transfers: tuple[Transfer, ...] = ()

    def __add__(self, other: "Dram") -> "Dram":
        return Dram(self.transfers + other.transfers)

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
        return cls((Transfer(size_bytes, each / piece, bursts / piece),))

    @property
    def seconds(self) -> Column:
        """Time, with the DRAM for themselves."""
        return sum(t.size_bytes * t.s_per_byte for t in self.transfers)

    @property
    def moved_bytes(self) -> Column:
        """Bytes with what fills their bursts."""
        return sum(t.size_bytes * t.moved_per_byte for t in self.transfers)

    def sized(self, change: Callable[[Column], Column]) -> "Dram":
        """Return the same with every size changed alike."""
        return Dram(tuple(t._replace(size_bytes=change(t.size_bytes)) for t in self.transfers))


@dataclass(frozen=True)
class Part:
    """What a stage does at a stretch: its array works, fed by the DRAM and the SRAMs."""

    layer: Layer
    cycles: Column
    """Cycles in which the array is busy, of each query tile: [tiles, ...]."""
    dram: Dram
    """Transfers for it and of what it makes, likewise."""
    traffic: Traffic
    """Bytes of the layer."""
    by_token: bool = False
    """Whether `cycles` and `dram` are of a K/V head, and come to its tiles as new tokens do."""

    def by_tile(self, own: Column) -> Column:
        """Return a quantity such as `cycles` for each query tile, [tiles, ...]."""
        return own * self.layer.new_share if self.by_token else own

    def over_layer(self, own: Column) -> Column:
        """Return a quantity such as `cycles` of the whole layer."""
        heads = self.layer.work.n_kv_heads
        return own * heads if self.by_token else over_layer(self.layer, own)

    @cached_property
    def layer_cycles(self) -> Column:
        """Cycles of the whole layer."""
        return self.over_layer(self.cycles)

    @cached_property
    def layer_dram(self) -> Dram:
        """Transfers of the whole layer."""
        return self.dram.sized(self.over_layer)


@dataclass(frozen=True)
class Stage:
    """One stage's share of a layer."""

    ops: Column
    """Useful operations, a MAC (or a shift-add) being 2, a sorted score 1."""
    parts: tuple[Part, ...]
    """What a visit does one after the other."""

    @cached_property
    def cycles(self) -> Column:
        """Cycles in which its array is busy."""
        return sum(part.layer_cycles for part in self.parts)

    @cached_property
    def moved_bytes(self) -> Column:
        """Bytes that the DRAM moves for it and of what it makes, with what fills their bursts."""
        return sum(part.layer_dram.moved_bytes for part in self.parts)

    @cached_property
    def traffic(self) -> Traffic:
        """Bytes at the SRAMs."""
        return reduce(add, (part.traffic for part in self.parts))


class Stages(NamedTuple):
    """The stages in the order in which a tile passes them."""

    predict: Stage
    sort: Stage
    kv_generation: Stage
    attention: Stage


def over_layer(layer: Layer, of_a_tile: Column) -> Column:
    """Sum over all query tiles and K/V heads of a layer: [tiles, ...] -> [...]."""
    return layer.tiles.total(of_a_tile) * layer.work.n_kv_heads
