"""The machine played out: one event after the other, until the last output is stored.

Events are ends of tasks in the order of time; of the same instant, those of later stages first.
What an end sets free starts at once, later stages first; the channels of the DMA and the ports of
the SRAMs are shared by what is at work (`servers.py`). A visit costs about a dozen events whatever
the design is: nothing is iterated and nothing can fail to converge. Times are cycles.
"""

from dataclasses import dataclass
from math import inf

import numpy as np
from numpy.typing import NDArray

from star_watos.star.event.head import Head
from star_watos.star.event.machine import Machine
from star_watos.star.event.servers import Array, Channels, Fed, Line, Ports, Span
from star_watos.star.event.tasks import CYCLES, SECONDS, Floats

(_ATTENDED, _OUTPUT, _ROWS, _STORED, _GENERATED, _LOADED, _IDENTIFIED, _SORTED, _BACK, _OUT,
 _PREDICTED, _KEYS, _PROJECTED, _CODES, _FRONT) = range(15)  # fmt: skip
"""Kinds of events, later stages first."""

HEADS_WAITING = 8
"""K/V heads whose kept identifiers may wait in DRAM for their attention."""

_ON_ARRAYS = frozenset((_ATTENDED, _GENERATED, _SORTED, _PREDICTED, _PROJECTED))
"""Those of the arrays; the others are transfers."""


@dataclass(frozen=True, slots=True)
class Played:
    """When everything of some K/V heads happened, in cycles from the start of the layer."""

    stages: dict[str, Span]
    """Of the arrays: predict, sort, kv_generation, attention."""
    transfers: dict[str, Span]
    """Of the DMA, by kind."""

    @property
    def end(self) -> float:
        """When the last output is in the DRAM."""
        return float(self.transfers["output store"].end[-1])


def _numbered(parts: list[NDArray[np.int64]], per_head: int) -> list[int]:
    """Return numbers that count within a head as numbers that count on from head to head."""
    numbers: list[int] = np.concatenate([p + g * per_head for g, p in enumerate(parts)]).tolist()
    return numbers


