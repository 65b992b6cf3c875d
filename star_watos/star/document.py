"""What `star simulate` says of a design, as a JSON document."""

from typing import Any

from star_watos.star.by_layer import tile_texts
from star_watos.star.fit import spilled_rows, spilled_scores
from star_watos.star.run import TaskRun
from star_watos.star.simulate import Evaluation
from star_watos.star.stages import Stages
from star_watos.star.stages.stage import over_layer


def document(run: TaskRun) -> dict[str, Any]:
    """Return the JSON document `star-simulate/1` of a run."""
    result = run.result
    time_s = float(result.latency.total_s)
    energy_j = {block: float(value) for block, value in result.energy.blocks_j.items()}
    return {
        "schema": "star-simulate/1",
        "design": _design(run),
        "workload": run.workload,
        "metrics": {name: float(value) for name, value in result.metrics.items()},
        "stages": _stages(result),
        "memory_s": {name: float(value) for name, value in result.latency.memory_s.items()},
        "area_mm2": {block: float(value) for block, value in result.areas_mm2.items()},
        "power_w": {block: value / time_s for block, value in energy_j.items()},
        "energy_j": energy_j,
        "bound": result.latency.bound.value,  # type: ignore[union-attr]
        "spilled_score_bytes": _spilled(result),
        "sensitivity": [change.document() for change in run.changes],
        "event": run.event_document(),
    }


def _design(run: TaskRun) -> dict[str, Any]:
    """Return the resolved core with its tile and dataflow."""
    layer = run.result.layer
    tile = tile_texts(layer.chosen, run.groups)
    return run.core.model_dump(mode="json") | tile | {"dataflow": layer.flow.names()}


def _spilled(result: Evaluation) -> float:
    """Return the bytes of scores that go to DRAM for want of room, one way, all layers."""
    layer = result.layer
    each = layer.passes * (spilled_scores(layer) + spilled_rows(layer))
    return float(layer.work.total(over_layer(layer, each)))


def _stages(result: Evaluation) -> dict[str, dict[str, float]]:
    time_s, work = float(result.latency.total_s), result.layer.work
    said = {}
    for name, stage in zip(Stages._fields, result.stages, strict=True):
        busy_s = float(result.latency.stage_s[name])
        said[name] = {
            "latency_s": busy_s,
            "stall_s": time_s - busy_s,
            "energy_j": float(result.energy.stages_j[name]),
            "ops": float(work.total(stage.ops)),
            "dram_bytes": float(work.total(stage.moved_bytes)),
            "utilization": busy_s / time_s,
        }
    return said
