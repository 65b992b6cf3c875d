"""What the model says of measured runs: all runs of one model, machine and batch in one call."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from star_watos.validate.runs.row import MEASURED, Run
from star_watos.watos import (
    Cluster,
    Hardware,
    Plans,
    Recompute,
    Schedule,
    Training,
    evaluate,
    machine_of,
    plans_of,
)
from star_watos.watos.outside import kernels_outside
from star_watos.workload import Model, Moe, Norm

SCHEDULES = {schedule.label: schedule for schedule in Schedule}
RECOMPUTE = {policy.label: policy for policy in Recompute}


@dataclass(frozen=True, slots=True)
class Prediction:
    """One measured run beside what the model says of it."""

    table: str
    run: Run
    iter_time_s: float
    memory_gib: float
    tflops_per_gpu: float
    hardware_flops: float
    """Of one iteration of all devices, recomputation counted."""
    time_s: dict[str, float]
    """Exposed seconds by cause; they sum to the iteration."""
    fits: bool
    """Whether it is predicted to fit the device's memory."""
    bound: str
    outside_table: tuple[str, ...]
    """Products whose time is that of the nearest entry of the device's measured table."""

    def error_pct(self, column: str) -> float | None:
        """Prediction over measurement, less one, in percent; None where nothing was measured."""
        measured = getattr(self.run, column)
        return None if measured is None else 100 * (getattr(self, column) / measured - 1)

    @property
    def group(self) -> tuple[object, ...]:
        """What runs share that a user would choose a plan among."""
        return group_of(self.run)


def group_of(run: Run) -> tuple[object, ...]:
    """Return model, devices and global batch of a run, and whatever else is not its plan."""
    model = (run.model, run.hidden, run.layers, run.heads, run.vocab, run.kv_heads, run.ffn)
    more = (run.gated, run.experts, run.experts_per_token, run.moe_ffn, run.tied_embeddings)
    work = (run.device, run.devices, run.global_batch, run.seq, run.precision, run.attention)
    return (*model, *more, *work, run.overlap)


def model_of(run: Run) -> Model:
    """Return the model of a run.

    Shapes alone do not say everything: a gated network is taken for a Llama (RMS norms, rotary
    positions, no biases), another for a GPT (layer norms, learned positions, biases); unfused
    attention is of the time of dropout.
    """
    named = run.named_model
    if named is not None:
        return named
    hidden, layers, heads, vocab = (getattr(run, n) for n in ("hidden", "layers", "heads", "vocab"))
    plain = not run.gated
    dropout = 0.1 if run.attention == "unfused" else 0.0
    model = Model(
        name=run.name or f"{hidden} x {layers}",
        n_layers=layers,
        d_model=hidden,
        n_heads=heads,
        n_kv_heads=run.kv_heads or heads,
        head_dim=hidden // heads,
        d_ff=run.ffn or 4 * hidden,
        vocab=vocab,
        max_seq_len=run.seq,
        gated=bool(run.gated),
        norm=Norm.LAYER if plain else Norm.RMS,
        qkv_bias=plain,
        out_bias=plain,
        mlp_bias=plain,
        learned_positions=plain,
        tied_embeddings=bool(run.tied_embeddings),
        dropout=dropout,
        attention_dropout=dropout,
    )
    if run.experts is None:
        return model
    width = run.moe_ffn or model.d_ff
    return replace(model, moe=Moe(run.experts, run.experts_per_token or 2, width))


def plans_from(runs: list[Run]) -> Plans:
    """Return the plans of runs as columns."""
    schedules = [
        SCHEDULES[r.schedule or ("interleaved" if r.interleave_v > 1 else "1f1b")] for r in runs
    ]
    return plans_of(
        len(runs),
        tp_cols=[r.tp for r in runs],
        pp=[r.pp for r in runs],
        dp=[r.replicas for r in runs],
        cp=[r.cp for r in runs],
        ep=[r.ep for r in runs],
        microbatch=[r.micro_batch for r in runs],
        recompute=[RECOMPUTE[r.recompute] for r in runs],
        sp=[r.seq_parallel for r in runs],
        zero=[r.zero for r in runs],
        schedule=schedules,
        virtual_stages=[r.interleave_v for r in runs],
    )


def predict(table: str, runs: list[Run]) -> list[Prediction]:
    """Return a prediction a run, in their order."""
    together: dict[tuple[object, ...], list[int]] = defaultdict(list)
    for place, run in enumerate(runs):
        together[group_of(run)].append(place)
    found: dict[int, Prediction] = {}
    for places in together.values():
        own = [runs[place] for place in places]
        found |= dict(zip(places, _predict_group(table, own), strict=True))
    return [found[place] for place in range(len(runs))]


def _predict_group(table: str, runs: list[Run]) -> list[Prediction]:
    first = runs[0]
    model = model_of(first)
    training = Training(
        model=model.name,
        seq_len=first.seq,
        global_batch=first.global_batch,
        precision=first.precision,
        attention=first.attention,
        overlap=bool(first.overlap),
    )
    hardware = first.hardware
    machine = machine_of(hardware, training, first.devices)
    plans = plans_from(runs)
    result = evaluate(machine, model, training, plans)
    outside = _outside(hardware, model, training, plans)
    iteration_s = _floats(result.iteration_s, len(runs))
    flops = {"model": result.model_flops, "hardware": result.hardware_flops}
    memory = _floats(result.memory_bytes, len(runs))
    terms = {name: _floats(column, len(runs)) for name, column in result.time_s.items()}
    return [
        Prediction(
            table=table,
            run=run,
            iter_time_s=float(iteration_s[i]),
            memory_gib=float(memory[i]) / 2**30,
            tflops_per_gpu=float(
                _floats(flops[run.flops_convention], len(runs))[i]
                / iteration_s[i]
                / run.devices
                / 1e12
            ),
            hardware_flops=float(_floats(result.hardware_flops, len(runs))[i]),
            time_s={name: float(column[i]) for name, column in terms.items()},
            fits=bool(memory[i] <= machine.memory_bytes),
            bound=result.bound[i].value,
            outside_table=tuple(name for name, rows in outside.items() if rows[i]),
        )
        for i, run in enumerate(runs)
    ]


def _outside(
    hardware: Hardware, model: Model, training: Training, plans: Plans
) -> dict[str, NDArray[np.bool_]]:
    if isinstance(hardware, Cluster):
        return kernels_outside(hardware, model, training, plans)
    return {}


def _floats(column: Any, n: int) -> NDArray[np.float64]:  # noqa: ANN401 (a column)
    return np.broadcast_to(np.asarray(column, dtype=np.float64), (n,))


def measured_columns(predictions: Sequence[Prediction]) -> list[str]:
    """Return the columns in which any of the runs was measured."""
    return [c for c in MEASURED if any(getattr(p.run, c) is not None for p in predictions)]
