"""What devices that share the experts, or a sequence, exchange for a layer, one row a plan."""

from dataclasses import dataclass

import numpy as np

from star_watos.cost import Column
from star_watos.watos.layer import Layer, Slice
from star_watos.watos.machine import Machine
from star_watos.watos.plans import Index, Ints, Plans, rows_of
from star_watos.watos.training import Training

TENSORS = 4.0
"""Queries, keys, values and the result of attention, each an all-to-all of its own."""


@dataclass(frozen=True, slots=True)
class Exchanges:
    """Plans on a machine, and what passes between their devices."""

    machine: Machine
    training: Training
    plans: Plans
    slices: Slice
    index: Index
    """The slice of each plan."""
    passes: Ints
    """Of a layer for each microbatch: 3 where the forward pass is repeated whole."""

    def ep_comm_s(self, layer: Layer) -> Column:
        """Seconds of the all-to-alls to the experts of a layer and back, each pass."""
        n_bytes = rows_of(layer.routed_bytes, self.index)
        way_s = np.where(n_bytes > 0, self.machine.all_to_all_s(self.plans, n_bytes), 0.0)
        return np.where(self.plans.ep > 1, 2 * self.passes * way_s, 0.0)

    def cp_comm_s(self, layer: Layer) -> Column:
        """Seconds that attention of a layer waits for devices that share its sequences."""
        heads = self.machine.framework.exchanges_heads
        seconds = self._heads_s() if heads else self._ring_s(layer)
        return np.where(self.plans.cp > 1, seconds, 0.0)

    def _ring_s(self, layer: Layer) -> Column:
        """Seconds of keys and values, which go round the cp devices (ring attention).

        cp - 1 steps a pass; backward their gradients travel too. A step hides behind the attention
        to what arrived before it.
        """
        steps = self.plans.cp - 1
        step_s = self.machine.pass_on_s(self.plans, rows_of(self.slices.kv_bytes, self.index))
        share = self.training.overlap * steps / self.plans.cp
        beside = share * rows_of(layer.attention_s, self.index)
        seconds: Column = np.maximum(steps * (self.passes + 1) * step_s - beside, 0.0)
        return seconds

    def _heads_s(self) -> Column:
        """Seconds in which each device gets whole sequences of its share of the heads, and back.

        As much travels backward as forward (DeepSpeed-Ulysses, arXiv 2309.14509, section 3.2).
        """
        n_bytes = rows_of(self.slices.heads_bytes, self.index) / TENSORS
        seconds: Column = self.passes * TENSORS * self.machine.swap_s(self.plans, n_bytes)
        return seconds
