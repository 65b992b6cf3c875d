"""The event-level run of a core: heads played out, extended to all of them, layers added up.

K/V heads are alike (those whose K^ comes with another's by turns), so that a further head adds the
same time once the pipeline has settled: 2, 4, 8 ... of them are played until two steps in a row
add the same time a head, and the rest is taken to add that too. A head of very many visits takes
neighbouring key tiles of a query tile as one.
"""

from collections import Counter
from dataclasses import dataclass

import numpy as np

from star_watos.errors import InputError
from star_watos.star.core import Core
from star_watos.star.dataflow import STAR, Dataflow, Tile
from star_watos.star.event.head import Head, head_tasks
from star_watos.star.event.machine import Machine, layer_groups
from star_watos.star.event.predicting import KeyBlocks
from star_watos.star.event.schedule import Played, play
from star_watos.star.event.tasks import BYTES, CYCLES, MOVED, SECONDS, TEMP, TOKEN, WEIGHT, Floats
from star_watos.star.event.visits import count_visits, query_tiles
from star_watos.star.work import AttentionWork

VISITS_A_HEAD = 2**13
"""Visits of a K/V head that are told apart; beyond, neighbouring key tiles are one."""

VISITS_AT_ONCE = 2**13
"""Visits of a layer up to which all K/V heads are played."""

MOST_VISITS = 2**27
"""Visits of a K/V head that can be listed in a minute or so."""

SAME = 1e-3
"""Relative difference of two times that a head adds up to which they are the same."""

ARRAYS = ("predict", "sort", "kv_generation", "attention")
"""The four arrays."""

PORTS = {"token": TOKEN, "weight": WEIGHT, "temp": TEMP}
"""The SRAMs, and the row of their bytes in an array's tasks."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How much is played out one by one; results hardly depend on it."""

    visits_a_head: int = VISITS_A_HEAD
    visits_at_once: int = VISITS_AT_ONCE
    same: float = SAME


@dataclass(frozen=True, slots=True)
class Sample:
    """What was played of one layer, for a trace."""

    played: Played
    heads: list[Head]
    kv_heads: int
    """K/V heads of the layer."""
    tiles_together: int
    """Key tiles that a visit stands for, at most; 0 for whole rows."""
    frequency_hz: float


@dataclass(frozen=True, slots=True)
class EventRun:
    """What a run took; sums over all layers unless said otherwise."""

    latency_s: float
    busy_s: dict[str, float]
    """Time of each array, of the DMA (`dram`) and of each SRAM port at work."""
    stall_s: dict[str, float]
    """Time of each array between its first start and last end of a layer in which it waits."""
    dram_bytes: float
    dram_moved_bytes: float
    """The same, every burst that is touched counted whole."""
    dram_bytes_of: dict[str, float]
    """`dram_bytes` by what is moved."""
    first_layer: Sample
    """What was played of the first layer."""


@dataclass(frozen=True, slots=True)
class _Totals:
    """Sums over all K/V heads of a layer; cycles, and bytes or seconds of the DRAM by kind."""

    busy: dict[str, float]
    transfers: dict[str, Floats]


@dataclass(frozen=True, slots=True)
class _LayerRun:
    cycles: float
    stall: dict[str, float]
    totals: _Totals
    sample: Sample


def _stages(head: Head) -> dict[str, Floats]:
    v = head.visits
    return dict(zip(ARRAYS, (v.predict, v.sort, head.batches.generation, v.attention), strict=True))


def _transfers(head: Head) -> dict[str, Floats]:
    v, b = head.visits, head.batches
    return {
        "front load": v.front,
        "K^ store": v.key_store,
        "scores store": v.scores,
        "scores load": v.scores,
        "identifiers store": v.identifiers,
        "batch load": b.load,
        "batch store": b.store,
        "rows load": v.rows,
        "output store": v.output,
    }


def _totals(machine: Machine, heads: list[tuple[Head, int]]) -> _Totals:
    """Add up heads, each so many times."""
    stages = {
        name: sum((n * _stages(head)[name].sum(axis=-1) for head, n in heads), np.zeros(4))
        for name in ARRAYS
    }
    transfers = {
        name: sum((n * _transfers(head)[name].sum(axis=-1) for head, n in heads), np.zeros(3))
        for name in _transfers(heads[0][0])
    }
    busy = {name: float(rows[CYCLES]) for name, rows in stages.items()}
    seconds = sum(float(rows[SECONDS]) for rows in transfers.values())
    busy["dram"] = seconds * machine.core.frequency_hz
    for name, row in PORTS.items():
        moved = sum(float(rows[row]) for rows in stages.values())
        busy[name] = moved / getattr(machine.core.sram, name).width_bytes
    return _Totals(busy, transfers)


