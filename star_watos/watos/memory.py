"""Bytes that the fullest device of a stage, or of a plan, holds: of no machine's concern."""

from typing import Any

import numpy as np

from star_watos.cost import Column
from star_watos.watos.columns import Sizes, size_columns
from star_watos.watos.framework import PLAIN, Framework
from star_watos.watos.plans import Ints, Plans, Schedule
from star_watos.watos.stages import Params, StageKind, Stages
from star_watos.watos.training import OPTIMIZER_BYTES, WEIGHT_BYTES, Training
from star_watos.workload import Model


def state_bytes(params: Params, plans: Plans, sizes: Sizes, training: Training) -> Column:
    """Weights, gradients and optimizer states, split as ZeRO does; experts have replicas / ep.

    Split weights are gathered layer by layer: two layers are whole at once.
    """
    split = [np.asarray(plans.split(stage)) for stage in (1, 2, 3)]
    gathered = np.where(split[2] > 1, 2 * WEIGHT_BYTES * sizes.params, 0.0)
    dense = params.dense * _bytes_a_parameter(training, *split)
    copies = (np.maximum(parts / plans.ep, 1) for parts in split)
    experts = params.experts * _bytes_a_parameter(training, *copies)
    held: Column = dense + experts + gathered
    return held


def _bytes_a_parameter(
    training: Training, states: Column, gradients: Column, weights: Column
) -> Column:
    """Bytes of a parameter, each kind shared by so many devices."""
    return WEIGHT_BYTES / weights + training.gradient_bytes / gradients + OPTIMIZER_BYTES / states


def in_flight(plans: Plans, n_microbatches: Ints, stage: StageKind) -> Column:
    """Microbatches whose activations a stage holds, a chunk counting as its share of one.

    1F1B and ZB-H1: min(m, p - s). GPipe: m. Interleaved: of the m v chunks that pass, those that
    are begun before the first ends, 2 (p - s - 1) + (v - 1) p + 1 (Narayanan et al. 2021, 2.2).
    """
    p, v = plans.pp, plans.virtual_stages
    after = p - stage.index
    chunks = 2 * (after - 1) + (v - 1) * p + 1
    interleaved = np.minimum(n_microbatches * v, chunks) / v
    held = np.where(plans.schedule == Schedule.GPIPE, n_microbatches, after)
    held = np.where(plans.schedule == Schedule.INTERLEAVED, interleaved, held)
    microbatches: Column = np.minimum(n_microbatches, held)
    return microbatches


def kept_microbatches(plans: Plans, n_microbatches: Ints, stage: StageKind) -> Column:
    """Microbatches of which a stage keeps activations: until gradients of weights are made too.

    Put off, those of p microbatches wait for it at most.
    """
    held = in_flight(plans, n_microbatches, stage)
    put_off = np.minimum(n_microbatches, plans.pp)
    return np.where(plans.schedule == Schedule.ZERO_BUBBLE, put_off, held)


def memory_bytes(
    training: Training,
    plans: Plans,
    sizes: Sizes,
    n_microbatches: Ints,
    stage: StageKind,
    params: Params,
) -> Column:
    """Bytes on a device: states, activations in flight, what the framework holds, working set.

    `sizes` are those of the stage's own layers.
    """
    all_bytes = sum(memory_parts(training, plans, sizes, n_microbatches, stage, params).values())
    held: Column = stage.exists * all_bytes
    return held


def memory_parts(
    training: Training,
    plans: Plans,
    sizes: Sizes,
    n_microbatches: Ints,
    stage: StageKind,
    params: Params,
) -> dict[str, Column]:
    """Return the bytes on a device of a stage that exists, by what they are."""
    held = kept_microbatches(plans, n_microbatches, stage)
    return {
        "states": state_bytes(params, plans, sizes, training),
        "activations": held * stage.layers * sizes.saved_bytes,
        "placeholders": sizes.placeholder_bytes,
        "working set": np.maximum(sizes.working_bytes, stage.has_head * sizes.head_bytes),
    }


def fullest_bytes(training: Training, plans: Plans, stages: Stages[Any]) -> Column:
    """Bytes on the fullest device of each plan."""
    n_microbatches = plans.microbatches(training.global_batch)
    held = [
        memory_bytes(training, plans, layer, n_microbatches, kind, params)
        for kind, layer, params in zip(stages.kinds, stages.layers, stages.params, strict=True)
    ]
    fullest: Column = np.max(np.stack(held), axis=0)
    return fullest


def plan_bytes(
    model: Model, training: Training, plans: Plans, framework: Framework = PLAIN
) -> Column:
    """Bytes on the fullest device of each plan, before anything is known of the devices."""
    sizes = size_columns(model, training, plans, framework)
    return fullest_bytes(training, plans, Stages.of(model, plans, sizes))
