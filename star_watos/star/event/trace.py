"""What the first visits of a run did when, in the trace-event format of Chrome and Perfetto."""

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from star_watos.star.event.head import Head, head_tasks
from star_watos.star.event.machine import Machine
from star_watos.star.event.predicting import KeyBlocks
from star_watos.star.event.run import EventRun
from star_watos.star.event.schedule import Played, play
from star_watos.star.event.servers import Span
from star_watos.star.event.visits import Choice, key_tiles

MOST_VISITS = 2000
"""Visits in a trace; a file of them has about two megabytes."""

_AHEAD = 2**16
"""Visits listed; a predictor that is further ahead of attention waits there."""

_TRACKS = ("predict", "sort", "kv_generation", "attention", "dram")
"""Units, in the order of their tracks."""

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
    # Prediction is two K/V heads ahead of attention at most.
    needed = n_visits // made[kinds[0]].n_visits + 3
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


def _names() -> list[Event]:
    """Return the metadata that name the tracks."""
    return [
        {"name": "thread_name", "ph": "M", "pid": 0, "tid": tid, "args": {"name": track}}
        for tid, track in enumerate(_TRACKS, start=1)
    ]


def trace_events(run: EventRun, most_visits: int = MOST_VISITS) -> dict[str, Any]:
    """Return the trace of the first visits of the first layer as a trace-event document.

    One track a unit: the arrays by stage (from the start of a task until its bytes have passed the
    SRAM ports), the DRAM by what it moves. Times are microseconds. Nothing is left out before the
    last of these visits is attended to, whatever stood for others in `run`.
    """
    machine = run.first_layer
    total = int(key_tiles(machine).sum()) * machine.layer.passes * machine.layer.kv_heads
    first = _beginning(machine, most_visits)
    units = [(name, _TRACKS.index(name) + 1, span) for name, span in first.played.stages.items()]
    moves = [(name, len(_TRACKS), span) for name, span in first.played.transfers.items()]
    entries = [e for unit in units + moves for e in _entries(*unit, first)]
    entries.sort(key=lambda entry: (entry["tid"], entry["ts"]))
    shown = int(first.played.stages["attention"].end.size)
    return {
        "traceEvents": _names() + entries,
        "displayTimeUnit": "ns",
        "otherData": {
            "core": machine.core.name,
            "shown": f"the first {shown:,} of the {total:,} visits of the first layer",
            "layers": f"{float(machine.work.n_layers):g} like it are in the first group",
        },
    }
