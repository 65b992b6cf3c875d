"""Many cores on one sequence: what they take together, and why."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import Any

import numpy as np

from star_watos.cost import Bound, Column, Overflow
from star_watos.fabric import Mesh
from star_watos.star.core import Core
from star_watos.star.dataflow import STAR, Dataflow, Tile
from star_watos.star.simulate import Evaluation, simulate
from star_watos.star.spatial.choice import Circulation, Partition, RingLayout, Spread
from star_watos.star.spatial.noc import Noc
from star_watos.star.spatial.ports import Shares, shares
from star_watos.star.spatial.setting import Setting
from star_watos.star.spatial.trips import Trip, trip
from star_watos.star.work import AttentionWork


@dataclass(frozen=True)
class Alone:
    """A core of the mesh by itself: all the work on one core that has its share of the DRAM."""

    core: Core
    """As the mesh's file and the core's say it."""
    noc: Noc
    rows: int
    cols: int
    result: Evaluation
    ports: Shares

    @property
    def n_cores(self) -> int:
        """Cores of the mesh."""
        return self.rows * self.cols

    @property
    def mesh(self) -> Mesh:
        """The links between cores."""
        return self.noc.mesh(self.rows, self.cols, self.pitch_mm)

    @property
    def pitch_mm(self) -> float:
        """Distance between cores: they are square and side by side."""
        return float(np.sqrt(float(sum(self.result.areas_mm2.values()))))

    @property
    def work(self) -> AttentionWork:
        """The whole work."""
        return self.result.layer.work

    def total(self, per_layer: Column) -> float:
        """Add up a quantity of one layer of each group over all layers."""
        return float(np.sum(np.asarray(per_layer) * self.work.n_layers))


def alone(
    core: Core,
    noc: Noc,
    sides: tuple[int, int],
    work: AttentionWork,
    flow: Dataflow = STAR,
    key_tile: Tile | int | None = None,
) -> Alone | Overflow:
    """Return the work on one core with what it gets of the DRAM beside the others."""
    ports = shares(noc, core, *sides)
    result = simulate(_with_dram(core, ports.bytes_per_s), work, key_tile, flow)
    if isinstance(result, Overflow):
        return result
    return Alone(core, noc, *sides, result, ports)


def _with_dram(core: Core, bytes_per_s: float) -> Core:
    """Return the core with another DRAM bandwidth, its channels fewer or more in proportion."""
    share = bytes_per_s / core.dram.bandwidth_bytes_per_s
    dram = core.dram.model_copy(
        update={
            "bandwidth_bytes_per_s": bytes_per_s,
            "activations_hz": core.dram.activations_hz * share,
        }
    )
    return core.model_copy(update={"dram": dram})


@dataclass(frozen=True)
class MeshRun:
    """A sequence spread over a mesh, and all there is to say of it."""

    alone: Alone
    spread: Spread
    trip: Trip
    still_s: float
    """All layers if transfers took no time."""
    events_s: float | None = None
    """All layers as the event simulation times them, where it was asked for."""

    @cached_property
    def latency_s(self) -> float:
        """All layers: cores and transfers, or what DRAM or the most loaded link takes."""
        return max(self.layers_s, self.dram_s, self.link_s)

    @property
    def layers_s(self) -> float:
        """All layers: cores and what goes around."""
        return self.alone.total(self.trip.seconds) if self.events_s is None else self.events_s

    @property
    def dram_s(self) -> float:
        """Time of a core's DRAM, what is stored for others included."""
        result = self.alone.result
        own, stored = float(result.metrics["dram_bytes"]), self.alone.total(self.trip.stored_bytes)
        busy_s = float(result.latency.memory_s["dram"]) / self.alone.n_cores
        return busy_s * (1 + stored / own) * self.trip.busiest_core

    @property
    def link_s(self) -> float:
        """Time of the most loaded link: what goes around, and DRAM traffic on its way to cores."""
        each = self.dram_bytes / self.alone.n_cores
        rate = self.alone.noc.link_bandwidth_bytes_per_s.value
        return self.alone.total(self.trip.busy_s) + self.alone.ports.most_on_a_link * each / rate

    @property
    def passes_s(self) -> float:
        """Time that prediction ahead of the rows adds."""
        return self.alone.total(self.trip.passes_s)

    @property
    def exposed_s(self) -> float:
        """Time that transfers add."""
        return self.latency_s - max(self.still_s, self.dram_s)

    @property
    def dram_bytes(self) -> float:
        """Bytes of DRAM traffic of all cores."""
        own = float(self.alone.result.metrics["dram_bytes"])
        return own + self.alone.total(self.trip.stored_bytes)

    @property
    def byte_hops(self) -> float:
        """Bytes times hops of all links, DRAM traffic that passes them included."""
        each = self.dram_bytes / self.alone.n_cores
        through = float(self.alone.ports.loads.sum()) * each
        return self.alone.total(self.trip.byte_hops) + through

    @property
    def bound(self) -> Bound:
        """What limits the time: links, DRAM or the way to it, or what limits a core."""
        if self.link_s >= max(self.still_s, self.dram_s):
            return Bound.NOC
        bound: Any = self.alone.result.latency.bound
        if self.dram_s >= self.still_s or bound is Bound.DRAM:
            return Bound.NOC if self.alone.ports.by_links else Bound.DRAM
        return Bound(bound.value)

    @cached_property
    def evaluation(self) -> Evaluation:
        """All the work on one core in as much time as all cores have together: energy, idling."""
        result = self.alone.result
        return result.at(result.latency.of(self.latency_s * self.alone.n_cores))

    @property
    def noc_energy_j(self) -> float:
        """Joules of wires and routers."""
        power_w, n = self.alone.noc.router_power_w.value, self.alone.n_cores
        wires_j = float(self.alone.mesh.energy_j_per_byte) * self.byte_hops
        return wires_j + (power_w * n * self.latency_s if n > 1 else 0.0)

    @property
    def stored_energy_j(self) -> float:
        """Joules of DRAM traffic that the mesh adds."""
        costs = self.alone.result.layer.core.costs
        moved = self.alone.total(self.trip.stored_bytes)
        return moved * float(np.mean(costs.dram_j_per_byte + costs.interface_j_per_byte))


