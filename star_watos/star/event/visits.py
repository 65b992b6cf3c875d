"""The visits of a K/V head, one by one: which keys, which of them new, what is kept of them."""

from collections.abc import Iterator
from dataclasses import dataclass, fields
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

    def take(self, rows: Ints) -> "Visits":
        """Return some of the visits."""
        return Visits(*(getattr(self, f.name)[rows] for f in fields(self)))


def query_tiles(machine: Machine) -> Ints:
    """Return vis(i) of every query tile: S - q + min((i + 1) P, q), or S where none is masked."""
    layer, rows = machine.layer, machine.core.queries
    ends = np.arange(rows, layer.q_len + rows, rows, dtype=np.int64)
    seen = layer.seq_len - layer.q_len + np.minimum(ends, layer.q_len)
    return seen if machine.work.causal else np.full_like(seen, layer.seq_len)


def key_tiles(machine: Machine) -> Ints:
    """Return J(i), the key tiles of every query tile."""
    return -(-query_tiles(machine) // machine.layer.keys)


def spread(n: int, n_chosen: int) -> Ints:
    """Return `n_chosen` of n neighbours, evenly spread; an even number lies as n do on average.

    >>> spread(12, 4).tolist(), spread(8, 4).tolist(), spread(3, 3).tolist()
    ([1, 4, 7, 10], [0, 3, 4, 7], [0, 1, 2])
    """
    k = np.arange(n_chosen)
    middle = (2 * k + 1) * n - n_chosen
    return np.where(k % 2, -(-middle // (2 * n_chosen)), middle // (2 * n_chosen))


@dataclass(frozen=True, slots=True)
class Choice:
    """Query tiles of a head that are played; the others are taken to be like them."""

    queries: Ints
    first_tile: Ints | None = None
    """Key tiles of query tile 0 that are played; all if None."""

    @classmethod
    def of(cls, machine: Machine, n_played: int) -> "Choice":
        """Return `n_played` query tiles of all.

        Query tile 0 brings all tokens that the first queries see: where these are more than others
        bring (full attention, a chunk with nothing cached), it is always played, but as large a
        share of its visits as of the other query tiles.
        """
        seen, tiles = query_tiles(machine), key_tiles(machine)
        if n_played == seen.size:
            return cls(np.arange(seen.size))
        if seen[0] - machine.layer.cached <= machine.core.queries:
            return cls(spread(seen.size, n_played))
        others = 1 + spread(seen.size - 1, n_played)
        share = n_played / (seen.size - 1)
        first = spread(int(tiles[0]), max(1, round(int(tiles[0]) * share)))
        return cls(np.append(0, others), first)


def listed(machine: Machine, choice: Choice, *, first_pass: bool) -> Iterator[Visits]:
    """Yield the visits of one pass in order, some query tiles at a time."""
    seen = query_tiles(machine)
    part = np.cumsum(key_tiles(machine)[choice.queries]) // _AT_ONCE
    for cut in np.split(choice.queries, np.flatnonzero(np.diff(part)) + 1):
        visits = _visits(machine, cut, seen, first_pass=first_pass)
        if choice.first_tile is not None and cut[0] == 0:
            others = np.flatnonzero(visits.query_tile > 0)
            visits = visits.take(np.append(choice.first_tile, others))
        yield visits


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
