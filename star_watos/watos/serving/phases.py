"""Prefill and decode of every plan at once: how long, how many, and what a device holds.

A replica is a pipeline of p stages of L / p layers each, rounded up, on TP rectangles.

    prefill   first token after sum(t) + (p - 1) x, one prompt every max(t, x)
    decode    p microbatches of b sequences go round: a token every max(sum(d) + p x, p max(d))

t and d are the seconds of a stage, x of a send. Where a replica does both, prompts are cut in
pieces that go along with every pass of decode, so that all passes are alike (chunked prefill).
"""

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from star_watos.cost import Bound, Column, largest
from star_watos.watos.layer import all_reduces_per_pass
from star_watos.watos.machine import Machine
from star_watos.watos.plans import Index, Ints, Plans
from star_watos.watos.serving.layers import Pass, decode, prefill
from star_watos.watos.serving.request import Serving
from star_watos.watos.training import WEIGHT_BYTES
from star_watos.workload import Microbatch, Model, cached_bytes, embedding_params, head_params


@dataclass(frozen=True, slots=True)
class Phase:
    """One phase on one replica of each plan."""

    plans: Plans
    """`microbatch` sequences at once in decode."""
    latency_s: Column
    """To the first token in prefill, from token to token in decode."""
    stage_s: Column
    """Of the slowest stage, for a prompt or for a token of each of b sequences."""
    memory_bytes: Column
    """On the fullest device, for all sequences that are in it."""
    energy_j: Column
    """Of one pass of one prompt, or of one token of b sequences; without leakage."""
    comm_s: Column
    """Of the slowest stage, what its all-reduces take."""
    in_dram: Column
    """Whether a layer's DRAM traffic alone takes longer than its operations at the peak."""

    def take(self, rows: "Ints | Index") -> "Phase":
        """Return some rows."""
        n = len(self.plans)
        columns = (getattr(self, f.name) for f in fields(self) if f.name != "plans")
        return Phase(self.plans.take(rows), *(np.broadcast_to(c, n)[rows] for c in columns))

    @property
    def bound(self) -> NDArray[np.object_]:
        """What keeps a stage longer: all-reduces, or work, which is DRAM's or the cores'."""
        work_s = self.stage_s - self.comm_s
        terms: dict[Bound, Column] = {
            Bound.COMPUTE: np.where(self.in_dram, 0.0, work_s),
            Bound.DRAM: np.where(self.in_dram, work_s, 0.0),
            Bound.D2D: self.comm_s,
        }
        return np.asarray(largest(terms))


def prefill_phase(machine: Machine, model: Model, serving: Serving, plans: Plans) -> Phase:
    """Return prefill of one prompt at a time."""
    first, index = plans.distinct("tp_rows", "tp_cols")
    once = prefill(machine, model, serving, *_tp_shape(plans.take(first))).take(index)
    send, stage_s, all_s = _times(machine, model, plans, once)
    held = _held(model, plans, float(serving.prompt_len), 1.0)
    return Phase(
        plans=plans,
        latency_s=all_s + (plans.pp - 1) * send,
        stage_s=np.maximum(stage_s, send),
        memory_bytes=held,
        energy_j=_energy_j(machine, model, plans, once),
        comm_s=_comm_s(model, plans, once),
        in_dram=once.layer.dram_bytes / machine.memory_bytes_per_s
        > once.layer.ops / machine.device_flops_per_s,
    )


def decode_phase(
    machine: Machine, model: Model, serving: Serving, plans: Plans, prompts: Column = 0.0
) -> Phase:
    """Return decode of as many microbatches as there are stages.

    In memory there are the sequences of all, and as many `prompts` beside each.
    """
    first, index = plans.distinct("tp_rows", "tp_cols", "microbatch")
    sequences = plans.microbatch.astype(np.float64)
    own = _tp_shape(plans.take(first))
    once = decode(machine, model, serving, *own, sequences[first]).take(index)
    send, stage_s, all_s = _times(machine, model, plans, once)
    tokens = float(serving.prompt_len + serving.output_len)
    return Phase(
        plans=plans,
        latency_s=np.maximum(all_s + plans.pp * send, plans.pp * stage_s),
        stage_s=stage_s,
        memory_bytes=_held(model, plans, tokens, (sequences + prompts) * plans.pp),
        energy_j=_energy_j(machine, model, plans, once),
        comm_s=_comm_s(model, plans, once),
        in_dram=once.layer.dram_bytes / machine.memory_bytes_per_s
        > once.layer.ops / machine.device_flops_per_s,
    )


def _tp_shape(plans: Plans) -> tuple[Column, Column]:
    return plans.tp_rows.astype(np.float64), plans.tp_cols.astype(np.float64)


def _layers(model: Model, plans: Plans) -> Ints:
    """Layers of the fullest stage."""
    layers: Ints = -(-model.n_layers // plans.pp)
    return layers


def _times(
    machine: Machine, model: Model, plans: Plans, once: Pass
) -> tuple[Column, Column, Column]:
    """Return seconds of a send, of the slowest stage, and of all stages one after the other."""
    send = np.where(plans.pp > 1, machine.send_s(plans, once.boundary_bytes), 0.0)
    ends = np.maximum(once.embedding.time_s, once.head.time_s)
    alone = once.embedding.time_s + once.head.time_s
    layers = _layers(model, plans)
    stage = layers * once.layer.time_s + np.where(plans.pp > 1, ends, alone)
    return send, stage, model.n_layers * once.layer.time_s + alone


def _comm_s(model: Model, plans: Plans, once: Pass) -> Column:
    """Seconds of the all-reduces of the slowest stage."""
    return _layers(model, plans) * all_reduces_per_pass(model) * once.joins.time_s


def _held(model: Model, plans: Plans, tokens: float, sequences: Column) -> Column:
    """Bytes on the fullest device: its weights, and what all its sequences have cached."""
    ends = max(embedding_params(model), head_params(model))
    layers = _layers(model, plans)
    body = model.n_params - embedding_params(model) - head_params(model)
    weights = WEIGHT_BYTES * (layers / model.n_layers * body + ends) / plans.tp
    shape = Microbatch(1.0, 1, plans.tp.astype(np.float64))
    held: Column = weights + layers * sequences * tokens * cached_bytes(model, shape)
    return held


def _energy_j(machine: Machine, model: Model, plans: Plans, once: Pass) -> Column:
    """Joules of all devices of a replica, and of its sends."""
    work = model.n_layers * once.layer.energy_j + once.embedding.energy_j + once.head.energy_j
    sends = machine.send_energy_j(plans, once.boundary_bytes) / 2 / plans.replicas
    energy: Column = plans.tp * work + sends
    return energy
