"""Transfers between replicas: weights made whole, gradients added up, a piece at a time."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from star_watos.cost import Column
from star_watos.watos.columns import LayerColumns
from star_watos.watos.machine import Machine
from star_watos.watos.plans import Plans, rows_of
from star_watos.watos.stages import Params
from star_watos.watos.training import WEIGHT_BYTES, Training
from star_watos.workload import Model, embedding_params, head_params


@dataclass(frozen=True, slots=True)
class Transfers:
    """Seconds between the replicas of the plans, for parameters on one device of a stage."""

    machine: Machine
    training: Training
    plans: Plans
    stage: Column
    """Which one, from 0."""

    def gather_s(self, params: Params) -> Column:
        """Seconds to make weights whole."""
        seconds = self.machine.replicas_ring_s(self.plans, self.gather_bytes(params), self.stage)
        return np.where(self.plans.replicas > 1, seconds, 0.0)

    def reduce_s(self, params: Params) -> Column:
        """Seconds to add up gradients: a reduce-scatter where states are split."""
        n_bytes = self.reduce_bytes(params)
        ring = self.machine.replicas_ring_s(self.plans, n_bytes, self.stage)
        whole = self.machine.replicas_all_reduce_s(self.plans, n_bytes, self.stage)
        seconds = np.where(self.plans.zero > 0, ring, whole)
        return np.where(self.plans.replicas > 1, seconds, 0.0)

    def gather_bytes(self, params: Params) -> Column:
        """Bytes of weights that are made whole, as a device has them then."""
        return WEIGHT_BYTES * self._shared(params)

    def reduce_bytes(self, params: Params) -> Column:
        """Bytes of gradients that are added up, as a device has them before."""
        return self.training.gradient_bytes * self._shared(params)

    def step_bytes(self, params: Params) -> Column:
        """Bytes of memory that a step moves for a device's share of the states."""
        each = self.training.optimizer_traffic_bytes + self.machine.framework.step_bytes
        n_bytes: Column = params.split(self.plans, 1) * each
        return n_bytes

    def step_s(self, params: Params) -> Column:
        """Seconds of a step."""
        return self.step_bytes(params) / self.machine.memory_bytes_per_s

    def _shared(self, params: Params) -> Column:
        """Parameters that a device has in common with others: experts only where ep leaves some."""
        shared: Column = params.dense + params.experts * (self.plans.replicas > self.plans.ep)
        return shared


def piece_params(
    model: Model, plans: Plans, params: Column, experts: Column
) -> tuple[Params, Params, Params]:
    """Return the parameters of a layer, of the embedding and of the head on one device.

    A layer has `params`, of which `experts` are routed experts'. Tied embeddings are reduced with
    the head where another stage holds them too.
    """
    copies = model.tied_embeddings * (plans.pp > 1) * model.vocab * model.d_model
    return (
        Params(params - experts, experts),
        Params(embedding_params(model) / plans.tp, 0.0),
        Params((head_params(model) + copies) / plans.tp, 0.0),
    )


@dataclass(frozen=True, slots=True)
class Piece:
    """Seconds of what travels at once: the weights or gradients of a layer, or of an end."""

    gather: Column
    reduce: Column


@dataclass(frozen=True, slots=True)
class Pieces:
    """The pieces that a model has on the devices of a plan."""

    layer: Piece
    table: Piece
    """The embedding."""
    head: Piece

    @classmethod
    def of(cls, transfers: Transfers, model: Model, layer: LayerColumns) -> "Pieces":
        """Return all pieces of one stage of each plan, whose layers are `layer`."""
        return cls.of_stages(transfers, [transfers.stage], model, [layer])[0]

    @classmethod
    def of_stages(
        cls,
        transfers: Transfers,
        stages: Sequence[Column],
        model: Model,
        layers: Sequence[LayerColumns],
    ) -> "list[Pieces]":
        """Return all pieces of several stages, each with layers of its own.

        They are made once for plans that differ in other things only, and all in one go.
        """
        names = ("tp_rows", "tp_cols", "pp", "dp", "cp", "ep", "zero")
        chunks = ("virtual_stages",) if model.n_bottom_layers else ()
        first, index = transfers.plans.distinct(*names, *chunks)
        own, n = transfers.plans.take(first), len(first)
        held = [
            piece_params(
                model, own, rows_of(layer.params, first), rows_of(layer.expert_params, first)
            )
            for layer in layers
        ]
        shape = (len(stages), len(held[0]), n)
        count = len(stages) * len(held[0])
        every = Transfers(
            transfers.machine,
            transfers.training,
            own.take(np.tile(np.arange(n), count)),
            np.concatenate(
                [np.broadcast_to(rows_of(s, first), n) for s in stages for _ in held[0]]
            ),
        )
        all_of = Params(
            *(
                _in_a_row([getattr(p, name) for pieces in held for p in pieces], n)
                for name in Params.__slots__
            )
        )
        gather, reduce = (
            np.broadcast_to(seconds, count * n).reshape(shape)[:, :, index]
            for seconds in (every.gather_s(all_of), every.reduce_s(all_of))
        )
        return [cls(*map(Piece, g, r)) for g, r in zip(gather, reduce, strict=True)]


def _in_a_row(columns: Sequence[Column], n: int) -> NDArray[np.float64]:
    """Return columns of n rows, or numbers, one after the other."""
    return np.concatenate([np.broadcast_to(column, n) for column in columns]).astype(np.float64)
