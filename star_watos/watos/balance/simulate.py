"""One wafer, one workload: the best plan of one policy for all stages, and the best balanced."""

from dataclasses import replace

import numpy as np

from star_watos.cost import Overflow
from star_watos.watos.balance.parts import EVERYTHING, Without
from star_watos.watos.balance.run import Comparison, balance, compared
from star_watos.watos.hardware import machine_of
from star_watos.watos.plans import Plans, Recompute
from star_watos.watos.simulate import Setting, Simulation, candidates, simulate, wafer_overflow
from star_watos.watos.training import Training
from star_watos.watos.wafer import Wafer
from star_watos.workload import Model


def simulate_balanced(
    wafer: Wafer,
    model: Model,
    training: Training,
    wanted: dict[str, int],
    devices: int | None = None,
    without: Without = EVERYTHING,
) -> tuple[Simulation, Comparison] | Overflow:
    """Return the fastest plan of one policy for all stages, and the fastest balanced one.

    Where only the second fits, the first is the same plan with everything run again, and its
    `n_feasible` is 0. Arguments and errors are those of `simulate`.
    """
    overflow = wafer_overflow(wafer)
    if overflow:
        return overflow
    result = simulate(wafer, model, training, wanted, devices)
    it = Setting(wafer, machine_of(wafer, training, devices), model, training)
    degrees = {name: value for name, value in wanted.items() if name != "recompute"}
    plans = candidates(wafer, it.machine, model, training, degrees)
    if isinstance(result, Simulation):
        return result, balance(result, plans, without)
    comparison = compared(it, float("inf"), plans, without)
    if comparison.best is None:
        return result
    policy = wanted.get("recompute", Recompute.FULL)
    return _beside(it, comparison.best.plans, policy, len(plans)), comparison


def _beside(it: Setting, plan: Plans, policy: int, n_legal: int) -> Simulation:
    """Return a plan with one policy for all its stages, whether that fits or not."""
    uniform = replace(plan, recompute=np.full_like(plan.recompute, policy))
    result = it.evaluate(uniform)
    return Simulation(it.hardware, it.machine, it.model, it.training, result, n_legal, 0)
