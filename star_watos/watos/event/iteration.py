"""One plan's iteration, played out task by task."""

from star_watos.watos.event.build import iteration_graph
from star_watos.watos.event.play import Played, play
from star_watos.watos.event.work import PlanWork, plan_work
from star_watos.watos.iteration import Iterations
from star_watos.watos.machine import Machine
from star_watos.watos.plans import Plans
from star_watos.watos.training import Training
from star_watos.workload import Model


def play_work(work: PlanWork) -> Played:
    """Play what a plan asks for."""
    return play(iteration_graph(work))


def play_iteration(
    machine: Machine, model: Model, training: Training, plans: Plans, result: Iterations
) -> Played:
    """Play one plan; `plans` and `result`, which is theirs, have one row.

    Of `result` only costs of a layer and the number of microbatches are taken.
    """
    return play_work(plan_work(machine, model, training, plans, result))
