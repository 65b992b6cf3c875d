"""The fastest of many plans for places that depend on what is broken, exactly."""

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from star_watos.watos.faults.groups import Shape
from star_watos.watos.faults.machine import Standing, Unhindered, worn
from star_watos.watos.iteration import Iterations, evaluate
from star_watos.watos.legal import Rectangle, plans_of_rectangles, shares
from star_watos.watos.memory import plan_bytes
from star_watos.watos.plans import Index, Ints, Plans
from star_watos.watos.simulate import choices_for, matching
from star_watos.watos.training import Training
from star_watos.watos.wafer import Wafer
from star_watos.workload import Model

TOGETHER = 16
"""Plans of which places are looked for before what they take is compared."""
BLOCKS = 8
"""Numbers of dies in so many groups, for each of which what a plan takes at least is found anew."""


@dataclass(frozen=True, eq=False)
class Candidates:
    """The plans of a wafer that fit its memory, by what they take at least."""

    model: Model
    training: Training
    plans: Plans
    least_s: NDArray[np.float64]
    """What they take on dies that never wait for other groups, ascending."""
    n_legal: int
    """Those that do not fit included."""

    @classmethod
    def of(
        cls, wafer: Wafer, model: Model, training: Training, wanted: dict[str, int]
    ) -> "Candidates":
        """Return those that have the `wanted` degrees; raises `InputError` if none is legal.

        Rectangles are not tied to a tiling: a shape has as many places as its dies fit the wafer's.
        """
        grid, n = wafer.grid, wafer.n_dies
        shapes = [
            Rectangle(rows, cols, n // (rows * cols))
            for rows in range(1, grid.rows + 1)
            for cols in range(1, grid.cols + 1)
            if shares(model, rows * cols)
        ]
        choices = choices_for(training, wanted)
        legal = plans_of_rectangles(model, shapes, training.global_batch, choices)
        plans = matching(legal, wanted)
        held = np.asarray(plan_bytes(model, training, plans))
        fitting = plans.take(held <= wafer.memory_capacity_bytes)
        seconds = np.zeros(0)
        if len(fitting):
            found = evaluate(Unhindered(wafer), model, training, fitting)
            seconds = np.asarray(found.iteration_s)
        order = np.argsort(seconds, kind="stable")
        return cls(model, training, fitting.take(order), seconds[order], len(plans))

    def take(self, rows: "Index | NDArray[np.bool_]") -> "Candidates":
        """Return some of them, in the same order."""
        return replace(self, plans=self.plans.take(rows), least_s=self.least_s[rows])

    def on(self, wafer: Wafer, cores_alive: Ints) -> "Candidates":
        """Return those that dies with so many cores alive can hold, by what they take on them.

        A plan of n dies is as slow as the slowest of the n best, at least.
        """
        usable = self.take(self.plans.devices <= len(cores_alive))
        devices, best = usable.plans.devices, np.sort(cores_alive)[::-1]
        if not len(devices) or best[-1] == wafer.die.cores.size:
            return usable
        seconds = np.zeros(len(devices))
        for block in np.array_split(np.unique(devices), BLOCKS):
            own = np.flatnonzero(np.isin(devices, block))
            if own.size:
                machine = Unhindered(worn(wafer, int(best[block[0] - 1])))
                result = evaluate(machine, self.model, self.training, usable.plans.take(own))
                seconds[own] = result.iteration_s
        order = np.argsort(seconds, kind="stable")
        return replace(usable, plans=usable.plans.take(order), least_s=seconds[order])

    def of_schedule(self, base: Plans) -> "Candidates":
        """Return those that differ from a plan in its stages and replicas only.

        A single replica has no states to split.
        """
        same: NDArray[np.bool_] = np.ones(len(self.plans), dtype=bool)
        for name in (f.name for f in fields(Plans) if f.name not in ("pp", "dp")):
            equal = getattr(self.plans, name) == getattr(base, name)[0]
            if name == "zero":
                equal = equal | (self.plans.replicas == 1)
            same &= equal
        return self.take(same)


class Placing(Protocol):
    """Where TP groups of a wafer may stand."""

    def machine(self, shape: Shape, count: int) -> Standing | None:
        """Return the machine of so many groups of a shape; None where there is no room for them."""
        ...


@dataclass(frozen=True, slots=True)
class Found:
    """A plan, where its groups stand, and what it takes."""

    machine: Standing
    iteration: Iterations
    """One row."""

    @property
    def iteration_s(self) -> float:
        """Seconds of an iteration."""
        return float(np.asarray(self.iteration.iteration_s)[0])


class _Timed(NamedTuple):
    """A plan, one row, on the groups that it uses."""

    seconds: float
    machine: Standing
    plan: Plans


def fastest(usable: Candidates, placing: Placing) -> Found | None:
    """Return the fastest plan, none if no plan has room.

    Plans are tried in the order of what they take at least, until that is more than the best takes:
    the plan is the fastest of all.
    """
    best: _Timed | None = None
    for first in range(0, len(usable.plans), TOGETHER):
        some = usable.take(np.arange(first, min(first + TOGETHER, len(usable.plans))))
        if best is not None and some.least_s[0] >= best.seconds:
            break
        here = min(_each_place(some, placing), key=lambda timed: timed.seconds, default=None)
        if here is not None and (best is None or here.seconds < best.seconds):
            best = here
    if best is None:
        return None
    return Found(best.machine, evaluate(best.machine, usable.model, usable.training, best.plan))


def _each_place(some: Candidates, placing: Placing) -> Iterator[_Timed]:
    """Yield the fastest of the plans that use the same groups."""
    plans = some.plans
    count = plans.pp * plans.replicas
    keys = np.stack([plans.tp_rows, plans.tp_cols, count], axis=-1)
    for rows, cols, used in np.unique(keys, axis=0).tolist():
        machine = placing.machine((rows, cols), used)
        if machine is not None:
            own = plans.take((keys == (rows, cols, used)).all(axis=1))
            seconds = np.asarray(evaluate(machine, some.model, some.training, own).iteration_s)
            row = int(seconds.argmin())
            yield _Timed(float(seconds[row]), machine, own.take(np.array([row])))
