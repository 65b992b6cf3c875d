"""Sizes and costs of the distinct slices of a set of plans, spread over the plans."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any, Self, TypeVar

import numpy as np

from star_watos.cost import Column, Cost
from star_watos.watos.exchanges import Exchanges
from star_watos.watos.framework import PLAIN, Framework
from star_watos.watos.layer import Layer, Slice, context_bytes, slice_of
from star_watos.watos.machine import Machine
from star_watos.watos.plans import Index, Ints, Plans, Recompute, rows_of
from star_watos.watos.sizes import sizes_of
from star_watos.watos.training import Training
from star_watos.workload import Microbatch, Model, layer_kinds

FORWARD_SHARE = 1.0 / 3.0
"""Of the seconds of embedding and head, which are known for both passes together: one product
forward, two backward."""


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """What one device holds, per microbatch; one row a plan. Of a layer it is the mean."""

    saved_bytes: Column
    working_bytes: Column
    params: Column
    expert_params: Column
    placeholder_bytes: Column
    head_bytes: Column
    kinds: tuple[Self, ...] = ()
    """Of the model's bottom layers and of those above, where these differ."""

    def mixed(self, bottom: Column, layers: Column) -> Self:
        """Return the mean of some layers of which so many are of the bottom kind."""
        return _mean(self.kinds, bottom / np.maximum(layers, 1)) if self.kinds else self


@dataclass(frozen=True, kw_only=True)  # no slots: sums that many formulas share are made once
class LayerColumns(Sizes):
    """What one device holds and does, per microbatch; one row a plan."""

    forward: Cost
    recompute: Cost
    backward: Cost
    weights_s: Column
    """Part of the backward pass that no other stage waits for."""
    comm: Cost
    """All-reduces of one layer, those that recomputation repeats included."""
    ep_comm_s: Column
    """All-to-alls of one layer, those that recomputation repeats included."""
    cp_comm_s: Column
    """What attention waits for keys and values of other devices, both ways."""
    embedding: Cost
    head: Cost
    boundary_bytes: Column
    ends_comm: Cost
    """The all-reduce at each end: it joins the lookups of a split embedding table, and adds up the
    gradients of what enters a split head."""
    passes: Column
    """Passes of a layer's forward and backward work: 3 where the forward pass is repeated whole."""

    @cached_property
    def forward_s(self) -> Column:
        """Seconds of a layer's forward pass, with its share of the communication."""
        return self.forward.time_s + self.comm_s / self.passes

    @cached_property
    def backward_s(self) -> Column:
        """Seconds of the rest: what is made again, backward, and its communication."""
        return self.busy_s - self.forward_s

    @property
    def embedding_s(self) -> Column:
        """Both passes of the embedding, and the all-reduce that joins its lookups."""
        return self.embedding.time_s + self.ends_comm.time_s

    @property
    def head_s(self) -> Column:
        """Both passes of the head, and the all-reduce of the gradients of its input."""
        return self.head.time_s + self.ends_comm.time_s

    @cached_property
    def comm_s(self) -> Column:
        """All exposed communication of one layer."""
        return self.comm.time_s + self.ep_comm_s + self.cp_comm_s

    @cached_property
    def work(self) -> Cost:
        """A layer's passes for one microbatch, without communication."""
        return self.forward + self.recompute + self.backward

    @cached_property
    def busy_s(self) -> Column:
        """Everything a layer does for one microbatch, in turn."""
        return self.work.time_s + self.comm_s


T = TypeVar("T", bound=Sizes)


def size_columns(
    model: Model, training: Training, plans: Plans, framework: Framework = PLAIN
) -> Sizes:
    """Return what plans hold; what differs between slices is worked out once."""
    own, index = _slices(plans)
    return _of_kinds(model, _sizes(model, training, framework, own, plans, index))


def layer_columns(machine: Machine, model: Model, training: Training, plans: Plans) -> LayerColumns:
    """Evaluate what differs between slices once, and give each plan its row."""
    own, index = _slices(plans)
    tp_shape = own.tp_rows.astype(np.float64), own.tp_cols.astype(np.float64)
    slices = slice_of(machine, model, training, tp_shape, microbatch_of(training, own))
    sizes = _sizes(model, training, machine.framework, own, plans, index)
    return _of_kinds(model, _spread(machine, training, slices, sizes, plans, index))


def _slices(plans: Plans) -> tuple[Plans, Index]:
    """Return a plan of each slice, and the slice of each plan."""
    first, index = plans.distinct("tp_rows", "tp_cols", "microbatch", "sp", "cp", "ep")
    return plans.take(first), index


def microbatch_of(training: Training, plans: Plans) -> Microbatch:
    """Return what one device gets of the sequences of a microbatch, which cp devices share."""
    tp, cp, ep, microbatch = (
        getattr(plans, name).astype(np.float64) for name in ("tp", "cp", "ep", "microbatch")
    )
    return Microbatch(
        tokens=microbatch * float(training.seq_len) / cp,
        seq_len=training.seq_len,
        tp=tp,
        sequence_parallel=plans.sp == 1,
        attention=training.attention_kind,
        ep=ep,
    )


