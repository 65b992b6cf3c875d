"""One task on a mesh of cores: the spread that was asked for, or the fastest."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from star_watos.cost import Overflow
from star_watos.errors import InputError
from star_watos.star.beyond import Beyond, beyond, notes, workload_document
from star_watos.star.core import Core
from star_watos.star.dataflow import STAR, Dataflow, Tile
from star_watos.star.spatial.choice import Circulation, Partition, RingLayout, Spread
from star_watos.star.spatial.noc import Noc
from star_watos.star.spatial.simulate import MeshRun, alone, fastest, spread_over, spreads
from star_watos.star.task import AttentionTask, Phase
from star_watos.workload import Model


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked of a mesh; what is None is chosen."""

    rows: int
    cols: int
    circulation: Circulation | None = None
    ring: RingLayout | None = None
    partition: Partition | None = None
    overlap: bool = True

    def spreads(self) -> list[Spread]:
        """Return all spreads that answer; `InputError` if what is asked does not go together."""
        found = spreads(
            self.rows,
            self.cols,
            Circulation if self.circulation is None else [self.circulation],
            RingLayout if self.ring is None else [self.ring],
            Partition if self.partition is None else [self.partition],
            overlap=self.overlap,
        )
        if not found:
            raise InputError.of(f"--ring {self.ring}", self._reason())
        return found

    def _reason(self) -> str:
        """Return why nothing answers: what the first of all says."""
        first = Spread(
            self.rows,
            self.cols,
            self.circulation or Circulation.KV_RING,
            self.ring or RingLayout.NAIVE,
            self.partition or Partition.PLAIN,
        )
        return first.why_not() or "nothing that is asked goes together"


@dataclass(frozen=True, slots=True)
class MeshTaskRun:
    """What `star simulate --mesh` says."""

    core: Core
    run: MeshRun
    workload: dict[str, Any]
    notes: list[str]
    twice: dict[str, MeshRun]
    """The same with twice one resource of the mesh."""


def run_mesh_task(
    core: Core,
    noc: Noc,
    task: AttentionTask,
    asked: Asked,
    how: tuple[Dataflow, Tile | int | None] = (STAR, None),
    *,
    banded: bool = True,
) -> MeshTaskRun | Overflow:
    """Run `task` on a mesh of `core`, `how` being the core's dataflow and key tile.

    `banded` says what is assumed of ratios beyond the length at which they were measured.
    """
    flow, key_tile = how
    if task.step is not Phase.PREFILL:
        raise InputError.of("--mesh", "a mesh shares the queries of a prefill: leave out --queries")
    model = task.load()
    sides, work = (asked.rows, asked.cols), task.work(model)
    by_itself = alone(core, noc, sides, work, flow, key_tile)
    if isinstance(by_itself, Overflow):
        return by_itself
    run = fastest(spread_over(by_itself, spread, flow) for spread in asked.spreads())
    twice = {}
    for name, other in _doubled(noc, by_itself.ports.port_bytes_per_s).items():
        changed = alone(core, other, sides, work, flow, key_tile)
        if not isinstance(changed, Overflow):
            twice[name] = spread_over(changed, run.spread, flow)
    ahead = _ahead(run, task, model, key_tile, flow) if banded else None
    said = [*notes(task, model, ahead), *_mesh_notes(run)]
    return MeshTaskRun(core, run, workload_document(task, model, ahead), said, twice)


def _ahead(
    run: MeshRun, task: AttentionTask, model: Model, key_tile: Tile | int | None, flow: Dataflow
) -> Beyond | None:
    """Return what is assumed beyond the measured length; the band of latencies is the mesh's."""
    it, rule = run.alone, task.profile.extrapolation
    ahead = beyond(it.core, task, model, key_tile, flow)
    if ahead is None or rule is None:
        return ahead

    def latency_s(exponent: float) -> float | None:
        work = task.work(model, exponent)
        other = alone(it.core, it.noc, (it.rows, it.cols), work, flow, key_tile)
        if isinstance(other, Overflow):
            return None
        return spread_over(other, run.spread, flow).latency_s

    return replace(ahead, latency_s_band=(latency_s(rule.low), latency_s(rule.high)))


def _doubled(noc: Noc, port_bytes_per_s: float) -> dict[str, Noc]:
    """Return the mesh with twice each of its resources."""
    link, hop = noc.link_bandwidth_bytes_per_s, noc.hop_latency_s
    faster = link.model_copy(update={"value": 2 * link.value})
    nearer = hop.model_copy(update={"value": hop.value / 2})
    return {
        "noc.link_bandwidth": noc.model_copy(update={"link_bandwidth_bytes_per_s": faster}),
        "noc.hop_latency, halved": noc.model_copy(update={"hop_latency_s": nearer}),
        "noc.port_bandwidth": noc.model_copy(
            update={
                "port_bandwidth_bytes_per_s": 2 * port_bytes_per_s,
                "dram_bandwidth_bytes_per_s": None,
            }
        ),
    }


def _mesh_notes(run: MeshRun) -> list[str]:
    """Say what a reader must know of a mesh's figures."""
    said = []
    queries = float(np.max(run.alone.work.q_len)) / run.alone.n_cores
    if queries < run.alone.core.queries:
        said.append(
            f"each core has fewer queries than the {run.alone.core.queries} it serves at once"
        )
    if run.alone.n_cores > 1:
        said.append("area of routers and links is not counted: no source; their power is in noc")
    return said
