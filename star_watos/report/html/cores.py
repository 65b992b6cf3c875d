"""What the page shows of a core."""

from typing import Any

from star_watos.explore.chosen import Chosen
from star_watos.explore.stack import load_of
from star_watos.explore.star import tile_of
from star_watos.report.html.look import Look, Panel, Timeline, trace_timeline
from star_watos.star import Evaluation, Resources, TaskRun, document, evaluate
from star_watos.star.event import layer_events, machines_of

VISITS = 24
"""Visits of a key tile in a timeline."""
MOST_TOKENS = 2**16
"""Of a sequence whose first visits are played: those of longer ones take seconds to list."""


def look_at(chosen: Chosen, *, closely: bool) -> Look:
    """Return what there is to see of a core; `closely` plays its first visits."""
    core, task = chosen.parts()
    load = load_of(task, chosen.asked.beside)
    result = evaluate(Resources.of(core), load.work, tile_of(chosen, task))
    latency_s = float(result.latency.total_s)
    run = TaskRun(core, load.work, {}, result, [], [], latency_s, groups=load.groups)
    played = _visits(run) if closely and task.seq_len <= MOST_TOKENS else None
    return Look(panels_of(document(run), result), timeline=played)


def panels_of(report: dict[str, Any], result: Evaluation) -> dict[str, Panel]:
    """Return the parts of the document of a core, or a mesh; `result` is of one core."""
    busy = {name: s["latency_s"] for name, s in report["stages"].items()}
    needs = {need.name: float(need.need_bytes) for need in result.needs}
    return {
        "time": Panel("Time at work; stages run side by side", "s", busy, stacked=False),
        "energy": Panel("Energy by block", "J", report["energy_j"]),
        "memory": Panel("Memory needed in a core's SRAMs", "B", needs, stacked=False),
        "area": Panel("Area by block", "mm²", report["area_mm2"]),
    }


def _visits(run: TaskRun) -> Timeline:
    layer = run.result.layer
    machine = machines_of(run.core, layer.work, layer.chosen, layer.flow)[0]
    title = f"The first {VISITS} visits of the first layer, by events"
    return trace_timeline(title, layer_events(machine, VISITS))
