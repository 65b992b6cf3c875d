"""How long the stages take where they share the DRAM and the ports of the SRAMs.

A stage asks evenly for its bytes, and takes as long as its array, or whatever else it needs
longest. Of the DRAM it gets what the other stages leave on average. At an SRAM's port two stages
that ask for more than it moves each get what they ask for up to one half, and what the other
leaves, while both are at work.
"""

from typing import NamedTuple

import numpy as np

from star_watos.cost import Column
from star_watos.star.fit import batches
from star_watos.star.layer import Layer
from star_watos.star.stages import SRAM_NAMES, Part, Stages
from star_watos.star.stages.stage import over_layer


class User(NamedTuple):
    """A part of a stage, over one layer; seconds."""

    stage: str
    part: Part
    busy_s: Column
    """Of its array."""
    dram_s: Column
    """Of its transfers, if they have the DRAM for themselves."""
    port_s: dict[str, Column]
    """Of its bytes at the port of each SRAM that it uses."""

    @property
    def alone_s(self) -> Column:
        """If it shared nothing."""
        return _longest(self.busy_s, self.dram_s, *self.port_s.values())


class Asking(NamedTuple):
    """A part of a stage at a port."""

    stage: str
    work_s: Column
    """Time in which it asks."""
    share: Column
    """Share of the port that it asks for."""


def users(layer: Layer, stages: Stages) -> list[User]:
    """Return all parts of all stages, in the order in which a visit passes them."""
    return [
        _user(layer, name, part)
        for name, stage in zip(Stages._fields, stages, strict=True)
        for part in stage.parts
    ]


def _user(layer: Layer, stage: str, part: Part) -> User:
    core, ports = layer.core, {}
    for name in SRAM_NAMES:
        moved = getattr(part.traffic, f"{name}_read") + getattr(part.traffic, f"{name}_write")
        if np.ndim(moved) or moved:
            ports[name] = moved / (getattr(core, name).width_bytes * core.frequency_hz)
    busy_s = part.layer_cycles / core.frequency_hz
    return User(stage, part, busy_s, part.layer_dram.seconds, ports)


def memory_seconds(parts: list[User]) -> dict[str, Column]:
    """Return how long each SRAM's ports and the DRAM are busy in one layer."""
    seconds: dict[str, Column] = {
        name: sum(part.port_s.get(name, 0.0) for part in parts) for name in SRAM_NAMES
    }
    return seconds | {"dram": sum(part.dram_s for part in parts)}


class Times(NamedTuple):
    """Seconds of a part of a stage for each query tile, [tiles, ...]."""

    alone: Column
    """Where nobody else is at work."""
    beside: Column
    """Beside the other stages."""


def part_times(layer: Layer, parts: list[User]) -> list[Times]:
    """Return how long each part takes, alone and beside the others."""
    f, left = layer.core.frequency_hz, _dram_left(layer, parts)
    arrays = [part.part.cycles / f for part in parts]
    loads = [part.part.dram.seconds for part in parts]
    fed = [np.maximum(a, d * (1 / s)) for a, d, s in zip(arrays, loads, left, strict=True)]
    totals = [over_layer(layer, seconds) for seconds in fed]
    works = [_longest(s, *part.port_s.values()) for s, part in zip(totals, parts, strict=True)]
    met, waits = _share_met(layer), _waits(parts, works)
    slowed = [
        (w + wait * met) / np.maximum(total, 1e-30)
        for w, wait, total in zip(works, waits, totals, strict=True)
    ]
    ported = [
        part.alone_s / np.maximum(np.maximum(part.busy_s, part.dram_s), 1e-30) for part in parts
    ]
    return [
        Times(np.maximum(a, d) * p, s * slow)
        for a, d, p, s, slow in zip(arrays, loads, ported, fed, slowed, strict=True)
    ]


def _dram_left(layer: Layer, parts: list[User]) -> list[Column]:
    """Return the share of the DRAM that the other stages leave to each part: at least a quarter.

    What they take is spread over what the layer takes at least: its longest stage or memory, and
    once around, while the pipeline fills and drains, a batch of the other stages.
    """
    stages = list(dict.fromkeys(part.stage for part in parts))
    alone = [sum(part.alone_s for part in parts if part.stage == stage) for stage in stages]
    memory, longest = memory_seconds(parts), _longest(*alone)
    count = np.maximum(batches(layer), 1.0) * layer.work.n_kv_heads
    pace = _longest(longest, *memory.values()) + (sum(alone) - longest) / count
    own = {s: sum(part.dram_s for part in parts if part.stage == s) for s in stages}
    left = {s: np.maximum(1 - (memory["dram"] - own[s]) / pace, 1 / len(stages)) for s in stages}
    return [left[part.stage] for part in parts]


def _share_met(layer: Layer) -> Column:
    """Share of the visits of a layer that meet others in other stages: all but one."""
    visits = 1.0 if layer.flow.isolated else layer.visits.count
    count = over_layer(layer, layer.passes * visits)
    return 1 - 1 / np.maximum(count, 1.0)


def _waits(parts: list[User], works: list[Column]) -> list[Column]:
    """Return the seconds that each part waits for others at the ports."""
    waits: list[Column] = [0.0] * len(parts)
    for name in SRAM_NAMES:
        asking = {
            i: Asking(part.stage, work_s, part.port_s[name] / np.maximum(work_s, 1e-30))
            for i, (part, work_s) in enumerate(zip(parts, works, strict=True))
            if name in part.port_s
        }
        for i, own in asking.items():
            others = (other for other in asking.values() if other.stage != own.stage)
            waits[i] = waits[i] + sum(_wait(own, other) for other in others)
    return waits


def _wait(own: Asking, other: Asking) -> Column:
    """Seconds that `own` waits if it is at work whenever `other` is.

    Both are slowed while they meet, for other.work / other.rate, or all of the own work:

        min(work / rate - work, other.work / other.rate (1 - rate))

    Three quarters each of a port leave each a half: 2 s of the one, met by 1 s of the other which
    takes 1.5 s then, grow by 0.5 s.

    >>> round(float(_wait(Asking("a", 2.0, 0.75), Asking("b", 1.0, 0.75))), 12)
    0.5
    """
    rate, others = _rate(own.share, other.share), _rate(other.share, own.share)
    return np.minimum(own.work_s / rate - own.work_s, other.work_s / others * (1 - rate))


def _rate(share: Column, other: Column) -> Column:
    """Return how fast a user goes that asks for `share` while another asks for `other`."""
    given = np.maximum(1 - other, 0.5)
    return np.minimum(given / np.maximum(share, 1e-30), 1.0)


def _longest(*seconds: Column) -> Column:
    """Return the longest of times."""
    longest: Column = seconds[0]
    for other in seconds[1:]:
        longest = np.maximum(longest, other)
    return longest
