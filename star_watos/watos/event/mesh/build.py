"""The graph of an iteration as work of dies and flows on the links between them.

Every task of the graph is there once for each replica, which waits for its own; what replicas
exchange waits for all of them. Transfers have no seconds: they are flows.
"""

from collections import Counter
from dataclasses import dataclass, field, replace
from graphlib import TopologicalSorter

import numpy as np

from star_watos.fabric import Mesh
from star_watos.fabric.collectives import Kind as Collective
from star_watos.fabric.event import Tasks
from star_watos.fabric.flows import Values
from star_watos.watos.event.mesh.collectives import Collectives, Nodes, Sides
from star_watos.watos.event.mesh.passes import Joins, turns_of
from star_watos.watos.event.tasks import Graph, Kind, Resource, Task
from star_watos.watos.event.work import PlanWork


@dataclass(frozen=True, slots=True)
class Place:
    """Where an iteration runs."""

    mesh: Mesh
    dies: Nodes
    """[stages, replicas, tp]"""
    tp_sides: Sides

    @property
    def replica_hops(self) -> int:
        """Hops between neighbouring replicas, where they are farthest apart."""
        place = np.stack(np.divmod(self.dies[:, :, 0], self.mesh.cols), axis=-1)
        apart = np.abs(np.diff(place, axis=1)).sum(axis=-1)
        return int(apart.max(initial=1))


def mesh_tasks(work: PlanWork, graph: Graph, place: Place, joins: Joins | None) -> Tasks:
    """Return the tasks of an iteration; `joins` are those of TP groups of more than one die."""
    return _Builder(work, place, joins).build(graph)


def carried_bytes(work: PlanWork, graph: Graph, place: Place, joins: Joins | None) -> Values:
    """Return the bytes over each link in an iteration, [4 n]; tasks alike are counted once."""
    alike = Counter(replace(task, microbatch=0) for task in graph.tasks)
    builder, replicas = _Builder(work, place, joins), range(place.dies.shape[1])
    loads = np.zeros(place.mesh.n_links)
    for task, count in alike.items():
        loads += count * builder.carried_by(task, [[] for _ in replicas])
    return loads


@dataclass(slots=True)
class _Builder:
    """Adds tasks."""

    work: PlanWork
    place: Place
    joins: Joins | None
    tasks: Tasks = field(default_factory=Tasks)
    collectives: Collectives = field(init=False)

    def __post_init__(self) -> None:
        self.collectives = Collectives(self.place.mesh)

    def build(self, graph: Graph) -> Tasks:
        """Add all tasks of a graph, each after those that it waits for."""
        needs = graph.dependencies()
        ends: dict[int, list[int]] = {}
        replicas = range(self.place.dies.shape[1])
        for index in TopologicalSorter(dict(enumerate(needs))).static_order():
            after = [[ends[need][r] for need in needs[index]] for r in replicas]
            ends[index] = self._add(graph.tasks[index], after)
        return self.tasks

    def carried_by(self, task: Task, after: list[list[int]]) -> Values:
        """Return the bytes over each link of a task alone."""
        self.tasks = Tasks()
        self._add(task, after)
        links, n_bytes = self.tasks.links, self.tasks.n_bytes
        hops = [len(route) for route in links]
        every = np.concatenate([np.zeros(0, dtype=np.intp), *links])
        carried = np.bincount(every, np.repeat(n_bytes, hops), minlength=self.place.mesh.n_links)
        return carried.astype(np.float64)

    def _add(self, task: Task, after: list[list[int]]) -> list[int]:
        """Add a task of each replica, after others of its own; return when they have ended."""
        match task.resource:
            case Resource.COMPUTE:
                return [self._compute(task, r, own) for r, own in enumerate(after)]
            case Resource.NEXT | Resource.PREVIOUS:
                return [self._send(task, r, own) for r, own in enumerate(after)]
            case Resource.REPLICAS:
                every = [one for own in after for one in own]
                return [self._exchange(task, every)] * len(after)

    def _compute(self, task: Task, replica: int, after: list[int]) -> int:
        for turn in turns_of(self.work, self.joins, task):
            if isinstance(turn, Collective):
                after = [self._join(turn, self.place.dies[task.stage, replica], after)]
            else:
                after = [self.tasks.work(turn, after)]
        return after[0]

    def _join(self, kind: Collective, dies: Nodes, after: list[int]) -> int:
        """Add a collective of a TP group."""
        assert self.joins  # noqa: S101 (turns have none without)
        steps = self.collectives.steps(kind, dies, self.place.tp_sides, self.joins.n_bytes)
        return self.collectives.add(self.tasks, steps, after)

    def _send(self, task: Task, replica: int, after: list[int]) -> int:
        """Add a flow from each die of a stage to its counterpart on the next, or the last."""
        dies, mesh = self.place.dies, self.place.mesh
        step = 1 if task.resource is Resource.NEXT else -1
        to = (task.stage + step) % len(dies)
        routes = mesh.routes(dies[task.stage, replica], dies[to, replica])
        n_bytes = np.full(dies.shape[-1], task.load.n_bytes)
        return self.tasks.work(0.0, self.tasks.flows(mesh, routes, n_bytes, after))

    def _exchange(self, task: Task, after: list[int]) -> int:
        """Add collectives between dies that hold the same part, all at once."""
        dies = self.place.dies[task.stage]
        kind = self._exchanged(task.kind)
        sides, hops = (1, len(dies)), self.place.replica_hops
        done = []
        for line in dies.T:
            steps = self.collectives.steps(kind, line, sides, task.load.n_bytes, hops)
            done.append(self.collectives.add(self.tasks, steps, after))
        return self.tasks.work(0.0, done)

    def _exchanged(self, kind: Kind) -> Collective:
        if kind is Kind.GATHER:
            return Collective.ALL_GATHER
        return Collective.REDUCE_SCATTER if self.work.zero else Collective.ALL_REDUCE
