"""RASS: in which order a tile of queries loads K and V rows.

All queries work in step and take at most one key a step; a row loaded in a step is broadcast.
`kept` is bool [..., queries, keys]. Loads count keys; each is a K row and a V row.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from star_watos.star.algorithms.operations import Mask

Loads = NDArray[np.int64]

VECTORS_PER_KEY = 2
"""K and V rows."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """Keys loaded in each step, each to all queries that keep it."""

    steps: tuple[tuple[int, ...], ...]

    @property
    def loads(self) -> int:
        """Keys loaded."""
        return sum(len(keys) for keys in self.steps)


def in_order_loads(kept: Mask) -> Loads:
    """Keys that a tile loads when each query takes its keys in ascending order, [...].

    Step t loads the distinct keys among the queries' t-th; nothing is held between steps, so a key
    that queries reach in different steps is loaded again.

    >>> in_order_loads(np.array([[True, True, False], [False, True, True]]))
    array(4)
    """
    n_queries, n_keys = kept.shape[-2:]
    row, key = np.divmod(np.flatnonzero(kept), n_keys)
    per_row = np.bincount(row, minlength=kept.size // n_keys)
    step = np.arange(row.size) - np.repeat(np.cumsum(per_row) - per_row, per_row)
    # Sorting takes an eightieth of np.unique's time.
    wanted = np.sort((row // n_queries * n_keys + step) * n_keys + key)
    loaded = wanted[np.diff(wanted, prepend=-1) != 0]
    tiles = np.bincount(loaded // n_keys**2, minlength=len(per_row) // n_queries)
    return tiles.reshape(kept.shape[:-2])


def in_order_steps(kept: Mask) -> Loads:
    """Steps of the in-order schedule, [...]: the keys of the query that keeps most.

    >>> in_order_steps(np.array([[True, True, False], [False, True, True]]))
    array(2)
    """
    steps: Loads = np.count_nonzero(kept, axis=-1).max(axis=-1)
    return np.asarray(steps, dtype=np.int64)


def rass_loads(kept: Mask) -> Loads:
    """Keys that a tile loads under RASS, [...]: those that any query keeps, once each.

    >>> rass_loads(np.array([[True, True, False], [False, True, True]]))
    array(3)
    """
    return np.asarray(np.count_nonzero(kept.any(axis=-2), axis=-1), dtype=np.int64)


def schedule(kept: Mask) -> Schedule:
    """Return the RASS schedule of one tile [queries, keys].

    Greedy: a step first issues the key that most queries share, then, again the most shared first,
    keys whose users are all still unserved in this step. Ties go to the lower key. Being loaded
    once to all its users, a key that does not fit a step waits for a later one.
    Source: SOFA (MICRO 2024), section on RASS (scheduler with an ID buffer by bitmask of queries).

    >>> schedule(np.array([[True, False, False], [False, True, True]])).steps
    ((0, 1), (2,))
    """
    waiting = _most_shared_first(kept)
    everyone = (1 << kept.shape[0]) - 1
    steps = []
    while waiting:
        issued, waiting = _step(waiting, everyone)
        steps.append(issued)
    return Schedule(tuple(steps))


def _most_shared_first(kept: Mask) -> list[tuple[int, int]]:
    """Return (key, bitmask of its users) of the keys that anyone keeps."""
    packed = np.packbits(kept, axis=0)
    counts = np.count_nonzero(kept, axis=0)
    keys = np.argsort(-counts, kind="stable")[: np.count_nonzero(counts)]
    # Bits beyond the last query pad the last byte at its low end.
    padding = -kept.shape[0] % 8
    users = (int.from_bytes(packed[:, key].tobytes(), "big") >> padding for key in keys)
    return list(zip(keys.tolist(), users, strict=True))


def _step(
    waiting: list[tuple[int, int]], everyone: int
) -> tuple[tuple[int, ...], list[tuple[int, int]]]:
    """Return the keys issued in one step, and what still waits."""
    issued, left, served = [], [], 0
    for place, (key, users) in enumerate(waiting):
        if served == everyone:
            left += waiting[place:]
            break
        if users & served:
            left.append((key, users))
        else:
            issued.append(key)
            served |= users
    return tuple(issued), left
