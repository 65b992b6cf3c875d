"""What replicas add to an iteration: gradients added up, split weights gathered, the optimizer.

Gradients are all-reduced once, or with ZeRO reduce-scattered: with ZeRO-2 and 3 for every
microbatch, for they are split at once. Split weights are gathered: after the step, or with ZeRO-3
before every pass. Beside the work they travel a layer at a time, so that the first gather and the
last reduction of a pass show, and of every other what exceeds a layer's work.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from star_watos.cost import Column
from star_watos.watos.columns import FORWARD_SHARE, LayerColumns
from star_watos.watos.pipeline import stage_passes
from star_watos.watos.plans import Plans, Schedule
from star_watos.watos.stages import Params, StageKind, Stages
from star_watos.watos.transfers import Pieces, Transfers


@dataclass(frozen=True, slots=True)
class Exposed:
    """Seconds of a stage that its replicas add, of the passes of one microbatch and at the ends."""

    each: Column
    """A microbatch."""
    late: Column
    """After the last microbatch."""
    early: Column
    """Before the first."""


def exposed_by_stage(
    transfers: Transfers, pieces: Pieces, layer: LayerColumns, stage: StageKind, params: Params
) -> Exposed:
    """Return what replicas add to a stage of such layers, which has `params` on a device."""
    zero = transfers.plans.zero
    if transfers.training.overlap:
        found = _beside_work(transfers, pieces, layer, stage)
    else:
        whole = Exposed(0.0, transfers.reduce_s(params), transfers.gather_s(params))
        found = replace(whole, each=_in_turn(transfers.plans, pieces, stage))
    return Exposed(
        each=found.each,
        late=np.where(zero < 2, found.late, 0.0),
        early=np.where((zero == 1) | (zero == 2), found.early, 0.0),
    )


def _in_turn(plans: Plans, pieces: Pieces, stage: StageKind) -> Column:
    """Every piece of a stage, twice gathered and once reduced."""

    def all_of(layer: Column, table: Column, head: Column) -> Column:
        both: Column = stage.layers * layer + stage.has_embedding * table + stage.has_head * head
        return both

    gathers = all_of(pieces.layer.gather, pieces.table.gather, pieces.head.gather)
    reduces = all_of(pieces.layer.reduce, pieces.table.reduce, pieces.head.reduce)
    return np.where(plans.zero == 3, 2 * gathers, 0.0) + np.where(plans.zero >= 2, reduces, 0.0)


def _beside_work(
    transfers: Transfers, pieces: Pieces, layer: LayerColumns, stage: StageKind
) -> Exposed:
    """Return what layers' work does not hide; the embedding's gradients are the last to go."""
    plans, v = transfers.plans, transfers.plans.virtual_stages
    gather, reduce, table = pieces.layer.gather, pieces.layer.reduce, pieces.table
    late_work = _late(plans)
    behind = np.where(late_work, layer.weights_s, layer.backward_s)
    k = stage.layers / v
    rest = np.maximum(k - 1, 0)
    looks_up = FORWARD_SHARE * layer.embedding.time_s
    forward = gather + rest * np.maximum(gather - layer.forward_s, 0.0)
    # Gradients of a chunk leave p passes of a chunk before those of the one below it.
    sooner = (v - 1) * plans.pp * k * layer.backward_s
    backlog = np.maximum(k * reduce, stage.layers * reduce - sooner) - rest * behind
    # The head's are before all of them.
    after_head = pieces.head.reduce + stage.layers * reduce - sooner - k * behind
    backlog = np.maximum(backlog, np.where(stage.has_head, after_head, 0.0))
    backlog = np.maximum(reduce, backlog)
    after_backward = np.where(late_work, 0.0, 2 * looks_up)
    table_last = table.reduce + np.maximum(backlog - after_backward, 0.0)
    table_first = table.gather + np.maximum(forward - looks_up, 0.0)
    return Exposed(
        each=_each(transfers, pieces, layer, stage, forward, behind),
        late=np.where(stage.has_embedding, table_last, backlog),
        early=np.where(stage.has_embedding, table_first, forward),
    )


def _each(
    transfers: Transfers,
    pieces: Pieces,
    layer: LayerColumns,
    stage: StageKind,
    forward: Column,
    behind: Column,
) -> Column:
    """Seconds of one microbatch's passes that ZeRO-2 and 3 add: each chunk is a pass of its own."""
    plans, v = transfers.plans, transfers.plans.virtual_stages
    if not np.any(plans.zero >= 2):
        return 0.0
    rest = np.maximum(stage.layers / v - 1, 0)
    gather, reduce = pieces.layer.gather, pieces.layer.reduce
    reduces = reduce + rest * np.maximum(reduce - behind, 0.0)
    # Under ZB-H1 gradients leave after a pass of their own.
    with_it = np.where(_late(plans), 0.0, reduce)
    if transfers.machine.gathers_ahead:
        again = gather + with_it + rest * np.maximum(gather + with_it - layer.backward_s, 0.0)
    else:
        waits = np.maximum(with_it - layer.backward_s, 0.0)
        again = gather + with_it + rest * (gather + waits)
    again = again + np.where(_late(plans), reduces, 0.0)
    chunks = v * np.where(plans.zero == 3, forward + again, reduces)
    table = np.where(plans.zero == 3, pieces.table.gather, 0.0) + pieces.table.reduce
    late_head = np.maximum(pieces.head.reduce - behind, 0.0)
    early_head = np.maximum(pieces.head.gather - layer.forward_s, 0.0)
    head = np.where(plans.zero == 3, early_head, 0.0) + late_head
    ends = stage.has_embedding * table + stage.has_head * head
    return np.where(plans.zero >= 2, chunks + ends, 0.0)


