"""What a decoder layer, the embedding and the head cost on one device, per microbatch.

Everything here depends on the device, the TP group, what a device gets of a microbatch and how
experts are shared, not on pipeline or replicas: the plans of a machine need it for a few hundred
columns only.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from star_watos.cost import Column, Cost
from star_watos.watos.machine import Machine
from star_watos.watos.plans import Recompute
from star_watos.watos.sizes import made_again
from star_watos.watos.training import Training
from star_watos.watos.work import OpWork, Work, backward_work, forward_work, in_one_queue
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

WEIGHTS_SHARE = 0.5
"""Of a product's backward pass, what goes into the gradient of its weights: one of two products."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What a layer costs where a policy says what is kept and what is made again."""

    forward: Cost
    recompute: Cost
    comm: Cost
    """All-reduces, forward and back; their time is what neither the device's work nor the host's
    start of it hides."""


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer per microbatch on one device."""

    kept: tuple[Kept, ...]
    """By value of `Recompute`."""
    backward: Cost
    weights_s: Column
    """Part of the backward pass that no other stage waits for: gradients of weights."""
    attention_s: Column
    """Attention alone, forward and backward, which keys and values of other devices travel beside.
    """
    routed_bytes: Column
    """Copies of tokens that a device sends to their experts."""


@dataclass(frozen=True, slots=True)
class Slice:
    """What one device of a TP group does per microbatch."""

    layers: tuple[Layer, ...]
    """One of each kind of layers, as `layer_kinds` counts them."""
    embedding: Cost
    """Forward and backward of the embedding."""
    head: Cost
    """Forward and backward of final norm, logits and loss."""
    boundary_bytes: Column
    """Activations that one device hands to the next stage."""
    kv_bytes: Column
    """Keys and values of one layer, which devices that share a sequence pass on."""
    heads_bytes: Column
    """Queries, keys, values and results of one layer, which they exchange instead."""
    ends_comm: Cost
    """The all-reduce at each end: it joins the lookups of a split embedding table, and adds up the
    gradients of what enters a split head."""


def slice_of(
    machine: Machine,
    model: Model,
    training: Training,
    tp_shape: tuple[Column, Column],
    shape: Microbatch,
) -> Slice:
    """Return what devices of a TP group of `tp_shape` (rows, columns) do with `shape`."""
    n_bytes, halves = joined_bytes(model, shape), shape.sequence_parallel
    all_reduce = machine.all_reduce(*tp_shape, n_bytes, halves)
    width = 2.0 * model.d_kv / np.minimum(shape.tp, model.n_kv_heads)
    return Slice(
        layers=tuple(
            _layer(machine, model, training, shape, kind, all_reduce)
            for kind, _ in layer_kinds(model)
        ),
        embedding=_ends(machine, training, embedding_ops(model, shape)),
        head=_ends(machine, training, head_ops(model, shape)),
        boundary_bytes=layer_input_bytes(model, shape),
        kv_bytes=shape.element_bytes * shape.tokens * width,
        heads_bytes=shape.element_bytes * shape.tokens * (model.d_q / shape.tp + width)
        + context_bytes(model, shape),
        ends_comm=all_reduce,
    )


def joined_bytes(model: Model, shape: Microbatch) -> Column:
    """Activations that a TP group joins: a vector a token, in the format that travels."""
    n_bytes: Column = shape.tokens * model.d_model * shape.element_bytes
    return n_bytes


def context_bytes(model: Model, shape: Microbatch) -> Column:
    """What attention of a layer gives to its output projection on one device."""
    n_bytes: Column = shape.element_bytes * shape.tokens * model.d_context / shape.tp
    return n_bytes


def all_reduces_per_pass(model: Model) -> int:
    """Return one after attention and one after the feed-forward network; side by side, one in all.

    Backward as many. With sequence parallelism each is a reduce-scatter and an all-gather
    (Korthikanti et al. 2022).
    """
    return 1 if model.parallel_block else 2


def _ends(machine: Machine, training: Training, ops: tuple[Op, ...]) -> Cost:
    """Return both passes of the embedding or the head.

    Each microbatch the host reads back what the group agreed on, so these start in an empty queue.
    """
    return in_one_queue(
        forward_work(machine, op, op.saved_bytes)
        + backward_work(machine, op, training.gradient_bytes)
        for op in ops
    ).in_turn


def _layer(
    machine: Machine,
    model: Model,
    training: Training,
    shape: Microbatch,
    kind: LayerKind,
    all_reduce: Cost,
) -> Layer:
    ops = layer_ops(model, shape, kind)
    works = [OpWork.of(machine, op, training.gradient_bytes) for op in ops]
    backward = in_one_queue(work.backward for work in works)
    products = in_one_queue(work.backward for work in works if work.op.kind is Kind.GEMM)
    attention = [work for work in works if work.op.kind is Kind.ATTENTION]
    exposed = _Exposed(machine, training, shape, all_reduce, all_reduces_per_pass(model))
    return Layer(
        kept=tuple(_kept(works, backward, exposed, policy) for policy in Recompute),
        backward=backward.paced,
        weights_s=WEIGHTS_SHARE * products.device.time_s,
        attention_s=in_one_queue(work.stored + work.backward for work in attention).device.time_s,
        routed_bytes=sum(op.output_bytes for op in ops if op.name == "dispatch"),
    )


def _kept(works: Sequence[OpWork], backward: Work, exposed: "_Exposed", policy: Recompute) -> Kept:
    """Return a layer under one policy; what is made again and the backward pass are one queue.

    Making everything again has its all-reduces too.
    """
    full = policy is Recompute.FULL
    again = [work for work in works if made_again(work.op, policy)]
    once = [work for work in works if not made_again(work.op, policy)]
    there = in_one_queue(work.dropped if full else work.kept for work in again)
    there += in_one_queue(work.stored for work in once)
    # What is made again for the backward pass stays on the die; only a whole layer's is stored.
    back = in_one_queue(work.stored if full else work.dropped for work in again)
    return Kept(
        forward=there.paced,
        recompute=back.beside(backward),
        comm=exposed.by(there, 1) + exposed.by(back + backward, 2 if full else 1),
    )


@dataclass(frozen=True, slots=True)
class _Exposed:
    """What all-reduces of the activations add to work in the same queue."""

    machine: Machine
    training: Training
    shape: Microbatch
    all_reduce: Cost
    per_pass: int

    def by(self, work: Work, passes: int) -> Cost:
        """Return the all-reduces of `passes` passes, their time being what they add to `work`.

        Pipelined, they travel in tp pieces beside the work: a piece is exposed, or what exceeds it.
        """
        count, shape, machine = self.per_pass * passes, self.shape, self.machine
        whole = self.all_reduce.times(count)
        rest = np.maximum(whole.time_s / shape.tp, whole.time_s - work.device.time_s)
        in_pieces = machine.pipelined_tp and self.training.overlap
        pipelined = np.asarray(shape.sequence_parallel) & in_pieces
        comm = replace(whole, time_s=np.where(pipelined, rest, whole.time_s))
        launches_s = count * machine.collective_launch_s * (np.asarray(shape.tp) > 1)
        return Work(comm, launches_s).beside(work)
