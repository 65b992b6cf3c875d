"""What devices that share the experts, or a sequence, exchange for a layer, one row a plan."""

import numpy as np

from star_watos.cost import Column
from star_watos.watos.layer import Layer, Slice
from star_watos.watos.machine import Machine
from star_watos.watos.plans import Index, Plans, rows_of
from star_watos.watos.training import Training

TENSORS = 4.0
"""Queries, keys, values and the result of attention, each an all-to-all of its own."""


def ep_comm_s(machine: Machine, layer: Layer, plans: Plans, index: Index, passes: Column) -> Column:
    """Seconds of the all-to-alls to the experts of a layer and back, each pass."""
    n_bytes = rows_of(layer.routed_bytes, index)
    one_way_s = np.where(n_bytes > 0, machine.all_to_all_s(plans, n_bytes), 0.0)
    return np.where(plans.ep > 1, 2 * passes * one_way_s, 0.0)


def cp_comm_s(
    machine: Machine,
    training: Training,
    slices: Slice,
    layer: Layer,
    plans: Plans,
    index: Index,
    passes: Column,
) -> Column:
    """Seconds that attention of a layer waits for devices that share its sequences."""
    if machine.framework.exchanges_heads:
        return _heads_s(machine, slices, plans, index, passes)
    return _ring_s(machine, training, slices, layer, plans, index, passes)


def _ring_s(
    machine: Machine,
    training: Training,
    slices: Slice,
    layer: Layer,
    plans: Plans,
    index: Index,
    passes: Column,
) -> Column:
    """Seconds of keys and values, which go round the cp devices (ring attention).

    cp - 1 steps a pass; backward their gradients travel too. A step hides behind the attention to
    what arrived before it.
    """
    steps = plans.cp - 1
    comm = steps * (passes + 1) * machine.pass_on_s(plans, rows_of(slices.kv_bytes, index))
    beside = training.overlap * steps / plans.cp * rows_of(layer.attention_s, index)
    return np.where(steps > 0, np.maximum(comm - beside, 0.0), 0.0)


def _heads_s(machine: Machine, slices: Slice, plans: Plans, index: Index, passes: Column) -> Column:
    """Seconds in which each device gets whole sequences of its share of the heads, and back.

    As much travels backward as forward (DeepSpeed-Ulysses, arXiv 2309.14509, section 3.2).
    """
    n_bytes = rows_of(slices.heads_bytes, index) / TENSORS
    return np.where(plans.cp > 1, passes * TENSORS * machine.swap_s(plans, n_bytes), 0.0)
