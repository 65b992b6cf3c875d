"""The event-level run of a core: what is played out, and how it stands for the whole.

Two things are repeated so often in a long layer that not all of them are played:

- K/V heads are alike (those whose K^ comes with another's by turns). 2, 4, 8 ... of them are played
  until two steps in a row add the same time a head; the rest is taken to add that too.
- Query tiles of a head differ only little from their neighbours. Of a long head some are played,
  evenly spread, each with its own visits and the tokens that it brings; and half as many: what the
  further half adds, the query tiles left out are taken to add too.

Key tiles are never merged: bigger visits would come with bigger double buffers.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import gcd

from star_watos.errors import InputError
from star_watos.star.core import Core
from star_watos.star.dataflow import STAR, Dataflow, Tile
from star_watos.star.event.head import Head, head_tasks
from star_watos.star.event.machine import Machine, layer_groups
from star_watos.star.event.predicting import KeyBlocks
from star_watos.star.event.schedule import Played, play
from star_watos.star.event.totals import Totals, layer_totals
from star_watos.star.event.visits import Choice, key_tiles
from star_watos.star.work import AttentionWork

MOST_VISITS = 2**28
"""Visits of a K/V head that can be listed in a few minutes."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How much is played out one by one."""

    head_visits: int = 2**14
    """Visits of a K/V head; of one with twice as many, not all query tiles are played."""
    layer_visits: int = 2**13
    """Visits of a layer up to which all K/V heads are played."""
    least_tiles: int = 16
    """Query tiles of a head that are played at least."""
    same: float = 1e-3
    """Relative difference of two times a head up to which they are the same."""


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
    first_layer: Machine
    """What the first layer runs on, for a trace."""


@dataclass(frozen=True, slots=True)
class _Ends:
    """Cycles of one layer: until its last output, and those that each array is not needed for."""

    layer: float
    idle: dict[str, float]
    """Before the first start and after the last end of each array."""


def _sizes(n_heads: int, period: int) -> list[int]:
    """Return how many K/V heads to play at first and then further, all of them at the end.

    >>> _sizes(32, 1), _sizes(7, 2)
    ([2, 4, 8, 16, 32], [5, 7])
    """
    steps = [n_heads % period + period * 2**k for k in range(1, n_heads.bit_length() + 1)]
    return [n for n in steps if n < n_heads] + [n_heads]


def _grown(cycles: Callable[[int], float], sizes: list[int], same: float) -> float:
    """Return cycles(sizes[-1]), or what it comes to if the steps before add the same an item."""
    done, rates = [(sizes[0], cycles(sizes[0]))], []
    for n in sizes[1:]:
        done.append((n, cycles(n)))
        (n0, t0), (n1, t1) = done[-2:]
        rates.append((t1 - t0) / (n1 - n0))
        if len(rates) > 1 and abs(rates[-1] - rates[-2]) <= same * rates[-1]:
            break
    n, t = done[-1]
    return t + (sizes[-1] - n) * rates[-1] if n < sizes[-1] else t


def _heads(machine: Machine, choice: Choice) -> list[Head]:
    """Return the tasks of all K/V heads; those that are alike share them."""
    kinds = [KeyBlocks.of(machine, g) for g in range(machine.layer.kv_heads)]
    made = {kind: head_tasks(machine, kind, choice) for kind in set(kinds)}
    return [made[kind] for kind in kinds]


def _idle(played: Played) -> dict[str, float]:
    """Return the cycles before the first start and after the last end of each array."""
    return {
        name: float(span.start[0] + played.end - span.end[-1]) if span.end.size else played.end
        for name, span in played.stages.items()
    }


