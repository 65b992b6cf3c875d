"""The formulas of a training iteration against its transfers as flows, on random wafers."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from star_watos.cost import number
from star_watos.validate.agreement import Agreement
from star_watos.watos import (
    Choices,
    Dies,
    Plans,
    Schedule,
    Training,
    Wafer,
    evaluate,
    legal_plans,
    load_hardware,
)
from star_watos.watos.event import play_iteration
from star_watos.watos.event.mesh import play_on_mesh
from star_watos.workload import Model

WAFERS = 300
"""Wafers of the comparison, each with one plan."""
TEMPLATE = "watos_config3"
MODELS = ("llama2_7b", "llama3_8b", "llama3_70b", "gpt3_175b")
"""Of which 2 to 8 layers are taken."""
SCHEDULES = (Schedule.ONE_F_ONE_B,) * 7 + (
    Schedule.INTERLEAVED,
    Schedule.GPIPE,
    Schedule.ZERO_BUBBLE,
)
MOST_MICROBATCHES, MOST_STAGES = 8, 6
LEAST_DIES = 0.5
"""Share of the wafer that a plan has at least: fewer dies are in nobody's way."""


@dataclass(frozen=True, slots=True)
class Seconds:
    """An iteration three times."""

    formulas: float
    tasks: float
    """Played task by task, each transfer taking what the formulas say."""
    traffic: float
    """Played with its transfers on the links."""

    @property
    def gap_pct(self) -> float:
        """How much longer the formulas say it takes, in percent.

        >>> Seconds(formulas=3.0, tasks=2.5, traffic=2.0).gap_pct
        50.0
        """
        return 100 * (self.formulas / self.traffic - 1)

    @property
    def transfers_pct(self) -> float:
        """How much of it is because of transfers, not of the order of tasks.

        >>> Seconds(formulas=3.0, tasks=2.5, traffic=2.0).transfers_pct
        25.0
        """
        return 100 * (self.tasks / self.traffic - 1)


@dataclass(frozen=True, slots=True)
class Case:
    """A wafer, what is trained on it, and one plan."""

    machine: Dies
    model: Model
    training: Training
    plan: Plans

    def seconds(self) -> Seconds:
        """Return how long the iteration takes."""
        given = (self.machine, self.model, self.training, self.plan)
        result = evaluate(*given)
        return Seconds(
            formulas=number(result.iteration_s),
            tasks=play_iteration(*given, result).makespan_s,
            traffic=play_on_mesh(*given, result).played.total_s,
        )


def cases(n: int, seed: int) -> Iterator[Case]:
    """Yield random cases; the first ones are the same however many there are."""
    rng = np.random.default_rng((seed, WAFERS))
    found = 0
    while found < n:
        case = _drawn(rng)
        if case:
            found += 1
            yield case


def document(wafers: int, seed: int) -> dict[str, Any]:
    """Return the part of the JSON document that is about traffic."""
    found = [case.seconds() for case in cases(wafers, seed)]
    rows = {
        "with traffic on the mesh": Agreement.of(each.gap_pct for each in found),
        "of which transfers": Agreement.of(each.transfers_pct for each in found),
    }
    return {
        "cases": f"{len(found):,} random wafers and plans, transfers on the mesh, seed {seed}",
        "agreement": {name: asdict(row) for name, row in rows.items()},
    }


def _drawn(rng: np.random.Generator) -> Case | None:
    """Return a random case, or nothing where no legal plan has enough of the wafer's dies."""
    machine = Dies(_wafer(rng))
    overlap = bool(rng.random() < 0.7)
    training = Training(
        model=str(rng.choice(MODELS)),
        seq_len=int(2 ** rng.integers(9, 13)),
        global_batch=int(rng.choice([4, 6, 8, 12, 16, 24, 32])),
        overlap=overlap,
    )
    model = replace(training.load(), n_layers=int(rng.integers(2, 9)))
    schedule = SCHEDULES[rng.integers(len(SCHEDULES))]
    every = legal_plans(
        model, machine.wafer.grid, training.global_batch, Choices(schedule=(schedule,))
    )
    plans = every.take(_playable(every, machine, training.global_batch))
    if not len(plans):
        return None
    return Case(machine, model, training, plans.take(rng.integers(len(plans), size=1)))


def _playable(plans: Plans, machine: Dies, batch: int) -> NDArray[np.bool_]:
    """Whether plans have few enough passes to play them quickly, and enough dies."""
    few = batch // (plans.dp * plans.microbatch) <= MOST_MICROBATCHES
    few &= plans.pp <= MOST_STAGES
    playable: NDArray[np.bool_] = few & (plans.devices >= LEAST_DIES * machine.n_devices)
    return playable


def _wafer(rng: np.random.Generator) -> Wafer:
    """Return a random wafer: 4 to 36 dies of other sizes, memories and links."""
    rows, cols = rng.integers(2, 7, size=2)
    d2d = 0.25e12 * 32 ** rng.random()
    stack = 0.125e12 * 16 ** rng.random()
    latency = 1e-8 * 100 ** rng.random()
    cores = rng.integers(6, 25)
    overrides = [
        f"grid.rows={rows}",
        f"grid.cols={cols}",
        f"d2d.bandwidth={d2d!r}",
        f"d2d.latency={latency!r}",
        f"dram.stack_bandwidth={stack!r}",
        f"die.cores.rows={cores}",
        f"die.cores.cols={cores}",
    ]
    wafer = load_hardware(TEMPLATE, overrides)
    assert isinstance(wafer, Wafer)  # noqa: S101 (the template is one)
    return wafer
