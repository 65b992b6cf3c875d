"""How long cores take that work on blocks while these travel.

All times are of one layer of each group, [..., groups]; work is [steps, cores].
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from star_watos.cost import Column

Seconds = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Ring:
    """Blocks that go around: what cores do at each step, and what it takes to pass them on."""

    work_s: Seconds
    """[steps, cores, groups]."""
    step_s: Seconds
    """To pass on the blocks, [steps - 1, groups]."""


def prefetched(ring: Ring) -> Seconds:
    """Time of the slowest core when blocks come as fast as the links bring them.

    Block t is there after t steps, and is worked on after those before: the longest over t of
    the arrival of t and work on t and all after it.

    >>> work, step = np.full((3, 1, 1), 2.0), np.full((2, 1), 3.0)
    >>> float(prefetched(Ring(work, step)).item())  # the third block comes at 6
    8.0
    """
    passed = np.cumsum(ring.step_s, axis=0)
    arrival = np.concatenate([np.zeros((1, *ring.step_s.shape[1:])), passed])
    to_do = np.cumsum(ring.work_s[::-1], axis=0)[::-1]
    ends: Seconds = (arrival[:, None] + to_do).max(axis=(0, 1))
    return ends


def handed_on(ring: Ring, home_s: Column = 0.0, *, overlap: bool) -> Seconds:
    """Time of the slowest core when each hands on what it has worked on, at last to its owner.

    A step begins when a core and the one before it in the ring have ended the last; handing on
    goes beside the work, or after it. Beside it is half of a block beside work on the other half,
    so of the way home half comes after all work, and more where that work is the shorter.

    >>> work, step = np.full((3, 2, 1), 2.0), np.full((2, 1), 3.0)
    >>> [handed_on(Ring(work, step), overlap=o).item() for o in (True, False)]
    [8.0, 12.0]
    >>> [handed_on(Ring(work, step), home, overlap=True).item() for home in (2.0, 3.0)]
    [9.0, 10.0]
    """
    end = ring.work_s[0]
    for work, passing in zip(ring.work_s[1:], ring.step_s, strict=True):
        begin = np.maximum(end, np.roll(end, 1, axis=0))
        end = begin + (np.maximum(work, passing) if overlap else work + passing)
    late = np.maximum(home_s / 2, home_s - ring.work_s[-1] / 2) if overlap else home_s
    slowest: Seconds = (end + late).max(axis=0)
    return slowest


def heads_in_turn(
    heads: float,
    out_s: Column,
    down_s: Column,
    work_s: Seconds,
    back_s: Column,
    pace_s: Column | None = None,
) -> Seconds:
    """Time when each of many heads goes out and down at once, is worked on, and goes back.

    Rows carry all that goes out and back; or cores work from the first head's arrival to the last
    one's way back; or the last head that comes down is still to be worked on. Heads come down
    `down_s` / `heads` after one another, or `pace_s` / `heads` where one begins before the last is
    there.

    >>> float(heads_in_turn(4.0, 4.0, 2.0, np.array(8.0), 4.0))  # 1 + 8 + 1
    10.0
    """
    last, first = back_s / heads, down_s / heads
    apart = (down_s if pace_s is None else pace_s) / heads
    in_rows, in_cores = out_s + back_s, np.maximum(out_s / heads, first) + work_s + last
    in_cols = first + (heads - 1) * apart + work_s / heads + last
    seconds: Seconds = np.maximum(np.maximum(in_rows, in_cores), in_cols)
    return seconds
