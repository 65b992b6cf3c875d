"""One decoder layer, the embedding and the head on one device, per microbatch.

Everything here depends on the device, the TP group, what a device gets of a microbatch and how
experts are shared, not on pipeline, replicas or recomputation: the plans of a machine need it for a
few hundred columns only.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import numpy as np

from star_watos.cost import Column, Cost
from star_watos.watos.machine import Machine
from star_watos.watos.training import WEIGHT_BYTES, Training
from star_watos.workload import (
    Kind,
    LayerKind,
    Microbatch,
    Model,
    Op,
    embedding_ops,
    head_ops,
    layer_input_bytes,
    layer_kinds,
    layer_ops,
)

ALL_REDUCES_PER_PASS = 2
"""One after attention, one after the feed-forward network; as many backward. With sequence
parallelism each is a reduce-scatter and an all-gather of the same volume (Korthikanti 2022)."""
WEIGHTS_SHARE = 0.5
"""Of a product's backward pass, what goes into the gradient of its weights: one of two products."""


@dataclass(frozen=True, slots=True)
class Pass:
    """Costs per microbatch on one device; tuples have an entry a policy: none, selective, full."""

    forward: tuple[Cost, ...]
    recompute: tuple[Cost, ...]
    backward: Cost
    weights_s: Column
    """Part of the backward pass that no other stage waits for: gradients of weights."""
    saved_bytes: tuple[Column, ...]
    """Kept from forward to backward."""
    working_bytes: tuple[Column, ...]
    """Held while one layer goes backward: what is made again, and the largest operator's gradients.
    """
    params: Column
    """Parameters of one layer on one device."""
    expert_params: Column
    """Those of routed experts among them."""
    comm: tuple[Cost, ...]
    """All-reduces of one layer, forward and back; their time is what neither the device's work nor
    the host's start of it hides."""
    routed_bytes: Column
    """Copies of tokens that a device sends to their experts."""


@dataclass(frozen=True, slots=True)
class Slice:
    """What one device of a TP group does per microbatch."""

    layer: Pass
    """A layer; models with several kinds of layers have their mean."""
    embedding: Cost
    """Forward and backward of the embedding."""
    head: Cost
    """Forward and backward of final norm, logits and loss."""
    head_bytes: Column
    """Held while the head goes backward: what it saved, and the gradients of the logits."""
    boundary_bytes: Column
    """Activations that one device hands to the next stage."""
    kv_bytes: Column
    """Keys and values of one layer, which devices that share a sequence pass on."""
    embedding_comm: Cost
    """The all-reduce that joins the lookups of a split embedding table."""


def _sum(costs: Iterable[Cost]) -> Cost:
    return sum(costs, Cost())


@dataclass(frozen=True, slots=True)
class Work:
    """What a device does, and the seconds of the host to start it meanwhile."""

    device: Cost
    launches_s: Column

    def __add__(self, other: "Work") -> "Work":
        return Work(self.device + other.device, self.launches_s + other.launches_s)

    @property
    def paced(self) -> Cost:
        """The device's cost, as long as the host takes to start it if that is longer."""
        return replace(self.device, time_s=np.maximum(self.device.time_s, self.launches_s))

    def exposed(self, comm: Cost, launches_s: Column) -> Cost:
        """Return `comm`, which the host starts in `launches_s`, in the same queue: what it adds."""
        longer = (self + Work(comm, launches_s)).paced.time_s
        return replace(comm, time_s=longer - self.paced.time_s)


def _forward(machine: Machine, ops: Iterable[Op], saved: Callable[[Op], Column]) -> Work:
    parts = list(ops)
    device = _sum(machine.forward(op, saved(op)) for op in parts)
    return Work(device, sum(machine.launch_s(op)[0] for op in parts))


def _backward(machine: Machine, ops: Iterable[Op], gradient_bytes: float) -> Work:
    parts = list(ops)
    device = _sum(machine.backward(op, gradient_bytes) for op in parts)
    return Work(device, sum(machine.launch_s(op)[1] for op in parts))


def _layer(
    machine: Machine,
    model: Model,
    training: Training,
    shape: Microbatch,
    kind: LayerKind,
    all_reduce: Cost,
) -> Pass:
    """Return a layer's costs; what is made again and the backward pass are started in one go."""
    ops = layer_ops(model, shape, kind)
    experts = [op for op in ops if op.name.startswith("experts")]
    gemms = [op for op in ops if op.kind is Kind.GEMM]
    saved = sum(op.saved_bytes for op in ops)
    selective = sum(op.selective_bytes for op in ops)
    passing = _passing_bytes(ops)
    forward = (
        _forward(machine, ops, lambda op: op.saved_bytes),
        _forward(machine, ops, lambda op: op.selective_bytes),
        _forward(machine, ops, lambda _: 0.0),
    )
    partly = _forward(machine, [op for op in ops if op.recomputed], lambda _: 0.0)
    again = (Work(Cost(), 0.0), partly, forward[0])
    backward = _backward(machine, ops, training.gradient_bytes)
    return Pass(
        forward=tuple(work.paced for work in forward),
        recompute=tuple(_beside(work, backward) for work in again),
        backward=backward.paced,
        weights_s=WEIGHTS_SHARE * _backward(machine, gemms, training.gradient_bytes).device.time_s,
        saved_bytes=(saved, selective, layer_input_bytes(model, shape)),
        working_bytes=(passing, saved - selective + passing, saved + passing),
        params=sum(op.weight_bytes for op in ops) / WEIGHT_BYTES,
        expert_params=sum(op.weight_bytes for op in experts) / WEIGHT_BYTES,
        comm=tuple(
            _comm(machine, training, shape, all_reduce, there, back + backward, passes)
            for there, back, passes in zip(forward, again, (1, 1, 2), strict=True)
        ),
        routed_bytes=sum(op.output_bytes for op in ops if op.name == "dispatch"),
    )


