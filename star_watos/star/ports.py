"""How long the stages take where they share the DRAM and the ports of the SRAMs.

A stage asks evenly for its bytes, and takes as long as its array, or what else it needs longest.
Of the DRAM it gets what the other stages leave on average; a port of an SRAM is shared fairly by
the stages at work (`sharing.py`).
"""

from typing import NamedTuple

import numpy as np

from star_watos.cost import Column
from star_watos.star.fit import batches
from star_watos.star.layer import Layer
from star_watos.star.sharing import waits
from star_watos.star.stages import SRAM_NAMES, Part, Stages
from star_watos.star.stages.stage import over_layer


class User(NamedTuple):
    """A part of a stage, and its seconds in one layer at what it needs, alone."""

    stage: str
    part: Part
    array_s: Column
    dram_s: Column
    port_s: dict[str, Column]
    """At the port of each SRAM that it uses."""

    @property
    def work_s(self) -> Column:
        """Seconds in one layer that its array works, at the pace of its ports."""
        return _longest(self.array_s, *self.port_s.values())

    @property
    def alone_s(self) -> Column:
        """Seconds in one layer if it shared nothing."""
        return np.maximum(self.work_s, self.dram_s)


class Times(NamedTuple):
    """Seconds of a part of a stage for each query tile, [tiles, ...]."""

    alone: Column
    """Where nobody else is at work."""
    beside: Column
    """Beside the other stages."""


def users_of(layer: Layer, stages: Stages) -> list[User]:
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
    array_s = part.layer_cycles / core.frequency_hz
    return User(stage, part, array_s, part.layer_dram.seconds, ports)


def memory_seconds(users: list[User]) -> dict[str, Column]:
    """Return how long each SRAM's ports and the DRAM are busy in one layer."""
    seconds: dict[str, Column] = {
        name: sum(user.port_s.get(name, 0.0) for user in users) for name in SRAM_NAMES
    }
    return seconds | {"dram": sum(user.dram_s for user in users)}


def part_times(layer: Layer, users: list[User], memory_s: dict[str, Column]) -> list[Times]:
    """Return how long each part takes, alone and beside the others.

    An array is as fast as its ports let it be; a query tile takes as long as that, or its load.
    """
    left, met, f = _dram_left(layer, users, memory_s), _share_met(layer), layer.core.frequency_hz
    found = []
    for user, waited_s in zip(users, _waited(users), strict=True):
        cycle_s = user.work_s / np.maximum(user.array_s * f, 1e-30)
        slowed = 1 + met * waited_s / np.maximum(user.work_s, 1e-30)
        load_s = user.part.dram.seconds
        alone = np.maximum(user.part.cycles * cycle_s, load_s)
        beside = np.maximum(user.part.cycles * (cycle_s * slowed), load_s / left[user.stage])
        found.append(Times(user.part.by_tile(alone), user.part.by_tile(beside)))
    return found


def _dram_left(layer: Layer, users: list[User], memory_s: dict[str, Column]) -> dict[str, Column]:
    """Return the share of the DRAM that the others leave to each stage: at least a quarter.

    What they take is spread over what the layer takes at least: its longest stage or memory, and
    once around, while the pipeline fills and drains, a batch of the other stages.
    """
    alone: dict[str, Column] = dict.fromkeys(Stages._fields, 0.0)
    own: dict[str, Column] = dict.fromkeys(Stages._fields, 0.0)
    for user in users:
        alone[user.stage] = alone[user.stage] + user.alone_s
        own[user.stage] = own[user.stage] + user.dram_s
    longest = _longest(*alone.values())
    around = (sum(alone.values()) - longest) / (
        np.maximum(batches(layer), 1.0) * layer.work.n_kv_heads
    )
    pace = _longest(longest, *memory_s.values()) + around
    return {s: np.maximum(1 - (memory_s["dram"] - own[s]) / pace, 1 / len(own)) for s in own}


def _share_met(layer: Layer) -> Column:
    """Share of the visits of a layer that meet others in other stages: all but one."""
    visits = 1.0 if layer.flow.isolated else layer.visits.count
    count = over_layer(layer, layer.passes * visits)
    return 1 - 1 / np.maximum(count, 1.0)


def _waited(users: list[User]) -> list[Column]:
    """Return the seconds that each part waits for other stages at the ports."""
    waited: list[Column] = [0.0] * len(users)
    for name in SRAM_NAMES:
        asking: dict[str, list[int]] = {}
        for i, user in enumerate(users):
            if name in user.port_s:
                asking.setdefault(user.stage, []).append(i)
        if len(asking) > 1:
            for i, wait in _waits_at(name, users, list(asking.values())):
                waited[i] = waited[i] + wait
    return waited


def _waits_at(name: str, users: list[User], asking: list[list[int]]) -> list[tuple[int, Column]]:
    """Return what each part waits at one port; `asking` are those of each stage that use it."""
    work_s = [np.maximum(sum(users[i].work_s for i in own), 1e-30) for own in asking]
    port_s = [sum(users[i].port_s[name] for i in own) for own in asking]
    waited = waits(work_s, [p / w for p, w in zip(port_s, work_s, strict=True)])
    return [
        (i, wait * (users[i].work_s / work))
        for own, work, wait in zip(asking, work_s, waited, strict=True)
        for i in own
    ]


def _longest(*seconds: Column) -> Column:
    """Return the longest of times."""
    longest: Column = seconds[0]
    for other in seconds[1:]:
        longest = np.maximum(longest, other)
    return longest