def spread_over(it: Alone, spread: Spread, flow: Dataflow = STAR) -> MeshRun:
    """Return the run of the work under one spread."""
    setting = setting_of(it, spread, flow)
    still = trip(setting.without_links())
    return MeshRun(it, spread, trip(setting), it.total(still.seconds))


def setting_of(it: Alone, spread: Spread, flow: Dataflow) -> Setting:
    """Return the work of a layer as it is spread."""
    result, n = it.result, it.n_cores
    stage = result.latency.stage_s
    passes = (
        max(float(stage["predict"]), float(stage["sort"])),
        max(float(stage["kv_generation"]), float(stage["attention"])),
    )
    return Setting(
        work=it.work,
        flow=flow,
        spread=spread,
        query_tile=it.core.queries,
        mean_s=np.atleast_1d(result.latency.group_s / it.work.n_layers) / n,
        second_pass=min(passes) / float(result.latency.total_s),
        predicts_longer=passes[0] > passes[1],
        link_bytes_per_s=it.noc.link_bandwidth_bytes_per_s.value,
        latency_s=it.noc.hop_latency_s.value,
    )


def spreads(
    rows: int,
    cols: int,
    circulation: Iterable[Circulation] = Circulation,
    ring: Iterable[RingLayout] = RingLayout,
    partition: Iterable[Partition] = Partition,
    *,
    overlap: bool = True,
) -> list[Spread]:
    """Return every legal spread of the choices that are open."""
    every = (Spread(rows, cols, *kinds, overlap) for kinds in product(circulation, ring, partition))
    return [spread for spread in every if spread.why_not() is None]


def fastest(runs: Iterable[MeshRun]) -> MeshRun:
    """Return the run of least time, of equal ones that which moves least."""
    return min(runs, key=lambda run: (run.latency_s, run.byte_hops))
