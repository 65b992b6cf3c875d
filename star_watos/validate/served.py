"""A layer of GPT-3 175B in prefill and decode, operator by operator, as GPUs were measured."""

from collections.abc import Iterable

from star_watos.cost import number
from star_watos.spec import load
from star_watos.watos import Cluster, Switched
from star_watos.workload import (
    Attention,
    Kind,
    LayerKind,
    Microbatch,
    Op,
    decode_ops,
    load_model,
    prefill_ops,
)

SEQUENCES, PROMPT, CONTEXT, TP = 8, 2048, 3072, 4
"""Of the measurement."""


def served_figures() -> dict[str, float]:
    """Return microseconds by phase and part; each kernel alone, as it was measured.

    So a kernel takes the device's time, or that of its start if it is longer. Adds of the residual
    stream were not measured.
    """
    model = load_model("gpt3_175b")
    prompt = Microbatch(float(SEQUENCES * PROMPT), PROMPT, float(TP), attention=Attention.UNFUSED)
    token = Microbatch(float(SEQUENCES), 1, float(TP))
    phases = {
        "prefill": (prompt, prefill_ops(model, prompt, LayerKind.DENSE)),
        "decode": (token, decode_ops(model, token, CONTEXT, LayerKind.DENSE)),
    }
    return {
        f"{phase}, {part}": 1e6 * seconds
        for phase, (shape, ops) in phases.items()
        for part, seconds in _parts(ops, 2.0 * number(shape.tokens) * model.d_model).items()
    }


def _parts(ops: Iterable[Op], activation_bytes: float) -> dict[str, float]:
    """Return the seconds of a layer by part, and of all."""
    gpus = Switched(load(Cluster, "dgx_a100", "configs/clusters"), TP)
    parts = dict.fromkeys(("products", "attention", "norms and GELU"), 0.0)
    for op in ops:
        if not op.name.endswith("residual"):
            device_s, start_s = gpus.forward(op, 0.0).time_s, gpus.launch_s(op)[0]
            parts[_part(op)] += max(number(device_s), number(start_s))
    parts["all-reduces"] = 2 * number(gpus.all_reduce(1.0, float(TP), activation_bytes).time_s)
    return {"layer": sum(parts.values()), **parts}


def _part(op: Op) -> str:
    match op.kind:
        case Kind.GEMM:
            return "products"
        case Kind.ATTENTION:
            return "attention"
        case Kind.VECTOR:
            return "norms and GELU"
