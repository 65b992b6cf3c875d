"""What the machine's tasks share: the DRAM's bandwidth and the SRAM ports. Times are cycles.

Both are shared by whoever is at work. So what a task has left shrinks at a rate that changes only
when another one begins or ends, and the next end is known at any time.
"""

from array import array
from dataclasses import dataclass
from heapq import heappop, heappush
from math import inf

import numpy as np

from star_watos.star.event.tasks import Floats


@dataclass(frozen=True, slots=True)
class Span:
    """When tasks of one kind start and end, in cycles; each field is [tasks]."""

    start: Floats
    end: Floats


class Line:
    """Tasks of one kind, done one after the other: how many are asked for, begun and done."""

    __slots__ = ("asked", "begun", "cycles", "done", "ends", "kind", "size", "starts")

    def __init__(self, kind: int, cycles: Floats) -> None:
        """Take [tasks] durations at the full rate."""
        self.kind = kind
        self.cycles: list[float] = cycles.tolist()
        self.size = len(self.cycles)
        self.asked = self.begun = self.done = 0
        self.starts, self.ends = array("d"), array("d")

    def skip(self) -> None:
        """Count all tasks as done: the machine goes without them."""
        self.asked = self.begun = self.done = self.size

    @property
    def span(self) -> Span:
        """When the tasks that are over started and ended."""
        return Span(np.array(self.starts[: len(self.ends)]), np.array(self.ends))

    def start(self, now: float) -> float:
        """Begin the next task; return its cycles."""
        cycles = self.cycles[self.begun]
        self.begun += 1
        self.starts.append(now)
        return cycles

    def end(self, now: float) -> None:
        """End the task that is at work."""
        self.done += 1
        self.ends.append(now)


class Channels:
    """The DMA: every kind of transfer is a channel, those at work have equal shares.

    With n at work each moves 1 / n of the bandwidth. `work` counts what one channel that is always
    at work would have moved, so that a transfer is over when it has grown by its own cycles.
    """

    __slots__ = ("changed", "due", "last", "open", "work")

    def __init__(self) -> None:
        """Begin idle."""
        self.last = self.work = 0.0
        self.open: list[tuple[float, int, Line]] = []
        self.due: tuple[float, int] = (inf, 0)
        """When the next transfer ends if nothing else begins, and of which kind it is."""
        self.changed = False
        """Whether `due` is to be worked out again."""

    def send(self, line: Line, now: float) -> None:
        """Ask for the next transfer of `line`, which begins once those before it are done."""
        line.asked += 1
        if line.begun == line.done:
            self._catch_up(now)
            self._begin(line, now)

    def store(self, line: Line, now: float) -> None:
        """Ask for a transfer that nobody waits for; there is none if it has nothing to move."""
        if line.cycles[line.asked] or line.begun > line.done:
            self.send(line, now)
        else:
            line.asked += 1
            line.start(now)
            line.end(now)

    def finish(self, now: float) -> None:
        """End the transfer that is due, and begin the next one of its channel."""
        self._catch_up(now)
        work, _, line = heappop(self.open)
        self.work = max(self.work, work)
        line.end(now)
        if line.begun < line.asked:
            self._begin(line, now)

    def foresee(self) -> None:
        """Work out what ends next."""
        self.changed, self.due = False, (inf, 0)
        if self.open:
            work, kind, _ = self.open[0]
            self.due = self.last + max(0.0, work - self.work) * len(self.open), kind

    def _catch_up(self, now: float) -> None:
        self.changed = True
        if self.open:
            self.work += (now - self.last) / len(self.open)
        self.last = now

    def _begin(self, line: Line, now: float) -> None:
        heappush(self.open, (self.work + line.start(now), line.kind, line))


