"""The visits of a K/V head, one by one: which keys, which of them new, what is kept of them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from star_watos.star.event.machine import Machine

Ints: TypeAlias = NDArray[np.int64]

_AT_ONCE = 2**18
"""Visits that are listed at once, about; bounds the memory of long sequences."""


@dataclass(frozen=True, slots=True)
class Visits:
    """Visits of neighbouring query tiles in the order they are made; each field is [visits]."""

    query_tile: Ints
    key_tile: Ints
    rows: Ints
    """Queries of the query tile."""
    seen: Ints
    """Keys that the query tile sees, vis(i)."""
    low: Ints
    """First key."""
    high: Ints
    """Key after the last."""
    new_from: Ints
    """First new token; `high` if there is none."""
    quota: Ints
    """Keys that the fullest row keeps here."""
    kept: Ints
    """Keys that the fullest row keeps in the whole query tile, K."""

    @property
    def n_keys(self) -> Ints:
        """Keys of the tile."""
        return self.high - self.low

    @property
    def new(self) -> Ints:
        """New tokens."""
        return self.high - self.new_from

    @property
    def opens(self) -> Ints:
        """1 where the visit is the first of its query tile."""
        first: Ints = np.where(self.key_tile == 0, 1, 0)
        return first

    @property
    def closes(self) -> Ints:
        """1 where the visit is the last of its query tile."""
        last: Ints = np.where(self.high == self.seen, 1, 0)
        return last


def query_tiles(machine: Machine) -> Ints:
    """Return vis(i) of every query tile: S - q + min((i + 1) P, q), or S where none is masked."""
    layer, rows = machine.layer, machine.core.queries
    ends = np.arange(rows, layer.q_len + rows, rows, dtype=np.int64)
    seen = layer.seq_len - layer.q_len + np.minimum(ends, layer.q_len)
    return seen if machine.work.causal else np.full_like(seen, layer.seq_len)


def count_visits(machine: Machine) -> int:
    """Return the key tiles that the query tiles of one pass go through."""
    return int((-(-query_tiles(machine) // machine.layer.keys)).sum())


def listed(machine: Machine, *, first_pass: bool) -> Iterator[Visits]:
    """Yield the visits of one pass, in order, some query tiles at a time."""
    seen = query_tiles(machine)
    tiles = -(-seen // machine.layer.keys)
    part = np.cumsum(tiles) // _AT_ONCE
    for cut in np.split(np.arange(seen.size), np.flatnonzero(np.diff(part)) + 1):
        yield _visits(machine, cut, seen, first_pass=first_pass)


def _visits(machine: Machine, queries: Ints, seen: Ints, *, first_pass: bool) -> Visits:
    layer, rows = machine.layer, machine.core.queries
    tiles = -(-seen[queries] // layer.keys)
    i = np.repeat(queries, tiles)
    j = np.arange(i.size) - np.repeat(np.cumsum(tiles) - tiles, tiles)
    low = j * layer.keys
    high = np.minimum(low + layer.keys, seen[i])
    # Known before: the cache, and what the query tile before saw.
    known = np.maximum(layer.cached, np.where(i > 0, seen[i - 1], 0))
    if not first_pass:
        known = seen[i]
    kept = np.minimum(layer.kept, seen[i])
    return Visits(
        query_tile=i,
        key_tile=j,
        rows=np.minimum(rows, layer.q_len - i * rows),
        seen=seen[i],
        low=low,
        high=high,
        new_from=np.clip(known, low, high),
        quota=kept * high // seen[i] - kept * low // seen[i],
        kept=kept,
    )
