"""How many layers each stage has, found together with what it runs again and has others keep.

A stage that must run much again is better off with fewer layers. From the slowest stage a layer
goes to whichever other makes the times of all stages best, the slowest counting first, then the
next; until none does.
"""

import numpy as np

from star_watos.watos.balance.parts import EVERYTHING, Without
from star_watos.watos.balance.pipeline import Pipeline, Scheduled
from star_watos.watos.plans import Ints

DIGITS = 9
"""Of the slowest stage's time: closer times are one."""


def refined(pipeline: Pipeline, start: Scheduled, without: Without = EVERYTHING) -> Scheduled:
    """Return a schedule whose slowest stage is no slower than that of `start`."""
    best = start
    while True:
        ways = (pipeline.scheduled(without, layers) for layers in _moved(best))
        found = [way for way in ways if way is not None]
        scale = best.balance.slowest_s
        following = min(found, key=lambda way: _order(way, scale), default=best)
        if _order(following, scale) >= _order(best, scale):
            return best
        best = following


def _moved(it: Scheduled) -> list[Ints]:
    """Return the layers of stages after each move of one from the slowest, if it has several."""
    slowest, n = int(it.balance.time_s.argmax()), len(it.layers)
    if it.layers[slowest] < 2:
        return []
    return [it.layers - np.eye(n, dtype=np.int64)[slowest] + row for row in _others(n, slowest)]


def _others(n: int, slowest: int) -> Ints:
    """Return a layer more for each stage but the slowest, a row a way."""
    return np.delete(np.eye(n, dtype=np.int64), slowest, axis=0)


def _order(it: Scheduled, scale: float) -> list[float]:
    """Return the times of the stages, slowest first, by which schedules are compared."""
    times: list[float] = np.round(np.sort(it.balance.time_s)[::-1] / scale, DIGITS).tolist()
    return times
