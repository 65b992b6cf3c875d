"""What one device of a TP group holds of a layer and the head, per microbatch: no machine is asked.

Like the costs in `layer` it depends on the TP group, what a device gets of a microbatch and how
experts are shared, not on pipeline or replicas.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from star_watos.cost import Column
from star_watos.watos.framework import Framework
from star_watos.watos.plans import Recompute
from star_watos.watos.training import WEIGHT_BYTES
from star_watos.workload import (
    Kind,
    LayerKind,
    Microbatch,
    Model,
    Op,
    head_ops,
    layer_input_bytes,
    layer_kinds,
    layer_ops,
)


@dataclass(frozen=True, slots=True)
class Held:
    """What a layer holds under one policy."""

    saved_bytes: Column
    """Kept from forward to backward."""
    working_bytes: Column
    """Held while one layer goes backward: what is made again, and the largest operator's gradients.
    """


@dataclass(frozen=True, slots=True)
class LayerSizes:
    """A layer on one device."""

    held: tuple[Held, ...]
    """By value of `Recompute`."""
    params: Column
    """Parameters of one layer on one device."""
    expert_params: Column
    """Those of routed experts among them."""
    placeholder_bytes: Column
    """Empty tensors that stand for gradients of weights, one a shape."""


@dataclass(frozen=True, slots=True)
class SliceSizes:
    """Layers and the head on one device."""

    layers: tuple[LayerSizes, ...]
    """One of each kind of layers, as `layer_kinds` counts them."""
    head_bytes: Column
    """Held while the head goes backward: what it saved, and the gradients of the logits."""


def sizes_of(model: Model, shape: Microbatch, framework: Framework) -> SliceSizes:
    """Return what a device that gets `shape` holds."""
    kinds = layer_kinds(model)
    return SliceSizes(
        layers=tuple(_layer(model, shape, kind, framework) for kind, _ in kinds),
        head_bytes=_head_bytes(head_ops(model, shape), framework),
    )


def _head_bytes(head: Sequence[Op], framework: Framework) -> Column:
    """Return what the head holds; gradients in place are those that pass, and no more is saved."""
    saved = sum(op.saved_bytes for op in head)
    if framework.loss_in_place:
        saved = saved - sum(op.saved_bytes for op in head if op.kind is Kind.GEMM)
    return saved + _passing_bytes(head[:-1]) + _placeholder_bytes(head, framework)


def _placeholder_bytes(ops: Iterable[Op], framework: Framework) -> Column:
    """Return a tensor for each shape of weights; experts are weights of their own."""
    if not framework.placeholders:
        return 0.0
    found: Column = 0.0
    shapes: list[tuple[Column, Column]] = []
    for op in (op for op in ops if op.kind is Kind.GEMM):
        known = sum(np.equal(op.n, n) & np.equal(op.k, k) for n, k in shapes)
        found = found + WEIGHT_BYTES * op.n * op.k * np.equal(known, 0)
        shapes.append((op.n, op.k))
    return found


def _layer(model: Model, shape: Microbatch, kind: LayerKind, framework: Framework) -> LayerSizes:
    ops = layer_ops(model, shape, kind)
    experts = [op for op in ops if op.name.startswith("experts")]
    whole = layer_input_bytes(model, shape)
    return LayerSizes(
        held=tuple(_held(ops, whole, policy) for policy in Recompute),
        params=sum(op.weight_bytes for op in ops) / WEIGHT_BYTES,
        expert_params=sum(op.weight_bytes for op in experts) / WEIGHT_BYTES,
        placeholder_bytes=_placeholder_bytes(ops, framework),
    )


def _held(ops: Sequence[Op], input_bytes: Column, policy: Recompute) -> Held:
    """Return a layer under one policy; making everything again keeps the layer's input only."""
    full = policy is Recompute.FULL
    held = sum(op.saved_bytes for op in ops if not made_again(op, policy))
    held += input_bytes if full else sum(op.kept_bytes for op in ops if made_again(op, policy))
    everything = sum(op.saved_bytes for op in ops)
    return Held(held, everything - (0.0 if full else held) + _passing_bytes(ops))


def made_again(op: Op, policy: Recompute) -> bool:
    """Whether a policy makes the result of an operator again for the backward pass."""
    match policy:
        case Recompute.NONE:
            return False
        case Recompute.SELECTIVE:
            return op.unfused
        case Recompute.FULL:
            return True
        case Recompute.NON_GEMM:
            return op.recomputed


def _passing_bytes(ops: Iterable[Op]) -> Column:
    """Gradients of inputs and outputs of the operator that has most.

    Unfused attention has those of its squares of scores, as many as it saves.
    """
    return _largest(
        op.saved_bytes - op.kept_bytes if op.unfused else op.input_bytes + op.output_bytes
        for op in ops
    )


def _largest(columns: Iterable[Column]) -> Column:
    largest: Column = np.max(np.stack(np.broadcast_arrays(*columns)), axis=0)
    return largest
