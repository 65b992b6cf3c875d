"""The formulas of a training iteration against its event simulation, on random legal plans."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from star_watos.validate import traffic
from star_watos.validate.agreement import Agreement
from star_watos.watos import (
    Choices,
    Machine,
    Plans,
    Schedule,
    Training,
    load_hardware,
    machine_of,
    plans_on,
)
from star_watos.watos.event import compare
from star_watos.workload import Model

PLANS = 1000
"""Plans of the comparison."""
MACHINES = {"watos_config3": None, "dgx_a100": 64, "dgx_h100": 256}
"""Hardware, and how many of its devices take part."""
MODELS = ("llama2_7b", "llama3_70b", "gpt3_175b")
BATCHES = {"watos_config3": 32, "dgx_a100": 32, "dgx_h100": 128}
MOST_PASSES, MOST_LAYERS = 500, 4000
"""Passes of a plan, and passes of layers where replicas hear of each: more are slow to play."""


@dataclass(frozen=True, slots=True)
class Setting:
    """What plans are drawn for."""

    hardware: str
    training: Training
    schedule: Schedule


def settings(schedule: Schedule) -> Iterator[Setting]:
    """Yield every machine and model, transfers beside the work and in turn with it."""
    for hardware in MACHINES:
        for model in MODELS:
            for overlap in (True, False):
                batch = BATCHES[hardware]
                training = Training(model=model, seq_len=2048, global_batch=batch, overlap=overlap)
                yield Setting(hardware, training, schedule)


def playable(setting: Setting) -> tuple[Machine, Model, Plans]:
    """Return machine, model and the legal plans that have few enough tasks to play many of them."""
    training, batch = setting.training, setting.training.global_batch
    hardware, model = load_hardware(setting.hardware), training.load()
    choices = Choices(zero=(0, 1, 2, 3), schedule=(setting.schedule,))
    machine = machine_of(hardware, training, MACHINES[setting.hardware])
    plans = plans_on(hardware, machine.n_devices, model, batch, choices)
    m = batch // (plans.dp * plans.microbatch)
    few = m * plans.pp * plans.virtual_stages <= MOST_PASSES
    few &= (plans.zero < 2) | (m * model.n_layers <= MOST_LAYERS)
    return machine, model, plans.take(few)


def gaps(schedule: Schedule, plans: int = PLANS // 4, seed: int = 0) -> NDArray[np.float64]:
    """Return how much longer the formulas say about `plans` random plans take, in percent."""
    rng = np.random.default_rng((seed, int(schedule)))
    every = list(settings(schedule))
    each = -(-plans // len(every))
    found = []
    for setting in every:
        machine, model, drawn = playable(setting)
        found.append(compare(machine, model, setting.training, drawn, rng, each).gap)
    return 100 * np.concatenate(found)


def document(plans: int, seed: int) -> dict[str, Any]:
    """Return the JSON document `watos-fidelity/1`."""
    found = {schedule.label: gaps(schedule, -(-plans // 4), seed) for schedule in Schedule}
    every = {"all": np.concatenate(list(found.values())), **found}
    return {
        "schema": "watos-fidelity/1",
        "cases": f"{len(every['all']):,} random legal plans, seed {seed}",
        "agreement": {name: asdict(Agreement.of(pcts)) for name, pcts in every.items()},
        "traffic": traffic.document(-(-plans * traffic.WAFERS // PLANS), seed),
    }
