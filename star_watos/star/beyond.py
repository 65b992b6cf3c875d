"""What is assumed beyond the length at which a profile was measured, and what it may be."""

from dataclasses import asdict, dataclass
from typing import Any

from star_watos.cost import Overflow
from star_watos.star.core import Core
from star_watos.star.dataflow import STAR, Dataflow, Tile
from star_watos.star.ratios import mean
from star_watos.star.simulate import simulate
from star_watos.star.task import AttentionTask
from star_watos.star.work import AttentionWork
from star_watos.units import show
from star_watos.workload import Model


@dataclass(frozen=True, slots=True)
class Beyond:
    """A keep ratio beyond its measured length; bands are at the low and the high exponent.

    Ratios are means over the layers. A latency is None where nothing fits, a band where the profile
    has no extrapolation.
    """

    measured_seq_len: int
    exponent: float
    keep_ratio: float
    keep_ratio_band: tuple[float, float] | None
    latency_s_band: tuple[float | None, float | None] | None


def beyond(
    core: Core,
    task: AttentionTask,
    model: Model,
    key_tile: Tile | int | None = None,
    flow: Dataflow = STAR,
) -> Beyond | None:
    """Return what `task` assumes beyond the profile's length, if it is beyond it.

    Both ends of the band are simulated, each at `key_tile` or the tile that is best there.
    """
    profile = task.profile
    if task.seq_len <= profile.seq_len:
        return None
    used, rule = mean(task.ratios(model)).keep_ratio, profile.extrapolation
    if rule is None:
        return Beyond(profile.seq_len, 0.0, used, None, None)
    low, high = (mean(task.ratios(model, e)).keep_ratio for e in (rule.low, rule.high))
    fast, slow = (
        _latency_s(core, task.work(model, e), key_tile, flow) for e in (rule.low, rule.high)
    )
    return Beyond(profile.seq_len, rule.exponent, used, (low, high), (fast, slow))


def _latency_s(
    core: Core, work: AttentionWork, key_tile: Tile | int | None, flow: Dataflow
) -> float | None:
    result = simulate(core, work, key_tile, flow)
    return None if isinstance(result, Overflow) else float(result.latency.total_s)


def notes(task: AttentionTask, model: Model, ahead: Beyond | None) -> list[str]:
    """Return what a reader must know of the ratios: whose layers they are, and how far measured."""
    said, profile = [], task.profile
    if profile.layers and len(profile.layers) != model.n_layers:
        m, n = len(profile.layers), model.n_layers
        said.append(
            f"{profile.name} was measured on {m} layers, {model.name} has {n}: layer i, from 0, "
            f"takes measured layer floor((2 i + 1) * {m} / {2 * n})"
        )
    if ahead is not None:
        said.append(f"keep ratio {profile.keep_ratio:.4g} was measured up to {_rest(task, ahead)}")
    return said


def _rest(task: AttentionTask, ahead: Beyond) -> str:
    """Return how the note of the measured length goes on: rule, ratio, band and its latency."""
    measured, rule = f"{ahead.measured_seq_len:,} tokens", task.profile.extrapolation
    if rule is None or ahead.keep_ratio_band is None or ahead.latency_s_band is None:
        return f"{measured} and is held constant up to {task.seq_len:,}; no band is known"
    growth = f"{task.seq_len / ahead.measured_seq_len:.4g}"
    low, high = ahead.keep_ratio_band
    fast, slow = (
        "none, as it does not fit" if s is None else show(s, "s") for s in ahead.latency_s_band
    )
    return (
        f"{measured}; at {task.seq_len:,} tokens {growth}^{rule.exponent:g} times that is used, "
        f"{ahead.keep_ratio:.4g}. Exponents from {rule.low:g} to {rule.high:g} give "
        f"{low:.4g} to {high:.4g} and a latency of {fast} to {slow}"
    )


def workload_document(task: AttentionTask, model: Model, ahead: Beyond | None) -> dict[str, Any]:
    """Return `workload` of the JSON of `star simulate`; ratios are those used, means over layers.

    `keep_ratio_by_layer` is None where all layers are one; `accuracy_loss` is of the measured
    length.
    """
    layers, profile = task.ratios(model), task.profile
    return {
        **task.model_dump(mode="json", exclude={"sparsity"}),
        "phase": task.step.value,
        "model": model.name,
        **mean(layers)._asdict(),
        "keep_ratio_by_layer": [r.keep_ratio for r in layers] if profile.layers else None,
        "accuracy_loss": profile.accuracy_loss,
        "sparsity": profile.name,
        "sparsity_source": profile.source,
        "extrapolation": None if ahead is None else asdict(ahead),
    }
