"""An iteration played out with its transfers on the links of the wafer."""

from dataclasses import dataclass, replace

import numpy as np

from star_watos.cost import Cost
from star_watos.errors import InputError
from star_watos.fabric.event import Played, Tasks, play
from star_watos.watos.columns import microbatch_of
from star_watos.watos.dies import Dies
from star_watos.watos.event.build import iteration_graph
from star_watos.watos.event.mesh.build import Place, mesh_tasks
from star_watos.watos.event.mesh.passes import Joins
from star_watos.watos.event.work import plan_work
from star_watos.watos.iteration import Iterations
from star_watos.watos.layer import all_reduces_per_pass, joined_bytes
from star_watos.watos.plans import Plans, Recompute
from star_watos.watos.training import Training
from star_watos.workload import Model


@dataclass(frozen=True)
class Traffic:
    """The tasks of an iteration, and when each began and ended."""

    tasks: Tasks
    played: Played


def play_on_mesh(
    machine: Dies, model: Model, training: Training, plans: Plans, result: Iterations
) -> Traffic:
    """Play one plan; `plans` and `result`, which is theirs, have one row.

    Of `result` only the work of a die is taken, and the number of microbatches. Raises
    `InputError` where dies share sequences or experts, or where there are several wafers.
    """
    if machine.wafers > 1 or plans.cp[0] > 1 or plans.ep[0] > 1:
        text = "traffic is played on one wafer, without CP and EP"
        raise InputError.of("--fidelity event", text)
    alone = replace(result.layer, comm=Cost(), ends_comm=Cost())
    work = plan_work(machine, model, training, plans, replace(result, layer=alone))
    place = place_of(machine, plans)
    joins = joins_of(model, training, plans) if plans.tp[0] > 1 else None
    tasks = mesh_tasks(work, iteration_graph(work), place, joins)
    return Traffic(tasks, play(place.mesh, tasks))


def place_of(machine: Dies, plans: Plans) -> Place:
    """Return where one plan runs, the mesh with the links of the wafer."""
    layout, d2d = machine.layout(plans), machine.wafer.d2d
    mesh = replace(layout.mesh, link_bytes_per_s=d2d.link_bytes_per_s, latency_s=d2d.latency_s)
    return Place(mesh, layout.dies, (int(plans.tp_rows[0]), int(plans.tp_cols[0])))


def joins_of(model: Model, training: Training, plans: Plans) -> Joins:
    """Return the collectives of one plan's TP groups."""
    shape = microbatch_of(training, plans)
    return Joins(
        n_bytes=float(np.asarray(joined_bytes(model, shape)).item()),
        per_pass=all_reduces_per_pass(model),
        repeated=bool(plans.recompute[0] == Recompute.FULL),
        split=bool(plans.sp[0]),
    )
