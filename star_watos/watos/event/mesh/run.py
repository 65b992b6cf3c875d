"""An iteration played out with its transfers on the links of the wafer."""

from dataclasses import dataclass, replace

import numpy as np

from star_watos.cost import Cost
from star_watos.errors import InputError
from star_watos.fabric import Mesh
from star_watos.fabric.event import Played, Tasks, play
from star_watos.fabric.flows import Values
from star_watos.watos.columns import microbatch_of
from star_watos.watos.dies import Dies
from star_watos.watos.event.build import iteration_graph
from star_watos.watos.event.mesh.build import Place, carried_bytes, mesh_tasks
from star_watos.watos.event.mesh.passes import Joins
from star_watos.watos.event.work import PlanWork, plan_work
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
    work, place, joins = _asked(machine, model, training, plans, result)
    tasks = mesh_tasks(work, iteration_graph(work), place, joins)
    return Traffic(tasks, play(place.mesh, tasks))


def link_bytes(
    machine: Dies, model: Model, training: Training, plans: Plans, result: Iterations
) -> tuple[Mesh, Values]:
    """Return the links of the wafer, and the bytes over each in an iteration, [4 n].

    The traffic is that of `play_on_mesh`, which see, without playing it.
    """
    work, place, joins = _asked(machine, model, training, plans, result)
    return place.mesh, carried_bytes(work, iteration_graph(work), place, joins)


def _asked(
    machine: Dies, model: Model, training: Training, plans: Plans, result: Iterations
) -> tuple[PlanWork, Place, Joins | None]:
    """Return the work of a plan without what its transfers take, where it runs, and its joins."""
    if machine.wafers > 1 or plans.cp[0] > 1 or plans.ep[0] > 1:
        text = "traffic is played on one wafer, without CP and EP"
        raise InputError.of("--fidelity event", text)
    alone = replace(result.layer, comm=Cost(), ends_comm=Cost())
    work = plan_work(machine, model, training, plans, replace(result, layer=alone))
    joins = joins_of(model, training, plans) if plans.tp[0] > 1 else None
    return work, place_of(machine, plans), joins


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
