"""FLOPs and bytes of the pieces of a plan; no time follows from them here."""

import numpy as np

from star_watos.cost import Column, Cost, number
from star_watos.watos.columns import FORWARD_SHARE, LayerColumns
from star_watos.watos.event.tasks import Kind, Load, Loads
from star_watos.watos.plans import Schedule
from star_watos.watos.stages import Params
from star_watos.watos.transfers import Transfers, piece_params
from star_watos.workload import Model


def piece_loads(
    between: Transfers, model: Model, layer: LayerColumns
) -> tuple[Loads, Loads, Loads]:
    """Return those of a layer, the embedding and the head, per microbatch of one plan."""
    params = piece_params(model, between.plans, layer.params, layer.expert_params)
    computed = (_layer(between, layer), _end(layer.embedding), _end(layer.head))
    layer_, embedding, head = (
        done | _exchanged(between, own) for done, own in zip(computed, params, strict=True)
    )
    return layer_, embedding, head


def stage_loads(between: Transfers, params: Params, pp: int) -> list[Loads]:
    """Return those of what each stage does at once; `params` has a row a stage."""
    columns = (
        between.step_bytes(params),
        between.gather_bytes(params),
        between.reduce_bytes(params),
    )
    kinds = (Kind.OPTIMIZER, Kind.GATHER, Kind.REDUCE)
    rows = zip(*(np.broadcast_to(column, pp) for column in columns), strict=True)
    return [
        {kind: _load(0.0, n_bytes) for kind, n_bytes in zip(kinds, row, strict=True)}
        for row in rows
    ]


def _layer(between: Transfers, layer: LayerColumns) -> dict[Kind, Load]:
    """Return a layer's; gradients of weights that come later have their share of the seconds."""
    late = between.plans.schedule[0] == Schedule.ZERO_BUBBLE
    share = layer.weights_s / layer.backward.time_s if late else 0.0
    return {
        Kind.FORWARD: _of(layer.forward, 1.0),
        Kind.BACKWARD: _of(layer.recompute, 1.0) + _of(layer.backward, 1.0 - share),
        Kind.WEIGHTS: _of(layer.backward, share),
    }


def _end(both: Cost) -> dict[Kind, Load]:
    """Return those of the embedding or the head, whose passes are known together."""
    return {
        Kind.FORWARD: _of(both, FORWARD_SHARE),
        Kind.BACKWARD: _of(both, 1.0 - FORWARD_SHARE),
    }


def _exchanged(between: Transfers, params: Params) -> dict[Kind, Load]:
    """Return the weights that replicas gather and the gradients that they reduce."""
    return {
        Kind.GATHER: _load(0.0, between.gather_bytes(params)),
        Kind.REDUCE: _load(0.0, between.reduce_bytes(params)),
    }


def _of(cost: Cost, share: Column) -> Load:
    return _load(cost.ops * share, cost.dram_bytes * share)


def _load(flops: Column, n_bytes: Column) -> Load:
    return Load(number(flops), number(n_bytes))
