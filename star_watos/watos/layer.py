"""One decoder layer, the embedding and the head on the dies of one TP rectangle, per microbatch.

Everything here depends on the die, the rectangle, the microbatch and sequence parallelism, not on
pipeline, replicas or recomputation: a wafer's plans need it for a few hundred columns only.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from star_watos.cost import Column, Cost
from star_watos.fabric import all_reduce_byte_hops, all_reduce_s
from star_watos.watos.operator import backward, forward
from star_watos.watos.training import WEIGHT_BYTES, Training
from star_watos.watos.wafer import Wafer
from star_watos.workload import (
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


@dataclass(frozen=True, slots=True)
class Pass:
    """Costs per microbatch on one die; tuples have an entry a policy: none, selective, full."""

    forward: tuple[Cost, ...]
    recompute: tuple[Cost, ...]
    backward: Cost
    saved_bytes: tuple[Column, ...]
    """Kept from forward to backward."""
    working_bytes: tuple[Column, ...]
    """Made again and held while one layer goes backward."""
    params: Column
    """Parameters of one layer on one die."""


@dataclass(frozen=True, slots=True)
class Slice:
    """What one TP rectangle does per microbatch."""

    layer: Pass
    """A layer; models with several kinds of layers have their mean."""
    embedding: Cost
    """Forward and backward of the embedding."""
    head: Cost
    """Forward and backward of final norm, logits and loss."""
    head_saved_bytes: Column
    boundary_bytes: Column
    """Activations that one die hands to the next stage."""
    all_reduce: Cost
    """One all-reduce of the activations over the rectangle, for one die."""


def _sum(costs: Iterable[Cost]) -> Cost:
    return sum(costs, Cost())


def _layer(wafer: Wafer, model: Model, shape: Microbatch, kind: LayerKind) -> Pass:
    ops = layer_ops(model, shape, kind)
    again = [op for op in ops if op.recomputed]
    whole = _sum(forward(wafer, op, op.saved_bytes) for op in ops)
    saved = sum(op.saved_bytes for op in ops)
    selective = sum(op.selective_bytes for op in ops)
    kept = layer_input_bytes(model, shape)
    return Pass(
        forward=(
            whole,
            _sum(forward(wafer, op, op.selective_bytes) for op in ops),
            _sum(forward(wafer, op, 0.0) for op in ops),
        ),
        recompute=(Cost(), _sum(forward(wafer, op, 0.0) for op in again), whole),
        backward=_sum(backward(wafer, op) for op in ops),
        saved_bytes=(saved, selective, kept),
        working_bytes=(0.0, saved - selective, saved),
        params=sum(op.weight_bytes for op in ops) / WEIGHT_BYTES,
    )


def _mean(passes: list[tuple[Pass, float]]) -> Pass:
    """Return the mean layer of several kinds, each with its share."""
    three = range(3)
    return Pass(
        forward=tuple(_sum(p.forward[i].times(w) for p, w in passes) for i in three),
        recompute=tuple(_sum(p.recompute[i].times(w) for p, w in passes) for i in three),
        backward=_sum(p.backward.times(w) for p, w in passes),
        saved_bytes=tuple(sum(p.saved_bytes[i] * w for p, w in passes) for i in three),
        working_bytes=tuple(
            np.max(np.stack(np.broadcast_arrays(*(p.working_bytes[i] for p, _ in passes))), axis=0)
            for i in three
        ),
        params=sum(p.params * w for p, w in passes),
    )


def _both_ways(wafer: Wafer, ops: tuple[Op, ...]) -> Cost:
    return _sum(forward(wafer, op, op.saved_bytes) + backward(wafer, op) for op in ops)


def _all_reduce(wafer: Wafer, rows: Column, cols: Column, n_bytes: Column) -> Cost:
    byte_hops = all_reduce_byte_hops(rows, cols, n_bytes) / (rows * cols)
    d2d = wafer.d2d
    return Cost(
        time_s=all_reduce_s(rows, cols, n_bytes, d2d.link_bytes_per_s, d2d.latency_s),
        energy_j=byte_hops * wafer.technology.d2d_energy_j_per_byte.value,
        link_bytes=byte_hops,
    )


def slice_of(
    wafer: Wafer,
    model: Model,
    training: Training,
    tp_shape: tuple[Column, Column],
    microbatch: Column,
    sequence_parallel: NDArray[np.bool_],
) -> Slice:
    """Return what rectangles of `tp_shape` (rows, columns) do with `microbatch` sequences."""
    rows, cols = tp_shape
    shape = Microbatch(
        tokens=microbatch * float(training.seq_len),
        seq_len=training.seq_len,
        tp=rows * cols,
        sequence_parallel=sequence_parallel,
        attention=training.attention_kind,
    )
    kinds = [
        (_layer(wafer, model, shape, kind), count / model.n_layers)
        for kind, count in layer_kinds(model)
    ]
    head = head_ops(model, shape)
    activations = shape.tokens * model.d_model * shape.element_bytes
    return Slice(
        layer=kinds[0][0] if len(kinds) == 1 else _mean(kinds),
        embedding=_both_ways(wafer, embedding_ops(model, shape)),
        head=_both_ways(wafer, head),
        head_saved_bytes=sum(op.saved_bytes for op in head),
        boundary_bytes=layer_input_bytes(model, shape),
        all_reduce=_all_reduce(wafer, rows, cols, activations),
    )
