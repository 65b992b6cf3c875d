"""How the ports of the SRAMs slow the stages that share them.

A stage asks for its bytes evenly over its work. Alone it takes as long as its array or the port
that it needs longest. Where two stages at work ask for more than a port moves, each gets what it
asks for up to one half, and what the other leaves.
"""

from typing import NamedTuple

import numpy as np

from star_watos.cost import Column
from star_watos.star.layer import Layer
from star_watos.star.stages import SRAM_NAMES, Stages
from star_watos.star.stages.predict import phase1_cycles
from star_watos.star.stages.stage import over_layer


class User(NamedTuple):
    """A stage at a port in one layer."""

    stage: str
    work_s: Column
    """Time in which it asks, alone."""
    port_s: Column
    """Time in which the port moves its bytes."""

    @property
    def share(self) -> Column:
        """Share of the port that it asks for."""
        return self.port_s / np.maximum(self.work_s, 1e-30)


def port_seconds(layer: Layer, stages: Stages) -> dict[str, dict[str, Column]]:
    """Seconds of one layer that each stage's bytes take at each SRAM, by SRAM and stage."""
    return {
        name: {
            stage: (getattr(part.traffic, f"{name}_read") + getattr(part.traffic, f"{name}_write"))
            / getattr(layer.core, name).width_bytes
            / layer.core.frequency_hz
            for stage, part in zip(Stages._fields, stages, strict=True)
        }
        for name in SRAM_NAMES
    }


def slowdowns(layer: Layer, stages: Stages) -> dict[str, Column]:
    """Return by which factor each stage takes longer than its array alone would."""
    ports, f = port_seconds(layer, stages), layer.core.frequency_hz
    arrays = {
        name: over_layer(layer, part.cycles) / f
        for name, part in zip(Stages._fields, stages, strict=True)
    }
    codes_s = phase1_cycles(layer) * layer.work.n_kv_heads / f
    alone: dict[str, Column] = {
        name: np.maximum.reduce(np.broadcast_arrays(time, *(ports[p][name] for p in SRAM_NAMES)))
        for name, time in arrays.items()
    }
    # Weights are asked for in phase 1 alone.
    codes = User("predict", np.maximum(codes_s, ports["weight"]["predict"]), 0.0)
    extra = arrays["predict"] - codes_s + codes.work_s
    alone["predict"] = np.maximum(alone["predict"], extra)
    waits: dict[str, Column] = dict.fromkeys(arrays, 0.0)
    for name in SRAM_NAMES:
        users = [User(stage, alone[stage], busy) for stage, busy in ports[name].items()]
        if name == "weight":
            users[0] = codes._replace(port_s=ports[name]["predict"])
        waits = {s: waits[s] + _waits(s, users) for s in waits}
    met = _share_met(layer)
    return {s: (alone[s] + waits[s] * met) / np.maximum(arrays[s], 1e-30) for s in arrays}


def _share_met(layer: Layer) -> Column:
    """Share of the visits of a layer that meet others in other stages: all but one."""
    visits = 1.0 if layer.flow.isolated else layer.visits.count
    count = over_layer(layer, layer.passes * visits)
    return 1 - 1 / np.maximum(count, 1.0)


def _waits(stage: str, users: list[User]) -> Column:
    """Return the seconds that a stage waits at a port for each other user that it meets there."""
    (own,) = (user for user in users if user.stage == stage)
    waits: Column = 0.0
    for other in users:
        if other.stage != stage:
            waits = waits + _wait(own, other)
    return waits


def _wait(own: User, other: User) -> Column:
    """Seconds that `own` waits if it is at work whenever `other` is.

    Both are slowed while they meet, for other.work / other.rate, or all of the own work:

        min(work / rate - work, other.work / other.rate (1 - rate))

    Three quarters each of a port leave each a half: 2 s of the one, met by 1 s of the other which
    takes 1.5 s then, grow by 0.5 s.

    >>> round(float(_wait(User("a", 2.0, 1.5), User("b", 1.0, 0.75))), 12)
    0.5
    """
    rate, others = _rate(own.share, other.share), _rate(other.share, own.share)
    return np.minimum(own.work_s / rate - own.work_s, other.work_s / others * (1 - rate))


def _rate(share: Column, other: Column) -> Column:
    """Return how fast a user goes that asks for `share` while another asks for `other`."""
    given = np.maximum(1 - other, 0.5)
    return np.minimum(given / np.maximum(share, 1e-30), 1.0)