def _of_kinds(model: Model, kinds: Sequence[T]) -> T:
    """Return the mean of all layers, which knows its kinds where one stands below the other."""
    if len(kinds) == 1:
        return kinds[0]
    _, count = layer_kinds(model)[0]
    mean = _mean(kinds, count / model.n_layers)
    return replace(mean, kinds=tuple(kinds)) if model.n_bottom_layers else mean


def _mean(kinds: Sequence[T], share: Column) -> T:
    """Return the mean of two kinds of layers, the first with `share`.

    Of what there is once on a device, it is the larger kind's: the working set, placeholders.
    """
    first, second = (vars(kind) for kind in kinds)
    names = [name for name, own in first.items() if own is not second[name]]
    mean = {name: _between(first[name], second[name], share) for name in names}
    once = {
        name: np.maximum(first[name] * (share > 0), second[name] * (share < 1))
        for name in ("working_bytes", "placeholder_bytes")
    }
    return replace(kinds[0], **mean | once)


def _between(first: Any, second: Any, share: Column) -> Any:  # noqa: ANN401 (costs, or columns)
    if isinstance(first, Cost):
        return first.times(share) + second.times(1 - share)
    return first * share + second * (1 - share)


def _sizes(
    model: Model,
    training: Training,
    framework: Framework,
    own: Plans,
    plans: Plans,
    index: Index,
) -> tuple[Sizes, ...]:
    shape = microbatch_of(training, own)
    found, policy = sizes_of(model, shape, framework), plans.recompute
    twice_bytes: Column = 0.0
    if framework.exchanges_heads:
        # Attention's result is kept both as heads are exchanged and as the projection reads it.
        kept = (plans.cp > 1) & (policy != Recompute.FULL)
        twice_bytes = np.where(kept, rows_of(context_bytes(model, shape), index), 0.0)
    head_bytes = rows_of(found.head_bytes, index)
    return tuple(
        Sizes(
            saved_bytes=_choose([held.saved_bytes for held in layer.held], policy, index)
            + twice_bytes,
            working_bytes=_choose([held.working_bytes for held in layer.held], policy, index),
            params=rows_of(layer.params, index),
            expert_params=rows_of(layer.expert_params, index),
            placeholder_bytes=rows_of(layer.placeholder_bytes, index),
            head_bytes=head_bytes,
        )
        for layer in found.layers
    )


def _spread(
    machine: Machine,
    training: Training,
    slices: Slice,
    sizes: Sequence[Sizes],
    plans: Plans,
    index: Index,
) -> list[LayerColumns]:
    """Return the columns of each kind of layers; what is not a layer's is the same in all."""
    # The forward pass that full recomputation repeats has its communication too.
    passes = np.where(plans.recompute == Recompute.FULL, 3, 2)
    ends: dict[str, Any] = {
        "embedding": costs_of(slices.embedding, index),
        "head": costs_of(slices.head, index),
        "boundary_bytes": rows_of(slices.boundary_bytes, index),
        "ends_comm": costs_of(slices.ends_comm, index),
        "passes": passes,
    }
    exchanges = Exchanges(machine, training, plans, slices, index, passes)
    return [
        LayerColumns(
            **vars(held),
            **ends,
            **_computed(layer, plans.recompute, index),
            ep_comm_s=exchanges.ep_comm_s(layer),
            cp_comm_s=exchanges.cp_comm_s(layer),
        )
        for layer, held in zip(slices.layers, sizes, strict=True)
    ]


def _computed(layer: Layer, policy: Ints, index: Index) -> dict[str, Any]:
    """Return what the devices of a TP group do for a layer."""
    return {
        "forward": _chosen([kept.forward for kept in layer.kept], policy, index),
        "recompute": _chosen([kept.recompute for kept in layer.kept], policy, index),
        "backward": costs_of(layer.backward, index),
        "weights_s": rows_of(layer.weights_s, index),
        "comm": _chosen([kept.comm for kept in layer.kept], policy, index),
    }


def costs_of(cost: Cost, index: Index) -> Cost:
    """Return the given rows of a cost."""
    return Cost(*(rows_of(getattr(cost, f.name), index) for f in fields(cost)))


def _choose(options: Sequence[Column], policy: Ints, index: Index) -> Column:
    """Return for each plan the entry of its policy at its slice."""
    table = np.stack(np.broadcast_arrays(*options))
    return table[policy, index] if table.ndim > 1 else table[policy]


def _chosen(options: Sequence[Cost], policy: Ints, index: Index) -> Cost:
    return Cost(
        *(_choose([getattr(o, f.name) for o in options], policy, index) for f in fields(Cost))
    )
