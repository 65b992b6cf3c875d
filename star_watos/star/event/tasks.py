"""Tasks of the machine: cycles of arrays, bytes through SRAM ports, transfers of the DRAM.

Tasks of an array are [4, tasks]: its own cycles, then the bytes through the ports of the token,
weight and temp SRAM. Transfers are [3, tasks]: bytes, bytes with the rest of every burst, seconds.
"""

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from star_watos.star.core import Dram

Floats: TypeAlias = NDArray[np.floating[Any]]

CYCLES, TOKEN, WEIGHT, TEMP = range(4)
"""Rows of the tasks of an array."""

BYTES, MOVED, SECONDS = range(3)
"""Rows of transfers."""


def stage(
    cycles: Floats,
    token: Floats | float = 0.0,
    weight: Floats | float = 0.0,
    temp: Floats | float = 0.0,
) -> Floats:
    """Return tasks of an array, [4, tasks]; a port left out moves nothing."""
    return np.stack(np.broadcast_arrays(cycles, token, weight, temp)).astype(np.float64)


def transfer(dram: Dram, size: Floats, piece: float | None = None) -> Floats:
    """Return transfers of `size` bytes in pieces of R = `piece` bytes, or of pages: [3, tasks].

    max(ceil(R / burst) burst (B / R) / (bandwidth efficiency), (B / R) / activations) seconds, R at
    most a page, and at most B.

    >>> dram = Dram(bandwidth="1 GB/s", burst="32 B", page="1 KiB", activations="10 MHz")
    >>> transfer(dram, np.array([2048.0, 40.0, 0.0]))[MOVED].tolist()
    [2048.0, 64.0, 0.0]
    >>> transfer(dram, np.array([512.0]), piece=16)[SECONDS].tolist()  # 32 activations bind
    [3.2e-06]
    """
    longest = dram.page_bytes if piece is None else min(piece, dram.page_bytes)
    length = np.where(size > 0, np.minimum(size, longest), 1.0)
    pieces = size / length
    moved = np.ceil(length / dram.burst_bytes) * dram.burst_bytes * pieces
    rate = dram.bandwidth_bytes_per_s * dram.efficiency
    return np.stack([size, moved, np.maximum(moved / rate, pieces / dram.activations_hz)])


@dataclass(frozen=True, slots=True)
class Tasks:
    """All that visits in a row ask of the machine; the last axis of every field is [visits]."""

    front: Floats
    """Load of K^ and queries."""
    project: Floats
    """Phase 1 of predict: K^ of new tokens."""
    codes: Floats
    """Stream of what K^ is made from: tokens, and codes of weights."""
    predict: Floats
    """Phase 2: scores."""
    key_store: Floats
    scores: Floats
    """Scores that the temp SRAM has no room for: to the DRAM, and as much back."""
    sort: Floats
    identifiers: Floats
    rows: Floats
    """Stream of identifiers, and of the rows of K and V."""
    attention: Floats
    output: Floats
    new: Floats
    """New tokens."""
    high: Floats
    """Key after the last."""
    query_tile: Floats
    key_tile: Floats
    """First key tile."""

    def merged(self, starts: NDArray[np.int64]) -> "Tasks":
        """Return neighbours as one visit, durations and bytes added; `starts` are the firsts."""
        ends = np.append(starts[1:], self.high.size) - 1
        total = [np.add.reduceat(getattr(self, f.name), starts, axis=-1) for f in fields(self)]
        return replace(
            Tasks(*total),
            high=self.high[ends],
            query_tile=self.query_tile[starts],
            key_tile=self.key_tile[starts],
        )


def joined(parts: Iterable[Tasks]) -> Tasks:
    """Return the tasks of `parts`, one after the other."""
    columns = [[getattr(part, f.name) for f in fields(part)] for part in parts]
    return Tasks(*(np.concatenate(same, axis=-1) for same in zip(*columns, strict=True)))