class Array(Line):
    """Tasks of an array, with the cycles that they take of each port."""

    __slots__ = ("asks", "left", "rate", "shares")

    def __init__(self, kind: int, cycles: Floats, port_cycles: Floats) -> None:
        """Take [tasks] durations, and [ports, tasks] of them on the ports.

        Alone, a task takes the longest of them; of that time it asks each port for its share.
        """
        alone = np.maximum(cycles, port_cycles.max(axis=0))
        super().__init__(kind, alone)
        asks = port_cycles / np.where(alone > 0, alone, 1.0)
        self.asks: list[list[float]] = asks.T.tolist()
        self.left, self.rate = 0.0, 1.0
        self.shares = self.asks[0] if self.asks else []


class Fed:
    """Tasks of an array, each with a stream that it cannot do without: it is over when both are."""

    __slots__ = ("array", "over", "stream")

    def __init__(self, array: Array, stream: Line) -> None:
        """Take an array and as many transfers as it has tasks."""
        self.array, self.stream = array, stream
        self.over = 0

    @property
    def idle(self) -> bool:
        """Whether a task is to come and none has begun that is not over."""
        return self.array.begun == self.over < self.array.size

    def pass_over(self, now: float) -> bool:
        """Count the next task as over if it asks for nothing."""
        nothing = not (self.array.cycles[self.over] or self.stream.cycles[self.over])
        if nothing:
            self.stream.asked += 1
            for line in (self.array, self.stream):
                line.start(now)
                line.end(now)
            self.over += 1
        return nothing

    def ended(self) -> bool:
        """Whether what ended just now was the later one of a task's two."""
        both = min(self.array.done, self.stream.done) > self.over
        self.over += both
        return both


def fair(asked: list[float]) -> list[float]:
    """Return how fast users of a port go that ask for these shares of it: 1 is as they ask.

    What all ask for is given in equal parts; who asks for less leaves the rest to the others.

    >>> fair([0.25, 0.5]), fair([0.25, 1.0, 0.0])
    ([1.0, 1.0], [1.0, 0.75, 1.0])
    """
    rates, left, users = [1.0] * len(asked), 1.0, len(asked)
    if sum(asked) <= 1:
        return rates
    for i in sorted(range(users), key=asked.__getitem__):
        given = min(asked[i], left / users)
        rates[i] = given / asked[i] if asked[i] else 1.0
        left, users = left - given, users - 1
    return rates


class Ports:
    """The ports of the SRAMs, each shared fairly by the arrays at work."""

    __slots__ = ("busy", "changed", "due", "last")

    def __init__(self) -> None:
        """Begin with no array at work."""
        self.last = 0.0
        self.busy: list[Array] = []
        self.due: tuple[float, int] = (inf, 0)
        """When the next array is done if none begins, and which."""
        self.changed = False
        """Whether rates and `due` are to be worked out again."""

    def begin(self, line: Array, now: float) -> None:
        """Start the next task of an array."""
        self._catch_up(now)
        line.shares = line.asks[line.begun]
        line.left = line.start(now)
        self.busy.append(line)

    def finish(self, kind: int, now: float) -> None:
        """End the task of the array of that kind."""
        self._catch_up(now)
        (line,) = [a for a in self.busy if a.kind == kind]
        self.busy.remove(line)
        line.end(now)

    def foresee(self) -> None:
        """Give each array at work the rate of the port that slows it most; and see what ends."""
        self.changed = False
        token = weight = temp = 0.0
        for a in self.busy:
            a.rate = 1.0
            shares = a.shares
            token, weight, temp = token + shares[0], weight + shares[1], temp + shares[2]
        if token > 1 or weight > 1 or temp > 1:
            ports = [fair([a.shares[i] for a in self.busy]) for i in range(3)]
            for a, *rates in zip(self.busy, *ports, strict=True):
                a.rate = min(rates)
        last = self.last
        self.due = min([(last + a.left / a.rate, a.kind) for a in self.busy], default=(inf, 0))

    def _catch_up(self, now: float) -> None:
        self.changed = True
        passed = now - self.last
        if passed:
            for a in self.busy:
                a.left = max(0.0, a.left - passed * a.rate)
        self.last = now
