"""What the first visits of a run did when, in the trace-event format of Chrome and Perfetto."""

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from star_watos.star.event.head import Head, head_tasks
from star_watos.star.event.machine import Machine
from star_watos.star.event.predicting import KeyBlocks
from star_watos.star.event.run import EventRun
from star_watos.star.event.schedule import HEADS_WAITING, Played, play
from star_watos.star.event.servers import Span
from star_watos.star.event.visits import Choice, key_tiles

MOST_VISITS = 2000
"""Visits in a trace; a file of them has about two megabytes."""

_AHEAD = 2**16
"""Visits listed; a predictor that is further ahead of attention waits there."""

Event: TypeAlias = dict[str, Any]
"""An entry of `traceEvents`."""


@dataclass(frozen=True, slots=True)
class _Beginning:
    """The first visits of a layer, played out."""

    heads: list[Head]
    played: Played
    us_a_cycle: float

    def visit(self, index: int) -> Event:
        """Say which visit is meant."""
        g, t = divmod(index, self.heads[0].n_visits)
        tasks, again = self.heads[g].visits, t // self.heads[0].pass_visits
        tiles = {"query_tile": int(tasks.query_tile[t]), "key_tile": int(tasks.key_tile[t])}
        return {"kv_head": g, "pass": again, **tiles}

    def batch(self, index: int) -> Event:
        """Say which batch of K/V generation is meant."""
        g, b = divmod(index, max(1, self.heads[0].n_batches))
        return {"kv_head": g, "batch": b}


def _beginning(machine: Machine, n_visits: int) -> _Beginning:
    """Play the first `n_visits` visits of a layer, and what is under way by then."""
    visits = np.cumsum(key_tiles(machine))
    choice = Choice(np.arange(min(visits.size, 1 + int(np.searchsorted(visits, _AHEAD)))))
    kinds = [KeyBlocks.of(machine, g) for g in range(machine.layer.kv_heads)]
    made = {kind: head_tasks(machine, kind, choice) for kind in set(kinds)}
    needed = n_visits // made[kinds[0]].n_visits + 1 + HEADS_WAITING
    heads = [made[kind] for kind in kinds[:needed]]
    played = play(machine, heads, n_visits)
    return _Beginning(heads, played, 1e6 / machine.core.frequency_hz)


def _entries(name: str, track: int, span: Span, of: _Beginning) -> list[Event]:
    """Return the complete events of one kind; what takes no time is left out."""
    start, end = np.round(span.start * of.us_a_cycle, 6), np.round(span.end * of.us_a_cycle, 6)
    which = of.batch if name.startswith(("batch", "kv")) else of.visit
    return [
        {
            "name": name, "ph": "X", "pid": 0, "tid": track, "args": which(int(i)),
            "ts": float(start[i]), "dur": round(float(end[i] - start[i]), 6),
        }
        for i in np.flatnonzero(end > start)
    ]  # fmt: skip


def _names(tracks: list[str]) -> list[Event]:
    """Return the metadata that name the tracks."""
    return [
        {"name": "thread_name", "ph": "M", "pid": 0, "tid": tid, "args": {"name": track}}
        for tid, track in enumerate(tracks, start=1)
    ]


def trace_events(run: EventRun, most_visits: int = MOST_VISITS) -> dict[str, Any]:
    """Return the trace of the first visits of the first layer of a run; see `layer_events`."""
    return layer_events(run.first_layer, most_visits)


def layer_events(machine: Machine, most_visits: int) -> dict[str, Any]:
    """Return the trace of the first visits of a layer as a trace-event document.

    One track a unit: the arrays by stage (from the start of a task until its bytes have passed the
    SRAM ports), and the channels of the DMA, which share the DRAM. Times are microseconds. Nothing
    is left out before the last of these visits is attended to.
    """
    total = int(key_tiles(machine).sum()) * machine.layer.passes * machine.layer.kv_heads
    first = _beginning(machine, most_visits)
    channels = {f"DRAM {name}": span for name, span in first.played.transfers.items()}
    tracks = first.played.stages | channels
    entries = [
        event
        for tid, (name, span) in enumerate(tracks.items(), start=1)
        for event in _entries(name.removeprefix("DRAM "), tid, span, first)
    ]
    entries.sort(key=lambda entry: (entry["tid"], entry["ts"]))
    shown = min(most_visits, int(first.played.stages["attention"].end.size))
    return {
        "traceEvents": _names(list(tracks)) + entries,
        "displayTimeUnit": "ns",
        "otherData": {
            "core": machine.core.name,
            "shown": f"the first {shown:,} of the {total:,} visits of the first layer",
            "layers": f"{float(machine.work.n_layers):g} like it are in the first group",
        },
    }
