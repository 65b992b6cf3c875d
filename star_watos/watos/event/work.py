"""How long the pieces of a plan take: each layer, the embedding, the head, each transfer.

These are the costs of `LayerColumns` and the transfer times of the machine, as plain numbers.
"""

from dataclasses import dataclass, field, replace

import numpy as np

from star_watos.cost import Column, number
from star_watos.watos import transfers
from star_watos.watos.columns import FORWARD_SHARE, LayerColumns
from star_watos.watos.event.loads import piece_loads, stage_loads
from star_watos.watos.event.tasks import NO_LOAD, Load, Loads
from star_watos.watos.iteration import Iterations
from star_watos.watos.machine import Machine
from star_watos.watos.plans import Plans, Schedule
from star_watos.watos.stages import StageKind, every_stage, stage_params
from star_watos.watos.training import Training
from star_watos.workload import Model


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
    loads: Loads = field(default_factory=dict)


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
    loads: Loads = field(default_factory=dict)
    """Of what is done at once."""


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
    send: Load = NO_LOAD

    @property
    def n_chunks(self) -> int:
        """Model chunks of a stage."""
        return len(self.stages[0].chunks)


def _piece(
    name: str, travels: transfers.Piece, loads: Loads, *seconds: Column, weights_s: Column = 0.0
) -> Piece:
    """Return a piece whose forward and backward passes take `seconds`."""
    forward_s, backward_s = map(number, seconds)
    gather_s, reduce_s = number(travels.gather), number(travels.reduce)
    return Piece(name, forward_s, backward_s, number(weights_s), gather_s, reduce_s, loads)


def _pieces(
    between: transfers.Transfers, model: Model, layer: LayerColumns
) -> tuple[Piece, Piece, Piece]:
    """Return a layer, the embedding and the head."""
    travel = transfers.Pieces.of(between, model, layer)
    loads, *end_loads = piece_loads(between, model, layer)
    late = between.plans.schedule[0] == Schedule.ZERO_BUBBLE
    weights_s = layer.weights_s if late else 0.0
    passes = (layer.forward_s, layer.backward_s - weights_s)
    ends = (
        ("embedding", travel.table, layer.embedding_s),
        ("head", travel.head, layer.head_s),
    )
    embedding, head = (
        _piece(name, piece, own, FORWARD_SHARE * both, (1 - FORWARD_SHARE) * both)
        for (name, piece, both), own in zip(ends, end_loads, strict=True)
    )
    return _piece("layer", travel.layer, loads, *passes, weights_s=weights_s), embedding, head


def _numbers(stages: StageKind, v: int) -> list[list[range]]:
    """Return the numbers of the layers of each stage's chunks, counted through the model."""
    counts = stages.layers.tolist()
    chunks = [count // v for _ in range(v) for count in counts]
    ends = np.cumsum(chunks).tolist()
    numbers = [range(end - count, end) for end, count in zip(ends, chunks, strict=True)]
    return [numbers[stage :: len(counts)] for stage in range(len(counts))]


def plan_work(
    machine: Machine,
    model: Model,
    training: Training,
    plans: Plans,
    result: Iterations,
    stages: StageKind | None = None,
) -> PlanWork:
    """Return what one plan asks for; `plans` and `result` have one row.

    `stages` are all of the pipeline, a row each; left out, those that the plan has by itself.
    """
    layer, pp, v = result.layer, int(plans.pp[0]), int(plans.virtual_stages[0])
    stages = stages or every_stage(model, pp, v)
    between = transfers.Transfers(machine, training, plans, stages.index)
    numbers, bottom = _numbers(stages, v), model.n_bottom_layers
    params = stage_params(model, stages, plans.tp, layer.mixed(stages.bottom, stages.layers))
    at_once = (between.gather_s(params), between.reduce_s(params), between.step_s(params))
    gather_s, reduce_s, step_s = (np.broadcast_to(column, pp) for column in at_once)
    loads = stage_loads(between, params, pp)

    def stage(index: int) -> StageWork:
        here = replace(between, stage=index)
        above, embedding, head = _pieces(here, model, layer.mixed(0, 1))
        below = _pieces(here, model, layer.mixed(1, 1))[0] if bottom else above
        chunks = [[below if n < bottom else above for n in own] for own in numbers[index]]
        if index == 0:
            chunks[0].insert(0, embedding)
        if index == pp - 1:
            chunks[-1].append(head)
        return StageWork(
            chunks=tuple(map(tuple, chunks)),
            gather_s=float(gather_s[index]),
            reduce_s=float(reduce_s[index]),
            optimizer_s=float(step_s[index]),
            loads=loads[index],
        )

    return PlanWork(
        schedule=Schedule(int(plans.schedule[0])),
        n_microbatches=int(result.n_microbatches[0]),
        stages=tuple(stage(index) for index in range(pp)),
        send_s=number(machine.send_s(plans, layer.boundary_bytes)) if pp > 1 else 0.0,
        overlap=training.overlap,
        zero=int(plans.zero[0]),
        replicas=bool(plans.replicas[0] > 1),
        gathers_ahead=machine.gathers_ahead,
        send=Load(n_bytes=number(machine.send_bytes(plans, layer.boundary_bytes))),
    )
