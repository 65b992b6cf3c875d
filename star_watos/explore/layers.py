"""A tile for each layer: the combinations that no other one beats, without listing them all.

Layers follow one another, so what a design costs adds up over them. The sums that no other beats
are found layer by layer: what is beaten among the first layers stays beaten whatever follows. That
is exact; only where more than `MOST` are left they are thinned, and the outcome says so.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from star_watos.explore.front import Sense, Values, non_dominated
from star_watos.explore.sweep import Exploration

MOST = 1_000
"""Combinations of a design that are kept; latency against energy leaves up to 500 (80 layers)."""

GROWTH: Mapping[str, Mapping[str, int]] = {
    "latency_s": {"latency_s": 1},
    "throughput_gops": {"latency_s": -1},
    "raw_throughput_gops": {"ops": 1, "latency_s": -1},
    "energy_j": {"energy_j": 1},
    "power_w": {"energy_j": 1, "latency_s": -1},
    "core_power_w": {"core_energy_j": 1, "latency_s": -1},
    "energy_efficiency_gops_per_w": {"energy_j": -1},
    "core_energy_efficiency_gops_per_w": {"core_energy_j": -1},
    "area_efficiency_gops_per_mm2": {"latency_s": -1},
    "dram_bytes": {"dram_bytes": 1},
    "utilization": {"mac_ops": 1, "latency_s": -1},
}
"""Metric -> the sums that it follows, 1 where it grows with one and -1 where it falls."""


def terms(sweep: Exploration) -> list[tuple[str, int]]:
    """Return the sums by which tilings are compared, each with 1 (less is better) or -1.

    A sum that is wanted both ways, as latency is where it is an objective and power has a maximum,
    is there twice: then only equal ones can be compared by the others.
    """
    wanted = [(name, sense is Sense.MINIMIZE) for name, sense in sweep.objectives.items()]
    for name, limit in sweep.constraints.items():
        ends = ((limit.max, True), (limit.min, False))
        wanted += [(name, less) for end, less in ends if end is not None]
    found = {
        (term, sign if less else -sign)
        for name, less in wanted
        for term, sign in GROWTH.get(name, {}).items()
    }
    return sorted(found) or [("latency_s", 1)]


class Choices(NamedTuple):
    """Combinations of a tile for each layer."""

    tiles: NDArray[np.intp]
    """Which tile each layer has, [combinations, layers]."""
    thinned: bool
    """Whether some that no other beats were left out."""


def combinations(losses: Values, fits: NDArray[np.bool_], most: int = MOST) -> Choices:
    """Return the choices of a fitting tile for each layer whose summed losses no other one beats.

    `losses` is [tiles, layers, terms], less is better; `fits` is [tiles, layers].

    Two layers, two tiles, latency and energy: a tile that is worse in both is never taken.

    >>> first, second = [[1.0, 4.0], [2.0, 9.0]], [[3.0, 2.0], [2.0, 3.0]]
    >>> losses = np.stack([first, second], axis=1)
    >>> combinations(losses, np.ones((2, 2), dtype=bool)).tiles.tolist()
    [[0, 0], [0, 1]]
    """
    sums, chosen, thinned = np.zeros((1, losses.shape[2])), np.empty((1, 0), dtype=np.intp), False
    less = np.ones(losses.shape[2])
    for layer in range(losses.shape[1]):
        own = np.flatnonzero(fits[:, layer])
        own = own[non_dominated(losses[own, layer], less)]
        added = (sums[:, None] + losses[own, layer]).reshape(-1, len(less))
        kept = np.flatnonzero(non_dominated(added, less))
        if len(kept) > most:
            kept, thinned = kept[_spread_out(added[kept], most)], True
        before, tile = np.divmod(kept, max(len(own), 1))
        sums, chosen = added[kept], np.column_stack([chosen[before], own[tile]])
    return Choices(chosen, thinned)


def _spread_out(values: Values, most: int) -> NDArray[np.intp]:
    """Return about `most` of the points: the best of each loss, and one a cell of a regular grid.

    So what is left out is within a cell of what is kept; the grid is made coarser until it serves.
    """
    low, ends = values.min(axis=0), np.unique(values.argmin(axis=0))
    width = np.maximum(values.max(axis=0) - low, np.finfo(float).tiny)
    cells, kept = most, np.arange(len(values))
    while len(kept) > most:
        cells //= 2
        places = np.floor((values - low) / width * cells)
        kept = np.unique(places, axis=0, return_index=True)[1]
    return np.union1d(kept, ends)
