"""Meshes of several sizes and lengths: ladders to Spatial-STAR, and how it scales."""

from dataclasses import asdict, dataclass, replace
from typing import Any

from star_watos.compare.spatial import (
    BASELINE,
    REFERENCE,
    RUNGS,
    Machine,
    assumptions,
    ladder,
    total_gain,
)
from star_watos.star import STAR, AttentionTask, AttentionWork, Core
from star_watos.star.spatial import MeshRun, Noc

SIDES = ((4, 4), (6, 6), (8, 8), (16, 16))
LENGTHS = (2**17, 2**20, 2**22)
TOKENS_A_CORE = 2**14
"""Of weak scaling."""
SCALED = (1, 2, 4, 8, 16)
"""Sides of its meshes."""


@dataclass(frozen=True, slots=True)
class Meshes:
    """The gain at `REFERENCE`, and what else was asked for."""

    gain: float | None
    """None where something does not fit."""
    low_gain: float | None
    high_gain: float | None
    """Of all other assumptions, one at a time."""
    document: dict[str, Any]
    """`spatial` of the JSON."""


def meshes(core: Core, noc: Noc, task: AttentionTask, *, every: bool) -> Meshes:
    """Return the gain of Spatial-STAR at `REFERENCE`; with `every`, at all sizes and lengths."""
    (rows, cols), seq_len = REFERENCE
    gain = total_gain(Machine(core, noc, (rows, cols), _work(task, seq_len)))
    others = assumptions(core, noc, task)
    document: dict[str, Any] = {
        "baseline": BASELINE,
        "noc": noc.model_dump(mode="json"),
        "reference": {"rows": rows, "cols": cols, "seq_len": seq_len, "gain": gain},
        "assumptions": [asdict(other) for other in others],
    }
    if every:
        document["ladders"] = _ladders(core, noc, task)
        document["weak_scaling"] = _weak_scaling(core, noc, task)
    gains = [other.total for other in others]
    return Meshes(gain, min(gains, default=None), max(gains, default=None), document)


def _work(task: AttentionTask, seq_len: int) -> AttentionWork:
    return task.model_copy(update={"seq_len": seq_len}).work(task.load())


def _ladders(core: Core, noc: Noc, task: AttentionTask) -> list[dict[str, Any]]:
    """Return the ladders of all meshes and lengths, as documents."""
    found = []
    for seq_len in LENGTHS:
        work = _work(task, seq_len)
        for rows, cols in SIDES:
            steps = ladder(Machine(core, noc, (rows, cols), work))
            if steps:
                found.append(
                    {
                        "rows": rows,
                        "cols": cols,
                        "seq_len": seq_len,
                        "steps": [asdict(s) for s in steps],
                    }
                )
    return found


def _weak_scaling(core: Core, noc: Noc, task: AttentionTask) -> list[dict[str, Any]]:
    """Return Spatial-STAR, and STAR cores spread as the baseline is, with equal tokens a core.

    Efficiency is the time of one core with all the work over that of all cores together. The
    limiter is what takes most of what is lost.
    """
    rows = []
    for side in SCALED:
        seq_len = TOKENS_A_CORE * side**2
        work = _work(task, seq_len)
        for rung in (RUNGS[-1], replace(RUNGS[0], flow=STAR)):
            run = Machine(core, noc, (side, side), work).run(rung)
            if run is not None:
                rows.append(_scaled(run, seq_len))
    return rows


def _scaled(run: MeshRun, seq_len: int) -> dict[str, Any]:
    ideal_s = float(run.alone.result.latency.total_s) / run.alone.n_cores
    lost = {
        "uneven work": ideal_s * (run.trip.busiest_core - 1),
        "transfers": run.exposed_s,
        "two passes": run.passes_s,
    }
    limiter = max(lost, key=lambda name: lost[name])
    return {
        "rows": run.alone.rows,
        "cols": run.alone.cols,
        "seq_len": seq_len,
        **run.spread.names(),
        "overlap": run.spread.overlap,
        "latency_s": run.latency_s,
        "efficiency": ideal_s / run.latency_s,
        "limiter": limiter if lost[limiter] > 1e-6 * run.latency_s else run.bound.value,
        "lost_s": lost,
        "bound": run.bound.value,
    }