def late_weights_s(transfers: Transfers, pieces: Pieces, layer: LayerColumns) -> Column:
    """Seconds by which split weights and gradients exceed a layer's work, in both passes."""
    gather, with_it = pieces.layer.gather, np.where(_late(transfers.plans), 0, pieces.layer.reduce)
    forward = np.maximum(gather - layer.forward_s, 0.0)
    exceeds = forward + np.maximum(gather + with_it - layer.backward_s, 0.0)
    beside = (transfers.plans.zero == 3) & transfers.training.overlap
    return np.where(beside, exceeds, 0.0)


def ends_exposed_s(
    transfers: Transfers,
    stages: Stages[LayerColumns],
    exposed: Sequence[Exposed],
) -> tuple[Column, Column]:
    """Return what replicas and the optimizer add at both ends of the iteration.

    Later stages begin after the ones before them and are done before them: by so much their own
    transfers and steps may take longer.
    """
    plans, v = transfers.plans, transfers.plans.virtual_stages
    first = stage_passes(stages.layers[0], stages.kinds[0])
    comm, steps, starts = [], [], []
    for stage, own, found in zip(stages.kinds, stages.params, exposed, strict=True):
        lead = stage.index * (first.backward_s - first.weights_s * _late(plans)) / v
        step = transfers.step_s(own)
        comm.append(np.where(stage.exists, found.late - lead, -np.inf))
        steps.append(step)
        starts.append(np.where(stage.exists, found.early - stage.index * first.forward_s / v, 0.0))
    totals = np.stack([c + s for c, s in zip(comm, steps, strict=True)])
    last = totals.argmax(axis=0)
    step = np.choose(last, np.broadcast_arrays(*steps))
    start = np.maximum(np.max(np.stack(starts), axis=0), 0.0)
    return np.maximum(totals.max(axis=0) - step, 0.0) + start, step


def _late(plans: Plans) -> NDArray[np.bool_]:
    return np.asarray(plans.schedule == Schedule.ZERO_BUBBLE)
