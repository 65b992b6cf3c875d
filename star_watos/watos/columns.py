"""Costs of the distinct slices of a set of plans, spread over the plans."""

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from star_watos.cost import Column, Cost
from star_watos.watos.layer import ALL_REDUCES_PER_PASS, Slice, slice_of
from star_watos.watos.plans import Ints, Plans, Recompute
from star_watos.watos.training import Training
from star_watos.watos.wafer import Wafer
from star_watos.workload import Model

Index = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class LayerColumns:
    """Per microbatch on one die, one row a plan."""

    forward: Cost
    recompute: Cost
    backward: Cost
    comm: Cost
    """All-reduces of one layer, those that recomputation repeats included."""
    saved_bytes: Column
    working_bytes: Column
    params: Column
    embedding: Cost
    head: Cost
    head_saved_bytes: Column
    boundary_bytes: Column
    embedding_comm: Cost
    """The all-reduce that joins the lookups of a split embedding table."""

    @property
    def busy(self) -> Cost:
        """Everything a layer does for one microbatch, in turn."""
        return self.forward + self.recompute + self.backward + self.comm


def layer_columns(wafer: Wafer, model: Model, training: Training, plans: Plans) -> LayerColumns:
    """Evaluate what differs between slices once, and give each plan its row."""
    first, index = _distinct(plans)
    own = plans.take(first)
    shape = (own.tp_rows.astype(np.float64), own.tp_cols.astype(np.float64))
    microbatch = own.microbatch.astype(np.float64)
    slices = slice_of(wafer, model, training, shape, microbatch, own.sp == 1)
    return _spread(slices, plans, index)


def _distinct(plans: Plans) -> tuple[Index, Index]:
    """Return a plan of each distinct (rectangle, microbatch, sp), and each plan's place there."""
    key = plans.tp_rows
    for column in (plans.tp_cols, plans.microbatch, plans.sp):
        key = key * (int(column.max()) + 1) + column
    _, first, inverse = np.unique(key, return_index=True, return_inverse=True)
    return first, inverse


def _spread(slices: Slice, plans: Plans, index: Index) -> LayerColumns:
    layer, policy = slices.layer, plans.recompute
    # The forward pass that full recomputation repeats has its all-reduces too.
    passes = np.where(policy == Recompute.FULL, 3, 2)
    all_reduce = _rows(slices.all_reduce, index)
    return LayerColumns(
        forward=_chosen(layer.forward, policy, index),
        recompute=_chosen(layer.recompute, policy, index),
        backward=_rows(layer.backward, index),
        comm=all_reduce.times(ALL_REDUCES_PER_PASS * passes),
        saved_bytes=_choose(layer.saved_bytes, policy, index),
        working_bytes=_choose(layer.working_bytes, policy, index),
        params=_row(layer.params, index),
        embedding=_rows(slices.embedding, index),
        head=_rows(slices.head, index),
        head_saved_bytes=_row(slices.head_saved_bytes, index),
        boundary_bytes=_row(slices.boundary_bytes, index),
        embedding_comm=all_reduce,
    )


def _row(column: Column, index: Index) -> Column:
    return column if np.ndim(column) == 0 else np.asarray(column)[index]


def _rows(cost: Cost, index: Index) -> Cost:
    return Cost(*(_row(getattr(cost, f.name), index) for f in fields(cost)))


def _choose(options: tuple[Column, ...], policy: Ints, index: Index) -> Column:
    """Return for each plan the entry of its policy at its slice."""
    table = np.stack(np.broadcast_arrays(*options))
    return table[policy, index] if table.ndim > 1 else table[policy]


def _chosen(options: tuple[Cost, ...], policy: Ints, index: Index) -> Cost:
    return Cost(
        *(_choose(tuple(getattr(o, f.name) for o in options), policy, index) for f in fields(Cost))
    )