def _ends(machine: Machine, n_tiles: int, limits: Limits) -> _Ends:
    """Play a layer of which `n_tiles` query tiles count."""
    heads = _heads(machine, Choice.of(machine, n_tiles))
    rows = machine.core.queries
    sizes = _sizes(len(heads), rows // gcd(machine.layer.head_dim, rows))
    if len(heads) * heads[0].n_visits <= limits.layer_visits:
        sizes = sizes[-1:]
    idle: dict[str, float] = {}

    def cycles(n: int) -> float:
        played = play(machine, heads[:n])
        idle.update(_idle(played))
        return played.end

    return _Ends(_grown(cycles, sizes, limits.same), idle)


def _check_length(machine: Machine) -> None:
    """Refuse a K/V head whose visits cannot be listed in reasonable time."""
    visits = int(key_tiles(machine).sum()) * machine.layer.passes
    if visits > MOST_VISITS:
        text = f"{visits:,} key tiles a K/V head are too many to play out (over {MOST_VISITS:,})"
        raise InputError.of("seq_len", text)


def _tiles_played(machine: Machine, limits: Limits) -> int:
    """Return how many query tiles of a head are played: all, or an even number of at most half."""
    tiles = key_tiles(machine)
    visits = int(tiles.sum()) * machine.layer.passes
    played = tiles.size * limits.head_visits // (4 * visits) * 4
    played = max(played, limits.least_tiles)
    return played if played <= tiles.size // 2 and not machine.flow.isolated else int(tiles.size)


def _layer(machine: Machine, totals: Totals, limits: Limits) -> _Ends:
    """Return the times of one layer, extended from the query tiles that are played.

    How long the busiest server is at work is known of all (`totals`); what it waits is extended.
    """
    whole = totals.busy_cycles
    n, played = key_tiles(machine).size, _tiles_played(machine, limits)
    ends = _ends(machine, played, limits)
    if played == n:
        return ends
    half = _ends(machine, played // 2, limits)
    name = max(whole, key=lambda name: whole[name])
    waits, fewer = (
        end.layer - layer_totals(machine, tiles).busy_cycles[name]
        for end, tiles in ((ends, played), (half, played // 2))
    )
    waits += (n - played) * (waits - fewer) / (played - played // 2)
    return _Ends(whole[name] + max(0.0, waits), ends.idle)


def _added(parts: list[dict[str, float]], times: list[float]) -> dict[str, float]:
    """Add up dictionaries, each so many times."""
    return {
        name: sum(n * part[name] for part, n in zip(parts, times, strict=True)) for name in parts[0]
    }


def _stall(ends: _Ends, totals: Totals) -> dict[str, float]:
    """Return the cycles in which an array that has begun and is not done waits."""
    busy = totals.busy_cycles
    return {name: max(0.0, ends.layer - idle - busy[name]) for name, idle in ends.idle.items()}


def machines_of(
    core: Core, work: AttentionWork, tile: Tile, flow: Dataflow = STAR
) -> list[Machine]:
    """Return what each group of equal layers runs on. Raises `InputError`; see `run_events`."""
    groups = layer_groups(work)
    tiles = tile.each(len(groups))
    return [Machine.of(core, *both, flow) for both in zip(groups, tiles, strict=True)]


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
    machines = machines_of(core, work, tile, flow)
    for machine in machines:
        _check_length(machine)
    totals = [layer_totals(machine, key_tiles(machine).size) for machine in machines]
    ends = [_layer(*both, limits) for both in zip(machines, totals, strict=True)]
    layers = [float(machine.work.n_layers) for machine in machines]
    seconds = [n / core.frequency_hz for n in layers]
    stalls = [_stall(*both) for both in zip(ends, totals, strict=True)]
    bytes_of = _added([part.dram_bytes for part in totals], layers)
    moved = [{"": part.dram_moved_bytes} for part in totals]
    return EventRun(
        latency_s=_added([{"": end.layer} for end in ends], seconds)[""],
        busy_s=_added([part.busy_cycles for part in totals], seconds),
        stall_s=_added(stalls, seconds),
        dram_bytes=sum(bytes_of.values()),
        dram_moved_bytes=_added(moved, layers)[""],
        dram_bytes_of=bytes_of,
        first_layer=machines[0],
    )
