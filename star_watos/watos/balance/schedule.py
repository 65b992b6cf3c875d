"""What each stage of a pipeline keeps, runs again, or has others keep.

The slowest stage is to be as fast as can be. A stage is as slow as its work and what it runs again.
Its activations need not fit its own dies: what is too much for them is kept by stages that have
room (Sender and Helper of WATOS, arXiv 2512.12279). So the least time of the slowest stage is the
least at which what all need fits what all have.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from star_watos.cost import Overflow
from star_watos.watos.balance.operators import Options
from star_watos.watos.balance.parking import park

Values = NDArray[np.float64]
Pools = NDArray[np.intp]
NEVER = 1e6
"""Hops to a stage of another pool: more than any way has."""
ROUNDED = 1e-12
"""Share of a room that sums of bytes may exceed it by."""


@dataclass(frozen=True, slots=True)
class Stage:
    """A stage of which nothing is run again yet."""

    busy_s: float
    """Of a microbatch."""
    layers: float
    in_flight: float
    """Microbatches whose activations it holds."""
    saved_bytes: float
    """Of a layer and microbatch."""
    passing_bytes: float
    """Held while a layer goes backward, beside what that makes again."""
    least_bytes: float
    """What it holds at least at the end of the pipeline: the head's."""
    room_bytes: float
    """For all of these, beside weights and optimizer states."""


@dataclass(frozen=True, slots=True)
class Balance:
    """The options of all stages, and what is kept elsewhere."""

    slowest_s: float
    time_s: Values
    """Of each stage for a microbatch."""
    option: NDArray[np.intp]
    """Of each stage."""
    parked_bytes: Values
    """What each stage has each other keep, [stages, stages]."""


def stage_tables(stages: Sequence[Stage], options: Options) -> tuple[Values, Values]:
    """Return seconds of a microbatch and bytes held, [stages, options]."""
    layers = np.array([s.layers for s in stages], dtype=np.float64)[:, None]
    busy = np.array([s.busy_s for s in stages])[:, None]
    kept = np.array([s.saved_bytes for s in stages])[:, None] - options.dropped_bytes
    in_flight = np.array([s.in_flight for s in stages])[:, None]
    working = options.dropped_bytes + np.array([s.passing_bytes for s in stages])[:, None]
    least = np.array([s.least_bytes for s in stages])[:, None]
    held = in_flight * layers * kept + np.maximum(working, least)
    return busy + layers * options.again_s, held


def balanced(
    stages: Sequence[Stage],
    options: Options,
    hops: Values,
    pools: Pools | None = None,
    *,
    uniform: bool = False,
) -> Balance | Overflow:
    """Return the choices under which the slowest stage is fastest.

    `hops` are those between stages. Stages of the same of `pools` keep things for each other; all
    do if it is left out. If `uniform` all stages run the same operators again. Times are tried by
    halving: what fits at one, fits at all above it. Stages then run again as little as fits.
    """
    time_s, held = stage_tables(stages, options)
    room = np.array([s.room_bytes for s in stages])
    shared = np.zeros(len(stages), dtype=np.intp) if pools is None else pools
    if uniform:
        time_s, held = _same_for_all(time_s, held, room, shared)
    tried = np.unique(time_s)
    tried = tried[tried >= time_s.min(axis=1).max()]
    low, high = 0, len(tried) - 1
    over = _excess(_smallest(held, time_s <= tried[high]), room, shared)
    if over.max() > 0:
        worst = shared == over.argmax()
        need, have = float(held.min(axis=1)[worst].sum()), float(room[worst].sum())
        return Overflow("activations in the DRAM of the stages", need, have, "B")
    while low < high:
        middle = (low + high) // 2
        fits = _excess(_smallest(held, time_s <= tried[middle]), room, shared).max() <= 0
        low, high = (low, middle) if fits else (middle + 1, high)
    apart: Values = np.where(shared[:, None] == shared, hops, NEVER)
    return _settled(time_s, held, room, apart, shared, float(tried[low]))


def _same_for_all(
    time_s: Values, held: Values, room: Values, pools: Pools
) -> tuple[Values, Values]:
    """Return the tables with one option left: the fastest that fits, or the smallest if none does.

    What is left out takes and holds more than anything.
    """
    fits = np.array([_excess(column, room, pools).max() <= 0 for column in held.T])
    slowest = np.where(fits, time_s.max(axis=0), np.inf)
    kept = int(slowest.argmin()) if fits.any() else held.shape[1] - 1
    others = np.arange(held.shape[1]) != kept
    return np.where(others, time_s[:, [kept]], time_s), np.where(others, np.inf, held)


def _smallest(held: Values, allowed: NDArray[np.bool_]) -> Values:
    """Return the least that each stage can hold with the options that are allowed."""
    least: Values = np.where(allowed, held, np.inf).min(axis=1)
    return least


def _excess(least: Values, room: Values, pools: Pools) -> Values:
    """Return by how much each pool exceeds its room."""
    return np.bincount(pools, least - room).astype(np.float64)


def _settled(
    time_s: Values, held: Values, room: Values, hops: Values, pools: Pools, slowest_s: float
) -> Balance:
    """Return the options at a time of the slowest: as little is run again as all rooms allow.

    What a stage then holds beyond its room is kept by the nearest that have some left.
    """
    stage = np.arange(len(room))
    option = _least_again(time_s, np.where(time_s <= slowest_s, held, np.inf), room, pools)
    over = held[stage, option] - room
    over[np.abs(over) <= ROUNDED * np.abs(room)] = 0.0
    parked = park(np.maximum(over, 0.0), np.maximum(-over, 0.0), hops)
    return Balance(slowest_s, time_s[stage, option], option, parked)


def _least_again(time_s: Values, held: Values, room: Values, pools: Pools) -> NDArray[np.intp]:
    """Return the options from the smallest on, those first that save most time for their bytes.

    What an option holds must leave its pool within its rooms.
    """
    stage = np.arange(len(room))
    option: NDArray[np.intp] = held.argmin(axis=1)
    left = -_excess(held[stage, option], room, pools)
    while True:
        more = held - held[stage, option][:, None]
        saved = time_s[stage, option][:, None] - time_s
        better = (saved > 0) & (more <= left[pools][:, None])
        if not better.any():
            return option
        worth = np.where(better, saved / np.maximum(more, 1e-9), -np.inf)
        row, column = np.unravel_index(worth.argmax(), worth.shape)
        option[row] = column
        left[pools[row]] -= more[row, column]
