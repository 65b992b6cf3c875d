"""A simulation whose iteration is timed by events."""

from dataclasses import replace

import numpy as np

from star_watos.watos.event.iteration import play_iteration
from star_watos.watos.event.play import Played
from star_watos.watos.simulate import Simulation

WAITS = ("pp_comm", "dp_comm", "bubble")
"""What the slowest stage does not spend at work, beside the optimizer step."""


def played(simulation: Simulation) -> tuple[Simulation, Played]:
    """Return the simulation as events time it, and what happened when.

    Events say how long the iteration takes and so how long the slowest stage waits in all; the
    causes share that as the formulas share it.
    """
    run = simulation.iteration
    events = play_iteration(
        simulation.machine, simulation.model, simulation.training, run.plans, run
    )
    time_s = {name: float(np.asarray(column).item()) for name, column in run.time_s.items()}
    waits = sum(time_s[name] for name in WAITS)
    left = events.makespan_s - (sum(time_s.values()) - waits)
    share = {name: time_s[name] / waits if waits else 0.0 for name in WAITS}
    if not waits:
        share["bubble"] = 1.0
    times = time_s | {name: left * part for name, part in share.items()}
    energy_j = dict(run.energy_j)
    energy_j["static"] = simulation.machine.static_power_w * events.makespan_s
    iteration = replace(run, time_s=dict(times), energy_j=energy_j)
    return replace(simulation, iteration=iteration, event_s=events.makespan_s), events
