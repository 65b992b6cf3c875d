"""What the dies of a TP group do in a pass: work, and collectives between pieces of it.

A layer joins its activations after attention and after its feed-forward network; each has an equal
share of the layer's work. With sequence parallelism each is gathered before and scattered after,
and so are the lookups of the embedding forward and their gradients backward, and what enters the
head and its gradients the other way round.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

from star_watos.fabric.collectives import Kind as Collective
from star_watos.watos.event.tasks import Kind, Task
from star_watos.watos.event.work import Piece, PlanWork

Turn: TypeAlias = float | Collective
"""Seconds of work, or a collective."""


@dataclass(frozen=True, slots=True)
class Joins:
    """Which collectives a TP group has, and how large they are."""

    n_bytes: float
    """Activations of a microbatch."""
    per_pass: int
    """Of a layer."""
    repeated: bool
    """Whether the forward pass is repeated whole before the backward pass."""
    split: bool
    """Whether activations are split between them (sequence parallelism)."""

    def turns(self, name: str, kind: Kind, seconds: float) -> Iterator[Turn]:
        """Yield what a pass of a piece does, in turn.

        >>> joins = Joins(8.0, per_pass=2, repeated=False, split=False)
        >>> [getattr(turn, "name", turn) for turn in joins.turns("layer", Kind.FORWARD, 6.0)]
        [3.0, 'ALL_REDUCE', 3.0, 'ALL_REDUCE']
        """
        if name == "layer" and kind is not Kind.WEIGHTS:
            count = self.per_pass * (1 + (self.repeated and kind is Kind.BACKWARD))
            for _ in range(count):
                yield from self._around(seconds / count)
        elif name == "embedding" and kind is Kind.FORWARD:
            yield seconds
            yield Collective.REDUCE_SCATTER if self.split else Collective.ALL_REDUCE
        elif name == "embedding" and self.split:
            yield Collective.ALL_GATHER
            yield seconds
        elif name == "head" and kind is Kind.BACKWARD:
            yield seconds
            yield Collective.REDUCE_SCATTER if self.split else Collective.ALL_REDUCE
        elif name == "head" and self.split:
            yield Collective.ALL_GATHER
            yield seconds
        else:
            yield seconds

    def _around(self, seconds: float) -> Iterator[Turn]:
        if self.split:
            yield Collective.ALL_GATHER
            yield seconds
            yield Collective.REDUCE_SCATTER
        else:
            yield seconds
            yield Collective.ALL_REDUCE


def turns_of(work: PlanWork, joins: Joins | None, task: Task) -> list[Turn]:
    """Return what a task of compute does; without joins, its seconds at once."""
    if joins is None:
        return [task.seconds]
    if task.name != "chunk":
        return list(joins.turns(task.name, task.kind, task.seconds))
    pieces = work.stages[task.stage].chunks[task.chunk]
    pieces = pieces if task.kind is Kind.FORWARD else pieces[::-1]
    return [
        turn
        for piece in pieces
        for turn in joins.turns(piece.name, task.kind, _seconds(piece, task.kind))
    ]


def _seconds(piece: Piece, kind: Kind) -> float:
    seconds = {
        Kind.FORWARD: piece.forward_s,
        Kind.BACKWARD: piece.backward_s,
        Kind.WEIGHTS: piece.weights_s,
    }
    return seconds[kind]
