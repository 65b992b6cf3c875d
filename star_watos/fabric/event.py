"""Tasks played out in time: work that takes seconds, and flows that share links fairly.

A task starts when all tasks before it have ended. It first moves its bytes, at the rate that the
links on its route leave it (`fair_rates`), then lasts its seconds: of work, or the latency of its
route. No closed formula of a collective is used.
"""

import heapq
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from star_watos.fabric.flows import SAME, Values, fair_rates
from star_watos.fabric.routes import Fabric, Routes, starts

Name: TypeAlias = tuple[str, str]
NONE = ("", "")


@dataclass
class Tasks:
    """Tasks in the order in which they are added; each returns its number.

    A task may be named by what does it, and what it is.
    """

    seconds: list[float] = field(default_factory=list)
    n_bytes: list[float] = field(default_factory=list)
    links: list[NDArray[np.intp]] = field(default_factory=list)
    after: list[tuple[int, ...]] = field(default_factory=list)
    names: list[tuple[str, str]] = field(default_factory=list)

    def work(self, seconds: float, after: Iterable[int] = (), name: Name = NONE) -> int:
        """Add work, or with no seconds a point in time that others wait for."""
        return self._add((seconds, 0.0), np.zeros(0, dtype=np.intp), after, name)

    def flow(
        self,
        links: NDArray[np.intp],
        latency_and_bytes: tuple[float, float],
        after: Iterable[int] = (),
        name: Name = NONE,
    ) -> int:
        """Add bytes that take a route of some latency."""
        return self._add(latency_and_bytes, links, after, name)

    def flows(
        self, fabric: Fabric, routes: Routes, n_bytes: Values, after: Iterable[int]
    ) -> list[int]:
        """Add flows that all start after the same tasks."""
        latency, waits = routes.along(fabric.hop_s), tuple(after)
        return [
            self.flow(routes.of(i), (float(latency[i]), float(n_bytes[i])), waits)
            for i in range(len(n_bytes))
        ]

    def _add(
        self,
        seconds_and_bytes: tuple[float, float],
        links: NDArray[np.intp],
        after: Iterable[int],
        name: Name,
    ) -> int:
        self.seconds.append(seconds_and_bytes[0])
        self.n_bytes.append(seconds_and_bytes[1])
        self.links.append(links)
        self.after.append(tuple(after))
        self.names.append(name)
        return len(self.seconds) - 1


@dataclass(frozen=True)
class Played:
    """When each task began and ended, in seconds."""

    begin_s: Values
    end_s: Values

    @property
    def total_s(self) -> float:
        """End of the last task."""
        return float(self.end_s.max(initial=0.0))


def play(fabric: Fabric, tasks: Tasks) -> Played:
    """Return when each task begins and ends."""
    return _Player(fabric, tasks).run()


class _Player:
    """The state of a run."""

    def __init__(self, fabric: Fabric, tasks: Tasks) -> None:
        n = len(tasks.seconds)
        self.capacity, self.tasks = fabric.capacity_bytes_per_s, tasks
        self.waits_for = [len(before) for before in tasks.after]
        self.then: list[list[int]] = [[] for _ in range(n)]
        for task, befores in enumerate(tasks.after):
            for before in befores:
                self.then[before].append(task)
        self.begin, self.end = np.zeros(n), np.zeros(n)
        self.left = np.asarray(tasks.n_bytes, dtype=np.float64).copy()
        self.moving: list[int] = []
        self.lasting: list[tuple[float, int]] = []
        self.known: dict[bytes, Values] = {}
        """Rates of sets of flows on the same links: collectives repeat them."""

    def run(self) -> Played:
        now, ready = 0.0, [t for t, count in enumerate(self.waits_for) if count == 0]
        while ready or self.moving or self.lasting:
            self._start(ready, now)
            rates = self._rates()
            needs = self.left[self.moving] / rates
            step = min(needs.min(initial=np.inf), self._next_end() - now)
            self.left[self.moving] -= rates * step
            now += step
            self._move_on(needs <= step * SAME, now)
            ready = self._ended(now)
        return Played(self.begin, self.end)

    def _start(self, ready: list[int], now: float) -> None:
        for task in ready:
            self.begin[task] = now
            if self.left[task] > 0 and len(self.tasks.links[task]):
                self.moving.append(task)
            else:
                heapq.heappush(self.lasting, (now + self.tasks.seconds[task], task))

    def _rates(self) -> Values:
        links = [self.tasks.links[task] for task in self.moving]
        if not links:
            return np.zeros(0)
        routes = Routes(starts(np.array([len(each) for each in links])), np.concatenate(links))
        key = routes.link.tobytes() + routes.start.tobytes()
        if key not in self.known:
            self.known[key] = fair_rates(routes, self.capacity)
        return self.known[key]

    def _next_end(self) -> float:
        return self.lasting[0][0] if self.lasting else float(np.inf)

    def _move_on(self, over: NDArray[np.bool_], now: float) -> None:
        """Let flows whose bytes are through last their latency."""
        for task in np.asarray(self.moving, dtype=np.intp)[over].tolist():
            heapq.heappush(self.lasting, (now + self.tasks.seconds[task], task))
        self.moving = [t for t, gone in zip(self.moving, over, strict=True) if not gone]

    def _ended(self, now: float) -> list[int]:
        """End what lasts no longer than now; return what may start."""
        ready = []
        while self.lasting and self.lasting[0][0] <= now * SAME:
            end, task = heapq.heappop(self.lasting)
            self.end[task] = end
            for then in self.then[task]:
                self.waits_for[then] -= 1
                if self.waits_for[then] == 0:
                    ready.append(then)
        return ready
