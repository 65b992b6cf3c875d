"""Whether a collective brings the right data everywhere: proved by counting contributions.

Every chunk of every node starts with one count of its own node. A transfer that adds, adds its
source's counts; one that copies, replaces the target's. The right sum has each node once.
"""

from enum import StrEnum
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from star_watos.fabric.collectives.transfers import Transfers
from star_watos.fabric.routes import Nodes

Counts = NDArray[np.int16]


class Kind(StrEnum):
    """What a collective is to bring about."""

    ALL_REDUCE = "all-reduce"
    """Every node has the sum of all."""
    REDUCE_SCATTER = "reduce-scatter"
    """Every chunk of the sum is at one node."""
    ALL_GATHER = "all-gather"
    """Every node has the chunks of all."""
    ALL_TO_ALL = "all-to-all"
    """Node j has what every node had for it."""
    MULTICAST = "multicast"
    """Every node has the vector of one."""


def final_counts(transfers: Transfers, nodes: Nodes) -> Counts:
    """Return whose contributions each chunk of each node ends with, [node, chunk, contributor]."""
    n = len(nodes)
    index = np.full(int(nodes.max()) + 1, -1)
    index[nodes] = np.arange(n)
    counts = np.zeros((n, transfers.n_chunks, n), dtype=np.int16)
    counts[np.arange(n), :, np.arange(n)] = 1
    order = np.argsort(transfers.step, kind="stable")
    ends = np.searchsorted(transfers.step[order], np.arange(transfers.n_steps + 1))
    for first, end in pairwise(ends):
        rows = order[first:end]
        source, target = index[transfers.source[rows]], index[transfers.target[rows]]
        chunk, adds = transfers.chunk[rows], transfers.adds[rows]
        sent = counts[source, chunk]
        counts[target[~adds], chunk[~adds]] = sent[~adds]
        np.add.at(counts, (target[adds], chunk[adds]), sent[adds])
    return counts


def is_right(kind: Kind, transfers: Transfers, nodes: Nodes, root: int | None = None) -> bool:
    """Whether every node ends with what it should."""
    counts, n = final_counts(transfers, nodes), len(nodes)
    summed = (counts == 1).all(axis=-1)
    match kind:
        case Kind.ALL_REDUCE:
            return bool(summed.all())
        case Kind.REDUCE_SCATTER:
            return bool((summed.sum(axis=0) == 1).all())
        case Kind.ALL_GATHER:
            owner = _first_sources(transfers, nodes)
            return bool((counts == _only(owner, n)).all())
        case Kind.MULTICAST:
            owner = np.full(transfers.n_chunks, np.flatnonzero(nodes == root)[0])
            return bool((counts == _only(owner, n)).all())
        case Kind.ALL_TO_ALL:
            pieces = np.arange(transfers.n_chunks) // (transfers.n_chunks // n**2)
            source, target = np.divmod(pieces, n)
            there = counts[target, np.arange(transfers.n_chunks)]
            return bool((there == _only(source, n)).all())


def _only(owner: Nodes, n: int) -> Counts:
    """Return counts of chunks with nothing but their owner's, [chunk, contributor]."""
    counts: Counts = (owner[:, None] == np.arange(n)).astype(np.int16)
    return counts


def _first_sources(transfers: Transfers, nodes: Nodes) -> Nodes:
    """Return where each chunk is at first: the node that sends it first; of one node, that."""
    owner = np.zeros(transfers.n_chunks, dtype=np.intp)
    order = np.argsort(transfers.step, kind="stable")[::-1]
    owner[transfers.chunk[order]] = np.searchsorted(nodes, transfers.source[order])
    return owner