def _together(machine: Machine, limits: Limits) -> int:
    """Return how many neighbouring key tiles are one visit; 0 where whole rows are."""
    n = count_visits(machine)
    if n > MOST_VISITS:
        text = f"{n:,} key tiles a head are too many to play out; the limit is {MOST_VISITS:,}"
        raise InputError.of("seq_len", text)
    if machine.flow.isolated:
        return 0
    rows = query_tiles(machine).size
    told_apart = max(limits.visits_a_head // machine.layer.passes - rows, rows)
    return 1 if n * machine.layer.passes <= limits.visits_a_head else -(-n // told_apart)


def _sizes(n_heads: int, period: int, n_visits: int, limits: Limits) -> list[int]:
    """Return how many K/V heads to play, at first and then further; all of them at the end.

    >>> _sizes(32, 1, 10**6, Limits()), _sizes(7, 2, 10**6, Limits()), _sizes(32, 1, 16, Limits())
    ([2, 4, 8, 16, 32], [5, 7], [32])
    """
    if n_heads * n_visits <= limits.visits_at_once:
        return [n_heads]
    steps = [n_heads % period + period * 2**k for k in range(1, n_heads.bit_length() + 1)]
    return [n for n in steps if n < n_heads] + [n_heads]


def _extended(
    machine: Machine, heads: list[Head], period: int, limits: Limits
) -> tuple[Played, int, float]:
    """Play ever more heads: the last played, how many, and the cycles that each further adds."""
    ends: list[tuple[int, float]] = []
    rates: list[float] = []
    for n in _sizes(len(heads), period, heads[0].n_visits, limits):
        played = play(machine, heads[:n])
        if ends:
            rates.append((played.end - ends[-1][1]) / (n - ends[-1][0]))
        ends.append((n, played.end))
        if len(rates) > 1 and abs(rates[-1] - rates[-2]) <= limits.same * rates[-1]:
            break
    return played, n, rates[-1] if rates else 0.0


def _layer(machine: Machine, limits: Limits) -> _LayerRun:
    """Play one layer of a group."""
    layer, together = machine.layer, _together(machine, limits)
    kinds = [KeyBlocks.of(machine, g) for g in range(layer.kv_heads)]
    made = {kind: head_tasks(machine, kind, max(1, together)) for kind in set(kinds)}
    period = machine.core.queries // np.gcd(layer.head_dim, machine.core.queries)
    heads = [made[kind] for kind in kinds]
    played, n, more = _extended(machine, heads, int(period), limits)
    later = more * (layer.kv_heads - n)
    totals = _totals(machine, [(made[kind], count) for kind, count in Counter(kinds).items()])
    stall = {
        name: max(0.0, float(span.end[-1] - span.start[0]) + later - totals.busy[name])
        if span.end.size
        else 0.0
        for name, span in played.stages.items()
    }
    sample = Sample(played, heads[:n], layer.kv_heads, together, machine.core.frequency_hz)
    return _LayerRun(played.end + later, stall, totals, sample)


def _added(parts: list[dict[str, float]], times: list[float]) -> dict[str, float]:
    return {
        name: sum(n * part[name] for part, n in zip(parts, times, strict=True)) for name in parts[0]
    }


def run_events(
    core: Core,
    work: AttentionWork,
    tile: Tile,
    flow: Dataflow = STAR,
    limits: Limits = Limits(),
) -> EventRun:
    """Play out `work` on `core`, visit by visit, and return what it took.

    The machine is that of `docs/star_model.md`; that it fits is not looked at. Each group of equal
    layers is played once. Raises `InputError` where counts are not whole or heads do not divide.
    """
    groups = layer_groups(work)
    runs = [_layer(Machine.of(core, group, tile, flow), limits) for group in groups]
    layers = [float(group.n_layers) for group in groups]
    seconds = [n / core.frequency_hz for n in layers]
    moved = [
        {name: float(rows[row]) for name, rows in run.totals.transfers.items()}
        for run in runs
        for row in (BYTES, MOVED)
    ]
    bytes_of = _added(moved[::2], layers)
    return EventRun(
        latency_s=sum(n * run.cycles for run, n in zip(runs, seconds, strict=True)),
        busy_s=_added([run.totals.busy for run in runs], seconds),
        stall_s=_added([run.stall for run in runs], seconds),
        dram_bytes=sum(bytes_of.values()),
        dram_moved_bytes=sum(_added(moved[1::2], layers).values()),
        dram_bytes_of=bytes_of,
        first_layer=runs[0].sample,
    )
