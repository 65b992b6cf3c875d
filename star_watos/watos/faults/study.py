"""A wafer that trains a model, and what either schedule makes of it when parts break."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from star_watos.cost import Overflow
from star_watos.watos.faults.draw import Damage, Faults
from star_watos.watos.faults.placing import Anywhere, Fixed
from star_watos.watos.faults.search import Candidates, Found, fastest
from star_watos.watos.simulate import Simulation, simulate
from star_watos.watos.training import Training
from star_watos.watos.wafer import Wafer
from star_watos.workload import Model


@dataclass(frozen=True, slots=True)
class Outcome:
    """What schedules take on what is left; None where nothing fits."""

    damage: Damage
    robust: Found | None
    """The fastest of all plans, its groups placed anew."""
    replanned: Found | None
    """The fastest of all plans on their fixed tilings."""
    fixed: Found | None
    """The plan of the healthy wafer on its tiling, with other stages and replicas."""


@dataclass(frozen=True)
class Study:
    """A wafer and what it trains, looked at once for all that may break."""

    healthy: Simulation
    """The plan of the wafer of which nothing is broken."""
    candidates: Candidates

    @classmethod
    def of(
        cls, wafer: Wafer, model: Model, training: Training, wanted: dict[str, int]
    ) -> "Study | Overflow":
        """Return it for plans that have the `wanted` degrees, or why none fits the whole wafer.

        Raises `InputError` if no plan is legal.
        """
        healthy = simulate(wafer, model, training, wanted)
        if isinstance(healthy, Overflow):
            return healthy
        return cls(healthy, Candidates.of(wafer, model, training, wanted))

    @property
    def wafer(self) -> Wafer:
        """The wafer."""
        hardware = self.healthy.hardware
        assert isinstance(hardware, Wafer)  # noqa: S101 (it is made of one)
        return hardware

    @cached_property
    def kept(self) -> Candidates:
        """The plans between which the schedule that is not robust may choose."""
        return self.candidates.of_schedule(self.healthy.iteration.plans)

    @cached_property
    def healthy_s(self) -> float:
        """Seconds of the fixed schedule where nothing is broken, its transfers on the mesh."""
        found = self.fixed(Faults().on(self.wafer))
        assert found is not None  # noqa: S101 (the healthy plan is one of its plans)
        return found.iteration_s

    def fixed(self, damage: Damage) -> Found | None:
        """Return the best that the schedule of the healthy wafer makes of what is left."""
        return fastest(self._on(self.kept, damage), Fixed(self.wafer, damage))

    def outcome(self, damage: Damage) -> Outcome:
        """Return what all schedules make of it; each may take what one before it does."""
        usable = self._on(self.candidates, damage)
        fixed = self.fixed(damage)
        replanned = _faster(fixed, fastest(usable, Fixed(self.wafer, damage)))
        anywhere = fastest(usable, Anywhere.on(self.wafer, damage))
        return Outcome(damage, _faster(replanned, anywhere), replanned, fixed)

    def _on(self, candidates: Candidates, damage: Damage) -> Candidates:
        return candidates.on(self.wafer, damage.cores_alive[damage.mesh.nodes])

    def simulation(self, outcome: Outcome) -> Simulation | Overflow:
        """Return the robust schedule as the simulation of a plan, or which groups have no room."""
        usable = self._on(self.candidates, outcome.damage)
        if outcome.robust is None:
            return self._no_room(outcome.damage)
        return replace(
            self.healthy,
            machine=outcome.robust.machine,
            iteration=outcome.robust.iteration,
            n_legal=self.candidates.n_legal,
            n_feasible=len(usable.plans),
        )

    def _no_room(self, damage: Damage) -> Overflow:
        """Return by how much there are too few dies, or places, for the plan of the fewest dies."""
        plans = self.candidates.plans
        least = plans.take(np.array([plans.devices.argmin()]))
        need = int(least.devices[0])
        name = "the smallest plan that memory is enough for"
        if need > damage.n_dies:
            return Overflow(name, need, damage.n_dies, "dies")
        rows, cols = int(least.tp_rows[0]), int(least.tp_cols[0])
        have = Anywhere.on(self.wafer, damage).most((rows, cols))
        return Overflow(
            f"{name}, in TP groups of {rows} x {cols},", need, have * rows * cols, "dies"
        )

    @property
    def healthy_tokens_per_s(self) -> float:
        """Throughput of the healthy wafer, in `healthy_s`."""
        training = self.healthy.training
        return training.global_batch * training.seq_len / self.healthy_s

    def tokens_per_s(self, found: Found | None) -> float:
        """Return the throughput; 0 where nothing fits."""
        training = self.healthy.training
        tokens = training.global_batch * training.seq_len
        return 0.0 if found is None else tokens / found.iteration_s


def _faster(one: Found | None, other: Found | None) -> Found | None:
    """Return the faster, the first of equal ones."""
    found = [each for each in (one, other) if each is not None]
    return min(found, key=lambda each: each.iteration_s, default=None)
