"""What a pipeline adds to the work of its slowest stage: the bubble, and sends.

F, B and W are the seconds of a stage's forward pass, of its backward pass without gradients of
weights, and of those; x is a send, m the microbatches, p the stages, v the chunks of a stage. For
equal stages the formulas are exact: `tests/test_watos_event.py` plays them out.
"""

from dataclasses import dataclass

import numpy as np

from star_watos.cost import Column
from star_watos.watos.columns import FORWARD_SHARE, LayerColumns
from star_watos.watos.plans import Ints, Plans, Schedule
from star_watos.watos.stages import StageKind
from star_watos.watos.training import Training
from star_watos.workload import Model


@dataclass(frozen=True, slots=True)
class StagePasses:
    """Seconds of one stage for one microbatch."""

    forward_s: Column
    backward_s: Column
    """With gradients of weights."""
    weights_s: Column


def stage_passes(layer: LayerColumns, stage: StageKind) -> StagePasses:
    """Return the seconds of the passes of a stage, whose layers are `layer`."""
    ends = ends_s(layer, stage)
    return StagePasses(
        forward_s=stage.layers * layer.forward_s + FORWARD_SHARE * ends,
        backward_s=stage.layers * layer.backward_s + (1 - FORWARD_SHARE) * ends,
        weights_s=stage.layers * layer.weights_s,
    )


def ends_s(layer: LayerColumns, stage: StageKind) -> Column:
    """Seconds of embedding and head of a stage, each with its all-reduce."""
    seconds: Column = stage.has_embedding * layer.embedding_s + stage.has_head * layer.head_s
    return seconds


def bubble_s(
    model: Model,
    plans: Plans,
    layer: LayerColumns,
    slowest: StageKind,
    n_microbatches: Ints,
    late_weights_s: Column,
) -> Column:
    """Seconds in which the slowest stage waits for the first and the last microbatch.

    They pass the other stages alone: sum(F + B + W) of those. With v chunks a stage they pass a
    v-th of each stage's layers, and the ends (Narayanan et al. 2021, section 2.2). Under ZB-H1 a
    stage puts off W of all microbatches on their way, and fills with them what it waits (Qi et al.
    2023): sum(F + B) - (min(m, p) - 1) / (p - 1) sum(min(W, F, B)). Split weights come late by
    `late_weights_s` a layer, but for the first of a chunk, which has waited.
    """
    layers = model.n_layers - slowest.layers
    other = layer.mixed(model.n_bottom_layers - slowest.bottom, layers)
    ends = layer.embedding_s + layer.head_s - ends_s(layer, slowest)
    chunk_layers = layers / plans.virtual_stages
    late = np.maximum(chunk_layers - (plans.pp - 1), 0) * late_weights_s
    in_turn = chunk_layers * other.busy_s + late + ends
    without = other.backward_s - other.weights_s
    fills = np.minimum(np.minimum(other.weights_s, other.forward_s), without)
    put_off = (np.minimum(n_microbatches, plans.pp) - 1) / np.maximum(plans.pp - 1, 1)
    filled = in_turn - layers * (other.weights_s + put_off * fills)
    waits = np.where(plans.schedule == Schedule.ZERO_BUBBLE, filled, in_turn)
    return np.where(plans.pp > 1, np.maximum(waits, 0.0), 0.0)


def sends_s(
    training: Training,
    plans: Plans,
    slowest: StageKind,
    passes: StagePasses,
    send: Column,
    n_microbatches: Ints,
) -> Column:
    """Seconds of sends between stages that no work hides."""
    exposed = _beside_work(plans, passes, send, n_microbatches)
    if not training.overlap:
        exposed = _in_turn(plans, slowest, send, n_microbatches)
    return np.where(plans.pp > 1, exposed, 0.0)


def _beside_work(plans: Plans, passes: StagePasses, x: Column, n_microbatches: Ints) -> Column:
    """Sends beside the work: the first and the last microbatch's, and what work cannot hide.

    Under 1F1B a stage has at most p - s microbatches on their way, and p of them take p (F + B) +
    2 (p - 1) x to return: all but one of p wait for their sends. Under ZB-H1 gradients that are put
    off hide them after the first p. GPipe's follow each other; so do a chunk's.
    """
    p, v, m = plans.pp, plans.virtual_stages, n_microbatches
    later = m - 1
    ends = 2 * (p - 1) * x
    one_by_one = ends + 2 * x * _all_but_one_of(p, later)
    beyond = np.maximum(later - p, 0) * (p - 1) / p * np.maximum(2 * x - passes.weights_s, 0.0)
    put_off = ends + 2 * x * _all_but_one_of(p, np.minimum(later, p)) + beyond
    forward = np.maximum(x - passes.forward_s, 0.0)
    in_a_row = ends + later * (forward + np.maximum(x - passes.backward_s, 0.0))
    chunk = np.maximum(x - passes.forward_s / v, 0.0)
    chunks = 2 * (p * v - 1) * x + np.maximum(m - p, 0) * (v - 1) * chunk
    return _by_schedule(plans, one_by_one, chunks, in_a_row, put_off)


def _all_but_one_of(p: Ints, n: Ints) -> Ints:
    return n - -(-n // p)


def _in_turn(plans: Plans, slowest: StageKind, x: Column, n_microbatches: Ints) -> Column:
    """Sends that hold their stage up: its own of every microbatch, and a way there and back.

    A stage between others sends twice a microbatch, the first and the last once.
    """
    p, m = plans.pp, n_microbatches
    own = own_sends(plans, slowest)
    saved = own + ((p > 2) & (m > 1))
    one_by_one = (2 * (p - 1) - saved + m * own) * x
    in_a_row = (2 * (p - 1) - 2 + m * own) * x
    chunks = (2 * p - 3 + m * own) * x
    return _by_schedule(plans, one_by_one, chunks, in_a_row, one_by_one)


def own_sends(plans: Plans, stage: StageKind) -> Ints:
    """Sends of a stage a microbatch: results forward, gradients backward, for each chunk."""
    between = 2 - stage.has_embedding - stage.has_head
    simple = np.where(plans.schedule == Schedule.GPIPE, 2, between)
    chunks = 2 * plans.virtual_stages - 1
    return np.where(plans.schedule == Schedule.INTERLEAVED, chunks, simple)


def _by_schedule(
    plans: Plans, one_by_one: Column, chunks: Column, in_a_row: Column, put_off: Column
) -> Column:
    is_schedule = [plans.schedule == schedule for schedule in Schedule]
    return np.select(is_schedule, [one_by_one, chunks, in_a_row, put_off])
