"""The flows of a collective as one trace a node: what it sends and receives, and after what.

A node's flows of a step depend on all its flows of the step before in which it took part. What it
sends in a step is what it had before it, so no node needs to wait for the others' steps.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from star_watos.fabric.chakra.messages import NodeType, encoded, metadata
from star_watos.fabric.collectives.transfers import Transfers
from star_watos.fabric.routes import Nodes


@dataclass(frozen=True)
class Flows:
    """All that goes from one node to another in a step is one flow; its number is its tag.

    Nodes are counted along `area.nodes`: as ASTRA-sim counts them, without those that are missing.
    """

    step: Nodes
    source: Nodes
    target: Nodes
    n_bytes: NDArray[np.int64]

    @classmethod
    def of(cls, transfers: Transfers, nodes: Nodes, n_bytes: float) -> "Flows":
        """Return the flows of vectors of `n_bytes`, rounded to a whole number in all.

        >>> from star_watos.fabric import Area, Mesh
        >>> from star_watos.fabric.collectives import Algorithm, Kind, collective
        >>> pair = Area.all(Mesh(1, 2))
        >>> flows = Flows.of(collective(Kind.ALL_REDUCE, Algorithm.RING, pair), pair.nodes, 5)
        >>> flows.step.tolist(), flows.n_bytes.tolist()
        ([0, 0, 1, 1], [2, 3, 3, 2])
        """
        n, sizes = len(nodes), chunk_bytes(transfers, n_bytes)
        source = np.searchsorted(nodes, transfers.source)
        target = np.searchsorted(nodes, transfers.target)
        key, flow = np.unique((transfers.step * n + source) * n + target, return_inverse=True)
        summed = np.zeros(len(key), dtype=np.int64)
        np.add.at(summed, flow, sizes[transfers.chunk])
        between, target = np.divmod(key, n)
        step, source = np.divmod(between, n)
        return cls(step, source, target, summed)


def chunk_bytes(transfers: Transfers, n_bytes: float) -> NDArray[np.int64]:
    """Return the bytes of each chunk: whole, at most one apart; `ValueError` where one has none."""
    total = round(n_bytes * transfers.copies)
    size, more = divmod(total, transfers.n_chunks)
    if size == 0:
        least = -(-transfers.n_chunks // round(transfers.copies))
        raise ValueError(f"expected at least {least:,} B, so that every chunk has a byte")
    return size + (np.arange(transfers.n_chunks) < more)


def traces(flows: Flows, n_nodes: int) -> Iterator[bytes]:
    """Yield the trace of each node; in a step its sends stand before its receives.

    ASTRA-sim issues nodes in their order, older versions one at a time: were receives first, all
    would wait for one another.
    """
    tag = np.tile(np.arange(len(flows.step)), 2)
    receives = np.repeat([False, True], len(flows.step))
    at = np.concatenate([flows.source, flows.target])
    order = np.lexsort((tag, receives, flows.step[tag], at))
    for first, end in pairwise(np.searchsorted(at[order], np.arange(n_nodes + 1))):
        rows = order[first:end]
        yield _trace(flows, tag[rows], receives[rows])


def _trace(flows: Flows, tags: Nodes, receives: NDArray[np.bool_]) -> bytes:
    """Return the trace of one node: its flows in the order of their steps."""
    parts = [metadata()]
    steps = flows.step[tags]
    starts = [*np.flatnonzero(np.diff(steps, prepend=-1)).tolist(), len(tags)]
    before = range(0)
    for first, end in pairwise(starts):
        for number in range(first, end):
            kind = NodeType.COMM_RECV_NODE if receives[number] else NodeType.COMM_SEND_NODE
            parts.append(_node(flows, number, int(tags[number]), kind, before))
        before = range(first, end)
    return b"".join(parts)


def _node(flows: Flows, number: int, tag: int, kind: NodeType, before: range) -> bytes:
    """Return one end of a flow as a node of a trace."""
    source, target = int(flows.source[tag]), int(flows.target[tag])
    values = {
        "comm_size": int(flows.n_bytes[tag]),
        "comm_src": source,
        "comm_dst": target,
        "comm_tag": tag,
    }
    end = "send" if kind is NodeType.COMM_SEND_NODE else "receive"
    name = f"step {flows.step[tag]}, {source} to {target}: {end}"
    return encoded(number, name, kind, before, values)
