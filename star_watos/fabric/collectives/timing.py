"""How long a collective takes: its steps added up, or played out flow by flow."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from star_watos.cost import Column
from star_watos.fabric.collectives.transfers import Transfers
from star_watos.fabric.event import Played, Tasks, play
from star_watos.fabric.flows import Values, slowest
from star_watos.fabric.routes import Fabric, Nodes, Routes, routes_by


@dataclass(frozen=True, slots=True)
class Terms:
    """What a time is made of: hops a + share S / B.

    S are the bytes of one node's vector, B the bandwidth of a link, a the latency of a hop.

    >>> (Terms(2, 0.5) + Terms(1, 0.5)).seconds(8.0, link_bytes_per_s=4.0, latency_s=1.0)
    5.0
    """

    hops: Column = 0.0
    """The longest way of each step, all steps added up."""
    share: Column = 0.0
    """What the most loaded link of each step carries, all steps added up, in vectors."""
    moved: Column = 0.0
    """What all links carry, all steps added up, in vectors."""

    def __add__(self, other: "Terms") -> "Terms":
        return Terms(self.hops + other.hops, self.share + other.share, self.moved + other.moved)

    def times(self, count: Column) -> "Terms":
        """Return so many of it, one after the other."""
        return Terms(self.hops * count, self.share * count, self.moved * count)

    def seconds(self, n_bytes: Column, link_bytes_per_s: Column, latency_s: Column) -> Column:
        """Return the time of vectors of `n_bytes`."""
        return self.hops * latency_s + self.share * n_bytes / link_bytes_per_s


@dataclass(frozen=True)
class StepFlows:
    """The flows of every step: all that goes from one node to another in it is one."""

    step: Nodes
    source: Nodes
    share: Values
    """Bytes of each, in vectors of one node."""
    routes: Routes
    n_steps: int

    @classmethod
    def of(cls, transfers: Transfers, fabric: Fabric) -> "StepFlows":
        """Return the flows of a collective on a fabric."""
        n = fabric.n_nodes
        key = (transfers.step * n + transfers.source) * n + transfers.target
        _, first, count = np.unique(key, return_index=True, return_counts=True)
        ways = (column[first] for column in (transfers.source, transfers.via, transfers.target))
        return cls(
            step=transfers.step[first],
            source=transfers.source[first],
            share=count * transfers.chunk_share,
            routes=routes_by(fabric, *ways),
            n_steps=transfers.n_steps,
        )


def summed(fabric: Fabric, *together: Transfers) -> Terms:
    """Return the terms of collectives that run together, step by step.

    A step takes the latency of its longest way, and what its most loaded link takes.
    """
    flows = [StepFlows.of(transfers, fabric) for transfers in together]
    steps = max(each.n_steps for each in flows)
    hops, loads = np.zeros(steps), np.zeros((steps, fabric.n_links))
    for each in flows:
        np.maximum.at(hops, each.step, each.routes.hops)
        step = np.repeat(each.step, each.routes.hops)
        np.add.at(loads, (step, each.routes.link), each.routes.of_flows(each.share))
    busiest = loads.max(axis=1, initial=0.0)
    return Terms(float(hops.sum()), float(busiest.sum()), float(loads.sum()))


def together_s(fabric: Fabric, n_bytes: float, several: Sequence[Transfers]) -> float:
    """Return the seconds of collectives that start together.

    Those that share links are taken to keep step, which is exact where they do the same; others
    do not hinder each other. The slowest link and the longest latency stand for all.
    """
    rate, latency = slowest(fabric)
    terms = (summed(fabric, *group) for group in sharing(fabric, several))
    return max(float(each.seconds(n_bytes, rate, latency)) for each in terms)


def sharing(fabric: Fabric, several: Sequence[Transfers]) -> list[list[Transfers]]:
    """Return collectives in groups of those that share links, directly or by others."""
    groups: list[tuple[set[int], list[Transfers]]] = []
    for transfers in several:
        links = set(StepFlows.of(transfers, fabric).routes.link.tolist())
        touched = [group for group in groups if group[0] & links]
        groups = [group for group in groups if not group[0] & links]
        joined = [one for _, members in touched for one in members]
        groups.append((links.union(*(held for held, _ in touched)), [*joined, transfers]))
    return [members for _, members in groups]


def played(fabric: Fabric, n_bytes: float, *together: Transfers) -> Played:
    """Return the event simulation of collectives that start together, each at its own pace."""
    return play(fabric, tasks_of(fabric, n_bytes, together))


def tasks_of(fabric: Fabric, n_bytes: float, together: Sequence[Transfers]) -> Tasks:
    """Return the flows of collectives; those of a step wait for all of the step before."""
    tasks = Tasks()
    for transfers in together:
        flows = StepFlows.of(transfers, fabric)
        order = np.argsort(flows.step, kind="stable")
        ends = np.searchsorted(flows.step[order], np.arange(flows.n_steps + 1))
        before: tuple[int, ...] = ()
        for first, end in pairwise(ends):
            rows = order[first:end]
            moved = flows.share[rows] * n_bytes
            sent = tasks.flows(fabric, flows.routes.take(rows), moved, before)
            before = (tasks.work(0.0, sent),)
    return tasks
