"""One machine, one workload: the best plan that is legal and fits."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from star_watos.cost import Column, Overflow
from star_watos.errors import InputError
from star_watos.watos.hardware import Hardware, machine_of, plans_on
from star_watos.watos.iteration import Iterations, evaluate, total
from star_watos.watos.legal import Choices
from star_watos.watos.machine import Machine
from star_watos.watos.memory import plan_bytes
from star_watos.watos.plans import Plans, Recompute, Schedule
from star_watos.watos.silicon import area_mm2, cost_usd, die_yield, overflows
from star_watos.watos.training import Training
from star_watos.watos.wafer import Wafer
from star_watos.workload import Model

BEYOND_USUAL = ("schedule", "virtual_stages", "cp", "ep")
"""Choices that are tried only where they are asked for."""


@dataclass(frozen=True, slots=True)
class Setting:
    """What is trained on what."""

    hardware: Hardware
    machine: Machine
    model: Model
    training: Training

    def evaluate(self, plans: Plans) -> Iterations:
        """Return what plans take."""
        return evaluate(self.machine, self.model, self.training, plans)


@dataclass(frozen=True, slots=True)
class Simulation(Setting):
    """The chosen plan's iteration (columns of length one) and what it was chosen from."""

    iteration: Iterations
    n_legal: int
    n_feasible: int
    event_s: float | None = None
    """The iteration by events, where its times are theirs."""


def metrics(machine: Machine, training: Training, result: Iterations) -> dict[str, Column]:
    """Return the figures by which plans are compared, one row a plan."""
    iteration_s = result.iteration_s
    tokens = float(training.global_batch * training.seq_len)
    energy = total(result.energy_j)
    peak = machine.n_devices * machine.device_flops_per_s
    return {
        "iteration_s": iteration_s,
        "tokens_per_s": tokens / iteration_s,
        "flops_per_s_per_die": result.model_flops / iteration_s / machine.n_devices,
        "mfu": result.model_flops / iteration_s / peak,
        "hfu": result.hardware_flops / iteration_s / peak,
        "memory_per_die_bytes": result.memory_bytes,
        "memory_headroom_bytes": machine.memory_bytes - result.memory_bytes,
        "energy_per_token_j": energy / tokens,
        "power_w": energy / iteration_s,
    }


def wafer_metrics(wafer: Wafer) -> dict[str, float]:
    """Return the figures that depend on the wafer alone."""
    return {
        "memory_capacity_bytes": wafer.memory_capacity_bytes,
        "area_mm2": sum(area_mm2(wafer).values()),
        "wafer_cost_usd": cost_usd(wafer),
        "yield": die_yield(wafer),
    }


def wafer_overflow(wafer: Wafer) -> Overflow | None:
    """Return what of the wafer itself does not fit, the worst, if anything: see `overflows`."""
    return max(overflows(wafer), key=lambda o: o.excess, default=None)


def simulate(
    hardware: Hardware,
    model: Model,
    training: Training,
    wanted: dict[str, int],
    devices: int | None = None,
) -> Simulation | Overflow:
    """Return the fastest plan (then the one of least energy) that has the `wanted` degrees.

    `wanted` maps names of `Plans`' columns, or `tp`, to values; `devices` is how many GPUs of a
    cluster, or at most how many dies, take part. What does not fit, the wafer or every plan's
    memory, is returned as an `Overflow`. Raises `InputError` if no plan is legal.
    """
    overflow = wafer_overflow(hardware) if isinstance(hardware, Wafer) else None
    if overflow:
        return overflow
    machine = machine_of(hardware, training, devices)
    plans = candidates(hardware, machine, model, training, wanted)
    return fastest(hardware, machine, model, training, plans)


def fastest(
    hardware: Hardware, machine: Machine, model: Model, training: Training, plans: Plans
) -> Simulation | Overflow:
    """Return the fastest of `plans` (then the one of least energy), or by how much none fits."""
    held = np.asarray(plan_bytes(model, training, plans, machine.framework))
    fits = held <= machine.memory_bytes
    if not fits.any():
        least = float(held.min())
        device = "die" if isinstance(hardware, Wafer) else "GPU"
        return Overflow(f"memory of the fullest {device}", least, machine.memory_bytes, "B")
    fitting = plans.take(fits)
    result = evaluate(machine, model, training, fitting)
    columns = (total(result.energy_j), result.iteration_s)
    best = fitting.take(np.lexsort([np.asarray(column) for column in columns])[:1])
    chosen = evaluate(machine, model, training, best)
    return Simulation(hardware, machine, model, training, chosen, len(plans), int(fits.sum()))


def candidates(
    hardware: Hardware,
    machine: Machine,
    model: Model,
    training: Training,
    wanted: dict[str, int],
) -> Plans:
    """Return the legal plans of a machine that have the `wanted` degrees; see `matching`."""
    choices = choices_for(training, wanted)
    legal = plans_on(hardware, machine.n_devices, model, training.global_batch, choices)
    return matching(legal, wanted)


def choices_for(training: Training, wanted: dict[str, int]) -> Choices:
    """Return what plans may differ in: the usual, and what is asked for beside."""
    usual = Choices()
    asked = {name: (wanted[name],) for name in Choices.__slots__ if name in wanted}
    if wanted.get("virtual_stages", 1) > 1:
        asked.setdefault("schedule", (int(Schedule.INTERLEAVED),))
    beyond: dict[str, tuple[int, ...]] = {
        name: asked[name] for name in BEYOND_USUAL if name in asked
    }
    if training.attention == "unfused" or Recompute.SELECTIVE in asked.get("recompute", ()):
        beyond["recompute"] = tuple(Recompute)
    zero = (*usual.zero, *(z for z in asked.get("zero", ()) if z not in usual.zero))
    return replace(usual, **beyond | {"zero": zero})


def matching(plans: Plans, wanted: dict[str, int]) -> Plans:
    """Return the plans that have every wanted value; raises `InputError` naming what is possible.

    Wishes are applied one after the other, so the message names the first that cannot be met
    beside those before it.
    """
    if not len(plans):
        said = " ".join(_option(name, value) for name, value in wanted.items()) or "the workload"
        raise InputError.of(said, "no legal plan: nothing splits model, batch and devices so")
    rows: NDArray[np.bool_] = np.ones(len(plans), dtype=bool)
    for name, value in wanted.items():
        column = getattr(plans, name)
        here = rows & (column == value)
        if not here.any():
            possible = np.unique(column[rows])[:20].tolist()
            legal = ", ".join(_wish(name, number)[1] for number in possible)
            text = f"no legal plan has it; possible: {legal}"
            raise InputError.of(_option(name, value), text)
        rows = here
    return plans.take(rows)


def _option(name: str, value: int) -> str:
    return " ".join(_wish(name, value)).strip()


def _wish(name: str, value: int) -> tuple[str, str]:
    """Return the option for a value of a column, and the value, as users write them."""
    match name:
        case "tp_rows":
            return "--tp-shape", f"{value}x?"
        case "tp_cols":
            return "--tp-shape", f"?x{value}"
        case "sp":
            return "", "--sp" if value else "--no-sp"
        case "schedule":
            return "--schedule", Schedule(value).label
        case "recompute":
            return "--recompute", Recompute(value).label
        case _:
            return f"--{name.replace('_', '-')}", str(value)
