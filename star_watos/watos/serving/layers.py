"""A layer and the ends of a model in prefill and decode, as columns of shapes."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from star_watos.cost import Column, Cost
from star_watos.watos.columns import costs_of
from star_watos.watos.layer import all_reduces_per_pass
from star_watos.watos.machine import Machine
from star_watos.watos.plans import Index, rows_of
from star_watos.watos.serving.request import Serving
from star_watos.watos.work import forward_work, in_one_queue
from star_watos.workload import (
    LayerKind,
    Microbatch,
    Model,
    Op,
    decode_ops,
    embedding_ops,
    layer_kinds,
    logits_ops,
    prefill_ops,
)


@dataclass(frozen=True, slots=True)
class Pass:
    """What one pass of a microbatch takes on a device, and hands on."""

    layer: Cost
    """A layer with its all-reduces; models with several kinds of layers have their mean."""
    embedding: Cost
    head: Cost
    joins: Cost
    """An all-reduce over the TP group."""
    boundary_bytes: Column
    """Activations that a device hands to the next stage."""

    def take(self, rows: Index) -> "Pass":
        """Return the given rows."""
        layer, embedding, head, joins = (
            costs_of(cost, rows) for cost in (self.layer, self.embedding, self.head, self.joins)
        )
        return Pass(layer, embedding, head, joins, rows_of(self.boundary_bytes, rows))


def prefill(
    machine: Machine, model: Model, serving: Serving, tp_rows: Column, tp_cols: Column
) -> Pass:
    """Return the pass of one prompt."""
    shape = Microbatch(float(serving.prompt_len), serving.prompt_len, tp_rows * tp_cols)

    def ops(kind: LayerKind) -> tuple[Op, ...]:
        return prefill_ops(model, shape, kind, serving.keep_ratio)

    return _pass(machine, model, shape, (tp_rows, tp_cols), ops, sequences=1.0)


def decode(
    machine: Machine,
    model: Model,
    serving: Serving,
    tp_rows: Column,
    tp_cols: Column,
    sequences: Column,
) -> Pass:
    """Return the pass of one new token of each of some sequences."""
    shape = Microbatch(sequences, 1, tp_rows * tp_cols)

    def ops(kind: LayerKind) -> tuple[Op, ...]:
        shares = (serving.keep_ratio, serving.load_ratio)
        return decode_ops(model, shape, serving.context, kind, *shares)

    return _pass(machine, model, shape, (tp_rows, tp_cols), ops, sequences=sequences)


def _pass(
    machine: Machine,
    model: Model,
    shape: Microbatch,
    tp_shape: tuple[Column, Column],
    ops: Callable[[LayerKind], tuple[Op, ...]],
    *,
    sequences: Column,
) -> Pass:
    activations = shape.element_bytes * shape.tokens * model.d_model
    joins = machine.all_reduce(*tp_shape, activations)
    kinds = [(kind, count / model.n_layers) for kind, count in layer_kinds(model)]
    layers = [_forward(machine, ops(kind)).times(share) for kind, share in kinds]
    return Pass(
        layer=sum(layers, joins.times(all_reduces_per_pass(model))),
        embedding=_forward(machine, embedding_ops(model, shape)) + joins,
        head=_forward(machine, logits_ops(model, shape, sequences)),
        joins=joins,
        boundary_bytes=activations,
    )


def _forward(machine: Machine, ops: Iterable[Op]) -> Cost:
    """Return the cost of operators of which nothing is kept for a backward pass."""
    return in_one_queue(forward_work(machine, op, 0.0) for op in ops).paced
