"""Arrays, SRAM ports and the DMA: who serves in which order, and when a task ends. In cycles."""

from array import array
from dataclasses import dataclass
from heapq import heappush
from typing import TypeAlias

import numpy as np

from star_watos.star.event.tasks import Floats

Heap: TypeAlias = list[tuple[float, int]]
"""Ends to come: when, and of which kind of task; of the same instant the smaller kind first."""


@dataclass(frozen=True, slots=True)
class Span:
    """When tasks of one kind start and end, in cycles; each field is [tasks]."""

    start: Floats
    end: Floats


class Line:
    """Tasks of one kind, served in order: how many have begun and are done, and when."""

    __slots__ = ("begun", "cycles", "done", "ends", "heap", "kind", "size", "starts")

    def __init__(self, heap: Heap, kind: int | None, cycles: Floats) -> None:
        """Take [tasks] durations; the heap hears of no end if the kind is None."""
        self.heap, self.kind = heap, kind
        self.cycles: list[float] = cycles.tolist()
        self.size = len(self.cycles)
        self.begun = self.done = 0
        self.starts, self.ends = array("d"), array("d")

    def skip(self) -> None:
        """Count all tasks as done: the machine goes without them."""
        self.begun = self.done = self.size

    @property
    def span(self) -> Span:
        """When the tasks started and ended."""
        return Span(np.array(self.starts), np.array(self.ends))

    def _note(self, start: float, end: float) -> None:
        self.begun += 1
        self.starts.append(start)
        self.ends.append(end)
        if self.kind is not None:
            heappush(self.heap, (end, self.kind))


class Ports:
    """The ports of the three SRAMs: when each is free."""

    __slots__ = ("free",)

    def __init__(self) -> None:
        """Begin with all free."""
        self.free = [0.0, 0.0, 0.0]


class Array(Line):
    """Tasks of an array: one is done when its cycles are over and its bytes have moved."""

    __slots__ = ("needs", "ports")

    def __init__(
        self, heap: Heap, kind: int, cycles: Floats, ports: Ports, port_cycles: Floats
    ) -> None:
        """Take [tasks] durations, and [3, tasks] of them on the ports."""
        super().__init__(heap, kind, cycles)
        self.ports = ports
        self.needs = [(i, row.tolist()) for i, row in enumerate(port_cycles) if row.any()]

    def begin(self, now: float) -> None:
        """Start the next task, and ask the ports for its bytes."""
        i, free = self.begun, self.ports.free
        end = now + self.cycles[i]
        for port, needs in self.needs:
            if needs[i]:
                free[port] = max(free[port], now) + needs[i]
                end = max(end, free[port])
        self._note(now, end)


class Dma:
    """The DMA of the DRAM: one transfer at a time, first come first served."""

    __slots__ = ("free",)

    def __init__(self) -> None:
        """Begin free."""
        self.free = 0.0

    def send(self, line: Line, now: float) -> None:
        """Ask for the next transfer of `line`; nothing to move is done with the one before."""
        cycles = line.cycles[line.begun]
        if cycles:
            start = max(self.free, now)
            end = self.free = start + cycles
        else:
            start = end = max(now, line.ends[-1]) if line.begun else now
        line._note(start, end)  # noqa: SLF001 (a line and what serves it are one thing)
