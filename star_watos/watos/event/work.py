"""How long the pieces of a plan take: each layer, the embedding, the head, each transfer.

These are the costs of `LayerColumns` and the transfer times of the machine, as plain numbers.
"""

from dataclasses import dataclass

import numpy as np

from star_watos.cost import Column
from star_watos.watos.columns import LayerColumns
from star_watos.watos.iteration import Iterations
from star_watos.watos.machine import Machine
from star_watos.watos.plans import Plans, Recompute, Schedule
from star_watos.watos.stages import every_stage, stage_params
from star_watos.watos.training import WEIGHT_BYTES, Training
from star_watos.workload import Model, embedding_params

FORWARD_SHARE = 1 / 3
"""Of the seconds of the embedding and of the head, which are known for both passes together: one
product forward, two backward."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Seconds of what goes through a stage at once, per microbatch: a layer, or one of the ends."""

    name: str
    forward_s: float
    backward_s: float
    weights_s: float = 0.0
    """What of the backward pass is done later; 0 unless the schedule is zero-bubble."""
    gather_s: float = 0.0
    """To make its weights whole, if they are split over the replicas."""
    reduce_s: float = 0.0
    """To add up its gradients over the replicas."""


@dataclass(frozen=True, slots=True)
class StageWork:
    """What a stage does."""

    chunks: tuple[tuple[Piece, ...], ...]
    """Pieces of each model chunk, in forward order."""
    gather_s: float = 0.0
    """To make all weights of the stage whole at once."""
    reduce_s: float = 0.0
    """To add up all gradients of the stage at once."""
    optimizer_s: float = 0.0


@dataclass(frozen=True, slots=True)
class PlanWork:
    """What a plan asks for; everything that decides how it is played."""

    schedule: Schedule
    n_microbatches: int
    stages: tuple[StageWork, ...]
    send_s: float = 0.0
    overlap: bool = True
    """Whether transfers travel beside the work."""
    zero: int = 0
    replicas: bool = False
    """Whether there are others that hold the same weights."""
    gathers_ahead: bool = True
    """Whether split weights are gathered for the next layer while one goes backward."""

    @property
    def n_chunks(self) -> int:
        """Model chunks of a stage."""
        return len(self.stages[0].chunks)


def _float(column: Column) -> float:
    return float(np.asarray(column).reshape(-1)[0])


@dataclass(frozen=True, slots=True)
class _Transfers:
    """Seconds between the replicas of one plan."""

    machine: Machine
    training: Training
    plans: Plans

    def gather_s(self, params: float) -> float:
        return _float(self.machine.replicas_ring_s(self.plans, np.array([WEIGHT_BYTES * params])))

    def reduce_s(self, params: float) -> float:
        """A reduce-scatter where optimizer states are split, else an all-reduce."""
        n_bytes = np.array([self.training.gradient_bytes * params])
        if self.plans.zero[0] > 0:
            return _float(self.machine.replicas_ring_s(self.plans, n_bytes))
        return _float(self.machine.replicas_all_reduce_s(self.plans, n_bytes))

    def piece(
        self, name: str, params: float, forward_s: float, backward_s: float, weights_s: float = 0.0
    ) -> Piece:
        gather_s = reduce_s = 0.0
        if self.plans.replicas[0] > 1 and params:
            gather_s, reduce_s = self.gather_s(params), self.reduce_s(params)
        return Piece(name, forward_s, backward_s, weights_s, gather_s, reduce_s)


def _layer(transfers: _Transfers, layer: LayerColumns) -> Piece:
    """Return a layer; what full recomputation repeats forward has its communication too."""
    plans = transfers.plans
    passes = 3 if plans.recompute[0] == Recompute.FULL else 2
    comm_s = _float(layer.comm_s)
    late = plans.schedule[0] == Schedule.ZERO_BUBBLE
    weights_s = _float(layer.weights_s) if late else 0.0
    work_s = _float(layer.recompute.time_s) + _float(layer.backward.time_s)
    return transfers.piece(
        "layer",
        _float(layer.params),
        _float(layer.forward.time_s) + comm_s / passes,
        work_s + comm_s - comm_s / passes - weights_s,
        weights_s,
    )


def _ends(transfers: _Transfers, model: Model, layer: LayerColumns) -> tuple[Piece, Piece]:
    """Return the embedding, with the all-reduce of its lookups, and the head."""
    tp, pp = transfers.plans.tp, int(transfers.plans.pp[0])
    last = stage_params(model, every_stage(model, pp), tp, layer).all
    layers = every_stage(model, pp).layers[-1] * _float(layer.params)
    embedding = embedding_params(model) / float(tp[0])
    head = float(np.asarray(last)[-1]) - float(layers) - embedding * (pp == 1)
    looks_up = _float(layer.embedding.time_s)
    if tp[0] > 1:
        looks_up += _float(layer.embedding_comm.time_s)
    times = (("embedding", embedding, looks_up), ("head", head, _float(layer.head.time_s)))
    first, second = (
        transfers.piece(name, params, FORWARD_SHARE * both, (1 - FORWARD_SHARE) * both)
        for name, params, both in times
    )
    return first, second


def plan_work(
    machine: Machine, model: Model, training: Training, plans: Plans, result: Iterations
) -> PlanWork:
    """Return what one plan asks for; `plans` and `result` have one row."""
    layer, pp, v = result.layer, int(plans.pp[0]), int(plans.virtual_stages[0])
    transfers = _Transfers(machine, training, plans)
    one, (embedding, head) = _layer(transfers, layer), _ends(transfers, model, layer)
    stages = every_stage(model, pp)
    params = stage_params(model, stages, plans.tp, layer)
    states = np.broadcast_to(params.split(plans, 1), pp)
    seconds = states * training.optimizer_traffic_bytes / machine.memory_bytes_per_s

    def stage(index: int) -> StageWork:
        chunks = [[one] * (int(stages.layers[index]) // v) for _ in range(v)]
        if index == 0:
            chunks[0].insert(0, embedding)
        if index == pp - 1:
            chunks[-1].append(head)
        whole = float(np.broadcast_to(params.all, pp)[index])
        return StageWork(
            chunks=tuple(map(tuple, chunks)),
            gather_s=transfers.gather_s(whole) if plans.replicas[0] > 1 else 0.0,
            reduce_s=transfers.reduce_s(whole) if plans.replicas[0] > 1 else 0.0,
            optimizer_s=float(seconds[index]),
        )

    return PlanWork(
        schedule=Schedule(int(plans.schedule[0])),
        n_microbatches=int(result.n_microbatches[0]),
        stages=tuple(stage(index) for index in range(pp)),
        send_s=_float(machine.send_s(plans, layer.boundary_bytes)) if pp > 1 else 0.0,
        overlap=training.overlap,
        zero=int(plans.zero[0]),
        replicas=bool(plans.replicas[0] > 1),
        gathers_ahead=machine.gathers_ahead,
    )
