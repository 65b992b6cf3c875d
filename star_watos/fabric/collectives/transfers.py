"""A collective as the list of its transfers, step by step; a step begins when the last has ended.

Within a step every node sends what it had when the step began.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from star_watos.fabric.routes import Nodes

COLUMNS = ("step", "source", "target", "chunk", "adds", "via")
"""What a transfer has of its own."""


@dataclass(frozen=True)
class Transfers:
    """One row a chunk, step and pair of nodes; columns of equal length."""

    n_chunks: int
    """Pieces that the data is cut into, all equal."""
    step: Nodes
    source: Nodes
    target: Nodes
    chunk: Nodes
    adds: NDArray[np.bool_]
    """Whether the target adds it to its own, or takes it instead."""
    via: Nodes
    """Nodes that it passes on its way, [rows, 2]; -1 is none, and the route is the fabric's."""
    copies: float = 1.0
    """All chunks together, in vectors of one node: n where each node's is another's, as to all."""

    @classmethod
    def of(
        cls, n_chunks: int, columns: Mapping[str, ArrayLike], *, adds: bool, copies: float = 1.0
    ) -> "Transfers":
        """Return transfers of `step`, `source`, `target` and `chunk`, which broadcast.

        `via`, [..., 2], may be among them.
        """
        names = ("step", "source", "target", "chunk")
        each = np.broadcast_arrays(*(np.asarray(columns[name], dtype=np.intp) for name in names))
        stops = np.asarray(columns.get("via", (-1, -1)), dtype=np.intp)
        via = np.broadcast_to(stops, (*each[0].shape, 2)).reshape(-1, 2)
        step, source, target, chunk = (column.ravel() for column in each)
        return cls(
            n_chunks, step, source, target, chunk, np.full(len(step), adds), via, copies
        ).taken(source != target)

    @property
    def n_steps(self) -> int:
        """Steps that all of it takes."""
        return int(self.step.max(initial=-1)) + 1

    @property
    def chunk_share(self) -> float:
        """Bytes of a chunk over those of a node's vector."""
        return self.copies / self.n_chunks

    def taken(self, rows: NDArray[np.bool_]) -> "Transfers":
        """Return some rows."""
        return replace(self, **{name: getattr(self, name)[rows] for name in COLUMNS})

    def reversed(self) -> "Transfers":
        """Return it backwards, copying: what brought parts to a node brings the whole back."""
        return replace(
            self,
            step=self.n_steps - 1 - self.step,
            source=self.target,
            target=self.source,
            adds=np.zeros_like(self.adds),
            via=self.via[:, ::-1],
        )

    def later(self, steps: int) -> "Transfers":
        """Return it, beginning so many steps later."""
        return replace(self, step=self.step + steps)

    def chunks(self, n_chunks: int, first: int, every: int) -> "Transfers":
        """Return it on the chunks first, first + every, ... of more."""
        return replace(self, n_chunks=n_chunks, chunk=first + every * self.chunk)


def beside(*parts: Transfers) -> Transfers:
    """Return all parts, each step of one in the same step as the others'."""
    first = parts[0]
    joined: dict[str, Any] = {
        name: np.concatenate([getattr(part, name) for part in parts]) for name in COLUMNS
    }
    return replace(first, **joined)


def then(*parts: Transfers) -> Transfers:
    """Return the parts one after the other."""
    shifted, steps = [], 0
    for part in parts:
        shifted.append(part.later(steps))
        steps += part.n_steps
    return beside(*shifted)


def halves(first: Transfers, second: Transfers) -> Transfers:
    """Return both at once, each on half of the data, in as many chunks."""
    n_chunks = 2 * first.n_chunks
    return beside(first.chunks(n_chunks, 0, 2), second.chunks(n_chunks, 1, 2))