class _Play:
    """Who waits for whom. Every handler is told the time; `_done` lines count ends."""

    def __init__(self, machine: Machine, heads: list[Head]) -> None:
        self.dma, self.ports = Channels(), Ports()
        self.machine, self.heads = machine, heads
        self.ring = HEADS_WAITING * heads[0].n_visits
        batches = heads[0].n_batches
        needs = [np.where(h.needs > 0, h.needs + g * batches, 0) for g, h in enumerate(heads)]
        self.needs: list[int] = np.concatenate(needs).tolist()
        self.known = _numbered([h.batches.known for h in heads], heads[0].n_visits)
        self._stages()
        self._transfers()
        self.handlers = (
            self.attention_ends, self.nothing, self.attention_ends, self.batch_stored,
            self.generation_ends, self.generation_ends, self.identified, self.sorted,
            self.scores_back, self.scores_out, self.predicted, self.nothing, self.projection_ends,
            self.projection_ends, self.front_loaded,
        )  # fmt: skip

    def _stages(self) -> None:
        visits, batches = [h.visits for h in self.heads], [h.batches for h in self.heads]
        self.project = Fed(
            self._array(_PROJECTED, [v.project for v in visits]),
            self._line(_CODES, [v.codes for v in visits]),
        )
        self.predict = self._array(_PREDICTED, [v.predict for v in visits])
        self.sort = self._array(_SORTED, [v.sort for v in visits])
        self.generate = Fed(
            self._array(_GENERATED, [b.generation for b in batches]),
            self._line(_LOADED, [b.load for b in batches]),
        )
        self.attend = Fed(
            self._array(_ATTENDED, [v.attention for v in visits]),
            self._line(_ROWS, [v.rows for v in visits]),
        )

    def _transfers(self) -> None:
        heads = self.heads
        self.front = self._line(_FRONT, [h.visits.front for h in heads])
        self.key_store = self._line(_KEYS, [h.visits.key_store for h in heads])
        self.out = self._line(_OUT, [h.visits.scores for h in heads])
        self.back = self._line(_BACK, [h.visits.scores for h in heads])
        self.identify = self._line(_IDENTIFIED, [h.visits.identifiers for h in heads])
        self.store = self._line(_STORED, [h.batches.store for h in heads])
        self.output = self._line(_OUTPUT, [h.visits.output for h in heads])

    def _array(self, kind: int, parts: list[Floats]) -> Array:
        tasks, sram = np.concatenate(parts, axis=-1), self.machine.core.sram
        widths = np.array([[s.width_bytes] for s in (sram.token, sram.weight, sram.temp)])
        return Array(kind, tasks[CYCLES], tasks[CYCLES + 1 :] / widths)

    def _line(self, kind: int, parts: list[Floats]) -> Line:
        seconds = np.concatenate([part[SECONDS] for part in parts])
        return Line(kind, seconds * self.machine.core.frequency_hz)

    def run(self, n_attended: float) -> None:
        """Play until so many visits are attended to, or nothing is to come."""
        if not self.machine.flow.predicts:
            for line in (self.project.array, self.predict, self.sort, self.front, self.identify):
                line.skip()
        self.next_attention(0.0)
        self.next_batch(0.0)
        self.next_front(0.0)
        self.next_front(0.0)
        while self.attend.over < n_attended:
            for shared in (self.ports, self.dma):
                if shared.changed:
                    shared.foresee()
            now, kind = min(self.ports.due, self.dma.due)
            if now == inf:
                return
            if kind in _ON_ARRAYS:
                self.ports.finish(kind, now)
            else:
                self.dma.finish(now)
            self.handlers[kind](now)

    # What may start next. Each asks for all that it waits for.

    def next_front(self, now: float) -> None:
        """A slot is free: load what the predictor works on next."""
        if self.front.asked < self.front.size:
            self.dma.send(self.front, now)

    def next_predict(self, now: float) -> None:
        """Predict, once its load, a score buffer and room for its identifiers are there."""
        t = self.project.array.begun
        if (
            t < self.predict.size
            and self.predict.done == t
            and self.front.done > t
            and self.sort.done >= t - 1
            and self.attend.over > t - self.ring
        ):
            if self.project.pass_over(now):
                self.ports.begin(self.predict, now)
            else:
                self.begin(self.project, now)

    def next_sort(self, now: float) -> None:
        """Sort, once predicted; the scores are back if they had no room."""
        line = self.sort
        if line.begun == line.done < self.back.done:
            self.ports.begin(line, now)

    def next_batch(self, now: float) -> None:
        """Generate a batch, once its tokens are known."""
        if self.generate.idle and self.sort.done > self.known[self.generate.over]:
            self.begin(self.generate, now)

    def next_attention(self, now: float) -> None:
        """Attend, once identifiers and batches are stored."""
        t = self.attend.over
        if self.attend.idle and self.identify.done > t and self.store.done >= self.needs[t]:
            self.begin(self.attend, now)

    def begin(self, fed: Fed, now: float) -> None:
        """Start a task and its stream."""
        self.ports.begin(fed.array, now)
        self.dma.send(fed.stream, now)

    # What an end sets free, later stages first.

    def attention_ends(self, now: float) -> None:
        """A visit's attention ends, if its rows have all come."""
        if self.attend.ended():
            self.dma.store(self.output, now)
            self.next_attention(now)
            self.next_predict(now)

    def nothing(self, now: float) -> None:
        """Nobody waits for this."""

    def batch_stored(self, now: float) -> None:
        """The K and V of a batch are in the DRAM."""
        self.next_attention(now)

    def generation_ends(self, now: float) -> None:
        """The K and V of a batch are made, if its weights have all come."""
        if self.generate.ended():
            self.dma.send(self.store, now)
            self.next_batch(now)

    def identified(self, now: float) -> None:
        """A visit's identifiers are in the DRAM."""
        self.next_attention(now)

    def sorted(self, now: float) -> None:
        """A visit's keys are chosen."""
        self.next_batch(now)
        self.dma.send(self.identify, now)
        self.next_sort(now)
        self.next_predict(now)

    def scores_back(self, now: float) -> None:
        """A visit's scores can be sorted."""
        self.next_sort(now)
        self.next_predict(now)

    def scores_out(self, now: float) -> None:
        """A visit's scores have left the temp SRAM."""
        self.dma.send(self.back, now)

    def predicted(self, now: float) -> None:
        """A visit's scores are predicted."""
        if self.machine.flow.isolated:
            self.dma.send(self.out, now)
        else:
            self.back.done += 1
            self.next_sort(now)
        self.dma.store(self.key_store, now)
        self.next_front(now)
        self.next_predict(now)

    def projection_ends(self, now: float) -> None:
        """The K^ of a visit's tokens is made, if all codes have come: predict its scores."""
        if self.project.ended():
            self.ports.begin(self.predict, now)

    def front_loaded(self, now: float) -> None:
        """What the predictor works on is there."""
        self.next_predict(now)


def play(machine: Machine, heads: list[Head], first: int | None = None) -> Played:
    """Play out K/V heads of one layer, one after the other through the pipeline.

    Stops as soon as the `first` visits are attended to; what has begun by then has an end too.
    """
    run = _Play(machine, heads)
    run.run(inf if first is None else first)
    stages = {
        "predict": run.predict, "sort": run.sort, "kv_generation": run.generate.array,
        "attention": run.attend.array,
    }  # fmt: skip
    transfers = {
        "front load": run.front, "tokens and codes": run.project.stream, "K^ store": run.key_store,
        "scores store": run.out, "scores load": run.back, "identifiers store": run.identify,
        "batch load": run.generate.stream, "batch store": run.store,
        "rows load": run.attend.stream, "output store": run.output,
    }  # fmt: skip
    spans = {name: line.span for name, line in stages.items()}
    end = spans["predict"].end
    begun = np.array(run.project.array.starts[: end.size])
    spans["predict"] = Span(begun, end)
    return Played(spans, {name: line.span for name, line in transfers.items()})
