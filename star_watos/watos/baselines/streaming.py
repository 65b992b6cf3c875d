"""Weight streaming: one layer at a time over the whole wafer (Cerebras).

Weights of a layer come in from outside, gradients go out, activations stay on the wafer; several
wafers have a part of the batch each. The optimizer works outside, beside the rest. A pass takes n
microbatches through a layer, one after the other, and lasts as long as the slowest of the dies'
work, weights in and gradients out:

    passes (L (max(n forward, in) + max(n backward, in, out)) + ends) + in
    in = weights / min(off-wafer bandwidth, two links), out = gradients / the same

for what enters a mesh at a corner leaves it over two links, and travels along trees from there.
"""

from dataclasses import dataclass, fields, replace

import numpy as np

from star_watos.cost import Column, Overflow
from star_watos.errors import InputError
from star_watos.watos.columns import layer_columns, size_columns
from star_watos.watos.dies import Dies
from star_watos.watos.iteration import BACKWARD_OVER_FORWARD
from star_watos.watos.legal import mesh_rectangles
from star_watos.watos.plans import Ints, Plans, Recompute, plans_of
from star_watos.watos.training import WEIGHT_BYTES, Training
from star_watos.watos.wafer import Wafer
from star_watos.workload import Model, embedding_params, head_params

POLICIES = (Recompute.NONE, Recompute.NON_GEMM, Recompute.FULL)


@dataclass(frozen=True, slots=True)
class Streamed:
    """Ways to stream a model's weights, one row each; `plans` are of one pass on one wafer."""

    plans: Plans
    microbatches: Ints
    """That go through a layer in a pass."""
    passes: Ints
    """Times that all weights come in for one iteration."""
    iteration_s: Column
    memory_bytes: Column
    """On each die: activations, two layers' weights, one layer's gradients."""
    recomputed_share: Column
    """Of the activations that a pass leaves, in bytes, what is made again instead of kept."""
    model_flops: Column
    """Of the iteration, as every plan's."""


def weight_streaming(
    wafer: Wafer, model: Model, training: Training, wafers: int = 1
) -> Streamed | Overflow:
    """Return the fastest way whose activations fit, or by how much none does.

    Raises `InputError` where nothing is known of what enters a wafer.
    """
    if wafer.off_wafer is None:
        text = f"weight streaming needs off_wafer.bandwidth, which {wafer.name} does not have"
        raise InputError.of(wafer.name, text)
    found = every_way(wafer, model, training, wafers)
    fits = np.asarray(found.memory_bytes <= Dies(wafer).memory_bytes)
    if not fits.any():
        least = float(np.min(found.memory_bytes))
        return Overflow("activations on a die", least, Dies(wafer).memory_bytes, "B")
    best = np.flatnonzero(fits)[[np.argmin(np.asarray(found.iteration_s)[fits])]]
    return Streamed(
        found.plans.take(best),
        *(np.asarray(getattr(found, f.name))[best] for f in fields(found)[1:]),
    )


def every_way(wafer: Wafer, model: Model, training: Training, wafers: int) -> Streamed:
    """Return all rectangles, microbatches, numbers of them in a pass, and policies."""
    sequences = -(-training.global_batch // wafers)
    plans, n = _ways(wafer, model, sequences)
    layer = layer_columns(Dies(wafer), model, training, plans)
    passes = -(-sequences // (plans.dp * plans.microbatch * n))
    rate, gradient_bytes = entry_bytes_per_s(wafer), training.gradient_bytes
    layers = model.n_params - embedding_params(model) - head_params(model)
    one = layers / model.n_layers
    come, go = one * WEIGHT_BYTES / rate, one * gradient_bytes / rate
    forward = np.maximum(n * layer.forward_s, come)
    backward = np.maximum(n * layer.backward_s, max(come, go))
    ends = _end_s(n * layer.embedding_s, embedding_params(model), gradient_bytes, rate)
    ends = ends + _end_s(n * layer.head_s, head_params(model), gradient_bytes, rate)
    seconds = passes * (model.n_layers * (forward + backward) + ends) + come
    held = (2 * WEIGHT_BYTES + gradient_bytes) * one / plans.tp
    kept = n * model.n_layers * layer.saved_bytes
    plain = replace(plans, recompute=np.full_like(plans.recompute, Recompute.NONE))
    whole = size_columns(model, training, plain).saved_bytes
    needed = (1 + BACKWARD_OVER_FORWARD) * layer.forward.ops * model.n_layers + layer.head.ops
    return Streamed(
        plans=plans,
        microbatches=n,
        passes=passes,
        iteration_s=seconds,
        memory_bytes=held + kept + np.maximum(layer.working_bytes, layer.head_bytes),
        recomputed_share=1.0 - layer.saved_bytes / whole,
        model_flops=needed * plans.tp / plans.microbatch * training.global_batch,
    )


def entry_bytes_per_s(wafer: Wafer) -> float:
    """Return the rate at which weights reach all dies: what enters the wafer, or two links."""
    assert wafer.off_wafer is not None  # noqa: S101 (the caller's)
    return min(wafer.off_wafer.bandwidth_bytes_per_s, 2 * wafer.d2d.link_bytes_per_s)


def _end_s(busy_s: Column, params: int, gradient_bytes: float, rate: float) -> Column:
    """Return the seconds of both passes of an end of the model: its work, or weights both ways."""
    seconds: Column = np.maximum(busy_s, params * (WEIGHT_BYTES + gradient_bytes) / rate)
    return seconds


def _ways(wafer: Wafer, model: Model, sequences: int) -> tuple[Plans, Ints]:
    """Return plans of one pass of one wafer, and the microbatches that go through a layer."""
    rows = []
    for group in mesh_rectangles(model, wafer.grid):
        share = -(-sequences // min(group.slots, sequences))
        for power in range(share.bit_length()):
            n = np.arange(1, -(-share // 2**power) + 1)
            shape = (group.rows, group.cols, min(group.slots, sequences), 2**power)
            rows.append(np.column_stack([np.broadcast_to(shape, (len(n), 4)), n]))
    tp_rows, tp_cols, dp, microbatch, n = np.repeat(np.concatenate(rows), len(POLICIES), axis=0).T
    plans = plans_of(
        len(n),
        tp_rows=tp_rows,
        tp_cols=tp_cols,
        dp=dp,
        microbatch=microbatch,
        recompute=np.tile(POLICIES, len(n) // len(POLICIES)),
        sp=tp_rows * tp_cols > 1,
    )
    return plans, n