def _passing_bytes(ops: Iterable[Op]) -> Column:
    """Gradients of inputs and outputs of the operator that has most.

    Unfused attention has those of its squares of scores, as many as it saves.
    """
    sizes = [
        op.saved_bytes - op.kept_bytes
        if op.kind is Kind.ATTENTION and op.recomputed
        else op.input_bytes + op.output_bytes
        for op in ops
    ]
    return _largest(sizes)


def _beside(work: Work, other: Work) -> Cost:
    """Return the cost of `work`, its time being what it adds to `other` in the same queue."""
    seconds = (work + other).paced.time_s - other.paced.time_s
    return replace(work.device, time_s=seconds)


def _comm(
    machine: Machine,
    training: Training,
    shape: Microbatch,
    all_reduce: Cost,
    forward: Work,
    back: Work,
    passes: int,
) -> Cost:
    """Return the all-reduces of the forward pass and of `passes` of the way back.

    Pipelined, they travel in tp pieces beside the work: a piece is exposed, or what exceeds it.
    """
    launch_s = machine.collective_launch_s * (np.asarray(shape.tp) > 1)
    pipelined = np.asarray(shape.sequence_parallel) & (machine.pipelined_tp and training.overlap)

    def exposed(work: Work, count: int) -> Cost:
        whole = all_reduce.times(count)
        seconds = whole.time_s
        rest = np.maximum(seconds / shape.tp, seconds - work.device.time_s)
        comm = replace(whole, time_s=np.where(pipelined, rest, seconds))
        return work.exposed(comm, count * launch_s)

    return exposed(forward, ALL_REDUCES_PER_PASS) + exposed(back, ALL_REDUCES_PER_PASS * passes)


def _mean(passes: list[tuple[Pass, float]]) -> Pass:
    """Return the mean layer of several kinds, each with its share; the largest working set."""

    def cost(pick: Callable[[Pass], Cost]) -> Cost:
        return _sum(pick(p).times(share) for p, share in passes)

    def costs(pick: Callable[[Pass], tuple[Cost, ...]]) -> tuple[Cost, ...]:
        parts = [[c.times(share) for c in pick(p)] for p, share in passes]
        return tuple(_sum(policy) for policy in zip(*parts, strict=True))

    def column(pick: Callable[[Pass], Column]) -> Column:
        nothing: Column = 0.0
        return sum((pick(p) * share for p, share in passes), nothing)

    def columns(pick: Callable[[Pass], tuple[Column, ...]]) -> tuple[Column, ...]:
        parts = [[c * share for c in pick(p)] for p, share in passes]
        return tuple(sum(policy) for policy in zip(*parts, strict=True))

    sizes = zip(*(p.working_bytes for p, _ in passes), strict=True)
    return Pass(
        forward=costs(lambda p: p.forward),
        recompute=costs(lambda p: p.recompute),
        backward=cost(lambda p: p.backward),
        weights_s=column(lambda p: p.weights_s),
        saved_bytes=columns(lambda p: p.saved_bytes),
        working_bytes=tuple(_largest(policy) for policy in sizes),
        params=column(lambda p: p.params),
        expert_params=column(lambda p: p.expert_params),
        comm=costs(lambda p: p.comm),
        routed_bytes=column(lambda p: p.routed_bytes),
    )


def _largest(columns: Iterable[Column]) -> Column:
    largest: Column = np.max(np.stack(np.broadcast_arrays(*columns)), axis=0)
    return largest


def _ends(machine: Machine, training: Training, ops: tuple[Op, ...]) -> Cost:
    """Return both passes of the embedding or the head.

    Each microbatch the host reads back what the group agreed on, so it starts these from an empty
    queue: its seconds add to the device's.
    """
    both = _forward(machine, ops, lambda op: op.saved_bytes)
    both = both + _backward(machine, ops, training.gradient_bytes)
    return replace(both.device, time_s=both.device.time_s + both.launches_s)


def slice_of(
    machine: Machine,
    model: Model,
    training: Training,
    tp_shape: tuple[Column, Column],
    shape: Microbatch,
) -> Slice:
    """Return what devices of a TP group of `tp_shape` (rows, columns) do with `shape`."""
    activations = shape.tokens * model.d_model * shape.element_bytes
    all_reduce = machine.all_reduce(*tp_shape, activations)
    kinds = [
        (_layer(machine, model, training, shape, kind, all_reduce), count / model.n_layers)
        for kind, count in layer_kinds(model)
    ]
    head = head_ops(model, shape)
    width = 2.0 * model.d_kv / np.minimum(shape.tp, model.n_kv_heads)
    return Slice(
        layer=kinds[0][0] if len(kinds) == 1 else _mean(kinds),
        embedding=_ends(machine, training, embedding_ops(model, shape)),
        head=_ends(machine, training, head),
        head_bytes=sum(op.saved_bytes for op in head) + _passing_bytes(head[:-1]),
        boundary_bytes=layer_input_bytes(model, shape),
        kv_bytes=shape.element_bytes * shape.tokens * width,
        embedding_comm=all_reduce,
    )
