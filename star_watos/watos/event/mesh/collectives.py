"""Collectives between given dies, as flows step by step."""

from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from star_watos.fabric import Area, Mesh
from star_watos.fabric.collectives import Kind, StepFlows, Transfers, best, collective
from star_watos.fabric.event import Tasks

Nodes: TypeAlias = NDArray[np.intp]
Sides: TypeAlias = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Flow:
    """What goes from one die to another in a step."""

    links: Nodes
    latency_s: float
    n_bytes: float


Steps: TypeAlias = list[list[Flow]]
"""Flows of each step; a step begins when all flows of the one before have arrived."""


@dataclass(slots=True)
class Collectives:
    """Collectives on the dies of a mesh; those of equal sides and bytes are chosen once."""

    mesh: Mesh
    _chosen: dict[tuple[Kind, Sides, float, int], Transfers] = field(default_factory=dict)
    _steps: dict[tuple[Kind, Sides, float, int, bytes], Steps] = field(default_factory=dict)

    def add(self, tasks: Tasks, steps: Steps, after: list[int]) -> int:
        """Add a collective that starts after some tasks; return the moment when it has ended."""
        moment = tasks.work(0.0, after)
        for step in steps:
            sent = [
                tasks.flow(flow.links, (flow.latency_s, flow.n_bytes), (moment,)) for flow in step
            ]
            moment = tasks.work(0.0, sent)
        return moment

    def steps(self, kind: Kind, nodes: Nodes, sides: Sides, n_bytes: float, hops: int = 1) -> Steps:
        """Return the steps of the fastest collective of `n_bytes` on nodes that are `hops` apart.

        `nodes` are those of a mesh of `sides`, row by row.
        """
        key = (kind, sides, n_bytes, hops, nodes.tobytes())
        if key not in self._steps:
            moved = _moved(self._fastest(*key[:-1]), nodes)
            self._steps[key] = steps_of(self.mesh, moved, n_bytes)
        return self._steps[key]

    def _fastest(self, kind: Kind, sides: Sides, n_bytes: float, hops: int) -> Transfers:
        """Return the transfers of the fastest way on a mesh of such sides alone.

        As many groups as there are hops between its nodes share each link.
        """
        key = (kind, sides, n_bytes, hops)
        if key not in self._chosen:
            mesh = self.mesh
            links = (mesh.link_bytes_per_s, np.asarray(mesh.latency_s).item() * hops)
            area = Area.all(Mesh(*sides, *links))
            choice = best(kind, area, n_bytes * hops)
            self._chosen[key] = collective(kind, choice.algorithm, area, choice.pieces)
        return self._chosen[key]


def _moved(transfers: Transfers, nodes: Nodes) -> Transfers:
    """Return transfers between other nodes: the i-th for node i, and -1 for none."""
    node = np.append(nodes, -1)
    return replace(
        transfers,
        source=node[transfers.source],
        target=node[transfers.target],
        via=node[transfers.via],
    )


def steps_of(mesh: Mesh, transfers: Transfers, n_bytes: float) -> Steps:
    """Return the flows of each step on vectors of `n_bytes`; steps alike in a row are one.

    That one carries the bytes of all of them, then takes the latency of all of them: alone on its
    links it takes as long.
    """
    flows = StepFlows.of(transfers, mesh)
    latency_s = flows.routes.along(mesh.hop_s)
    order = np.argsort(flows.step, kind="stable")
    ends = np.searchsorted(flows.step[order], np.arange(flows.n_steps + 1))
    each = [order[first:end] for first, end in pairwise(ends)]
    looks = [
        b"".join(array.tobytes() for array in (flows.source[rows], flows.share[rows]))
        + b"".join(flows.routes.of(row).tobytes() for row in rows)
        for rows in each
    ]
    return [
        [
            Flow(
                flows.routes.of(row),
                count * float(latency_s[row]),
                count * float(flows.share[row]) * n_bytes,
            )
            for row in each[first]
        ]
        for first, count in _runs(looks)
    ]


def _runs(looks: list[bytes]) -> list[tuple[int, int]]:
    """Return where entries alike in a row begin, and how many they are.

    >>> _runs([b"a", b"a", b"b", b"a"])
    [(0, 2), (2, 1), (3, 1)]
    """
    changes = [i for i, look in enumerate(looks) if not i or look != looks[i - 1]]
    return [(first, end - first) for first, end in pairwise([*changes, len(looks)])]
