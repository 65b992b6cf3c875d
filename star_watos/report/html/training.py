"""What the page shows of a wafer in training."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from star_watos.cost import number
from star_watos.explore.chosen import Chosen
from star_watos.explore.watos import WaferExploration, degrees_of
from star_watos.report.html.look import Bar, Dies, Look, Panel, Timeline, links_of, timeline
from star_watos.watos import Dies as Machine
from star_watos.watos import Simulation, Wafer, evaluate, plans_of
from star_watos.watos.event import Played, play_iteration
from star_watos.watos.event.mesh import link_bytes
from star_watos.watos.event.tasks import Resource
from star_watos.watos.hardware import machine_of
from star_watos.watos.memory import memory_parts
from star_watos.watos.silicon import area_mm2
from star_watos.watos.stages import every_stage, stage_params


def look_at(chosen: Chosen, *, closely: bool) -> Look:
    """Return what there is to see of a wafer and its plan; `closely` plays the iteration."""
    run = _simulated(chosen)
    return Look(_panels(run), *((_dies(run), _pipeline(run)) if closely else ()))


def _simulated(chosen: Chosen) -> Simulation:
    wafer, training = chosen.parts()
    sweep = chosen.asked.sweep
    wafers = sweep.wafers if isinstance(sweep, WaferExploration) else 1
    devices = wafers * wafer.n_dies if wafers > 1 else None
    machine, model = machine_of(wafer, training, devices), training.load()
    columns = {name: n for name, n in degrees_of(chosen).items() if name != "tp"}
    iteration = evaluate(machine, model, training, plans_of(1, **columns))
    return Simulation(wafer, machine, model, training, iteration, n_legal=1, n_feasible=1)


def _panels(run: Simulation) -> dict[str, Panel]:
    assert isinstance(run.hardware, Wafer)  # noqa: S101 (sweeps have wafers)
    time_s, energy_j = run.iteration.time_s, run.iteration.energy_j
    held = _fullest(run)
    held["free"] = run.machine.memory_bytes - sum(held.values())
    return {
        "time": Panel("Time of an iteration by cause", "s", _plain(time_s)),
        "energy": Panel("Energy of an iteration by cause", "J", _plain(energy_j)),
        "memory": Panel("Memory of the fullest die", "B", held),
        "area": Panel("Area of the wafer by part", "mm²", area_mm2(run.hardware)),
    }


def _plain(columns: dict[str, Any]) -> dict[str, float]:
    return {name: number(column) for name, column in columns.items()}


def _fullest(run: Simulation) -> dict[str, float]:
    """Return the bytes of the stage that holds most."""
    it = run.iteration
    stages = every_stage(run.model, int(it.plans.pp[0]), int(it.plans.virtual_stages[0]))
    layer = it.layer.mixed(stages.bottom, stages.layers)
    params = stage_params(run.model, stages, it.plans.tp, layer)
    parts = memory_parts(run.training, it.plans, layer, it.n_microbatches, stages, params)
    most = int(np.argmax(sum(np.broadcast_to(part, len(stages.layers)) for part in parts.values())))
    return {
        name: float(np.broadcast_to(part, len(stages.layers))[most]) for name, part in parts.items()
    }


def _dies(run: Simulation) -> Dies:
    """Return where stages stand on one wafer, with the load of links where it can be told."""
    machine, plans = run.machine, run.iteration.plans
    assert isinstance(machine, Machine)  # noqa: S101 (sweeps have wafers)
    layout = machine.layout(plans)
    labels, groups = [""] * layout.mesh.n_nodes, [-1] * layout.mesh.n_nodes
    for (stage, replica, place), die in np.ndenumerate(layout.dies):
        labels[die] = f"stage {stage}, replica {replica}, die {place} of its group"
        groups[die] = stage
    dies = Dies("Stages on the wafer", layout.mesh.rows, layout.mesh.cols, labels, groups)
    if machine.wafers > 1 or plans.ep[0] > 1:
        note = "Loads of links are told of one wafer whose experts are not split over groups."
        return replace(dies, note=note)
    mesh, loads = link_bytes(machine, run.model, run.training, plans, run.iteration)
    return replace(dies, carried="over a link in an iteration", links=links_of(mesh, loads))


def _pipeline(run: Simulation) -> Timeline:
    it = run.iteration
    played = play_iteration(run.machine, run.model, run.training, it.plans, it)
    lanes = [f"stage {stage}" for stage in range(int(it.plans.pp[0]))]
    return timeline(
        "An iteration by events, stage by stage; in gaps they wait", lanes, _bars(played)
    )


def _bars(played: Played) -> Iterator[Bar]:
    for task, start_s, end_s in zip(played.tasks, played.start_s, played.end_s, strict=True):
        if task.resource is Resource.COMPUTE and end_s > start_s:
            yield Bar(task.stage, task.kind.value, start_s, end_s)
