"""One model to train on wafers, and the schedulers that may be left out."""

import csv
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from star_watos.cost import Overflow, number
from star_watos.watos import Choices, Dies, Plans, Recompute, Training, Wafer, plans_on
from star_watos.watos.balance import (
    Balanced,
    Part,
    Pipeline,
    best_balanced,
    played_s,
    promising,
)
from star_watos.watos.baselines import RowMajor, megatron_plans
from star_watos.watos.baselines.megatron import POLICIES
from star_watos.watos.placed import Order, Placed
from star_watos.watos.simulate import Setting, Simulation, fastest
from star_watos.workload import Model

_FILE = Path(__file__).with_name("models.csv")
MOST_EXPERT_GROUPS = 32
CENTRAL = "central-scheduler"
"""The part that chooses TP, PP and DP; without it they are Megatron-LM's."""
PARTS = (CENTRAL, *(part.value for part in Part))
"""In the order in which the papers add them."""


@dataclass(frozen=True, slots=True)
class Known:
    """A model that the paper trains."""

    model: str
    wafers: int
    paper: float | None
    """Its throughput over Megatron-LM's on the wafer."""
    source: str


def known_models() -> list[Known]:
    """Return the paper's models.

    >>> [known.model for known in known_models()][:2]
    ['llama_30b', 'llama3_70b']
    """
    with _FILE.open(encoding="utf-8", newline="") as file:
        return [
            Known(
                row["model"],
                int(row["wafers"]),
                float(row["vs_megatron_wafer"]) if row["vs_megatron_wafer"] else None,
                row["source"],
            )
            for row in csv.DictReader(file)
        ]


@dataclass(frozen=True, slots=True)
class Best:
    """The fastest plan found: one policy for all stages, or balanced."""

    iteration_s: float
    setting: Setting
    """A `Simulation` where one policy is best."""
    balanced: Balanced | None


@dataclass(frozen=True)
class Case:
    """What is trained on how many wafers."""

    wafer: Wafer
    wafers: int
    model: Model
    training: Training

    @property
    def ep(self) -> tuple[int, ...]:
        """Groups of experts that are tried."""
        powers = (2**k for k in range(MOST_EXPERT_GROUPS.bit_length()))
        return tuple(powers) if self.model.moe else (1,)

    @property
    def megatron_choices(self) -> Choices:
        """What Megatron-LM's plans may differ in."""
        return Choices(recompute=POLICIES, ep=self.ep)

    @cached_property
    def plans(self) -> Plans:
        """All legal plans."""
        dies = self.wafers * self.wafer.n_dies
        choices = Choices(ep=self.ep)
        return plans_on(self.wafer, dies, self.model, self.training.global_batch, choices)

    @cached_property
    def megatron(self) -> Simulation | Overflow:
        """Megatron-LM's fastest plan on the wafers."""
        it = (self.wafer, self.model, self.training, self.megatron_choices, self.wafers)
        machine = RowMajor(self.wafer, None, self.wafers)
        return fastest(self.wafer, machine, self.model, self.training, megatron_plans(*it))

    @cached_property
    def central(self) -> list[Simulation]:
        """The fastest plan of each order of TP groups in which any fits."""
        it = (self.model, self.training, self.plans)
        found = [fastest(self.wafer, machine, *it) for machine in self._machines]
        return [each for each in found if not isinstance(each, Overflow)]

    @property
    def missing(self) -> Overflow:
        """By how much no plan of one policy fits."""
        found = fastest(self.wafer, self._machines[0], self.model, self.training, self.plans)
        assert isinstance(found, Overflow)  # noqa: S101 (asked only where none fits)
        return found

    @property
    def rule_of_thumb(self) -> Simulation | Overflow:
        """Megatron-LM without a search: largest TP, all run again, no sequence parallelism."""
        choices = Choices(recompute=(Recompute.FULL,), sp=(0,), ep=self.ep)
        plans = megatron_plans(self.wafer, self.model, self.training, choices, self.wafers)
        machine = RowMajor(self.wafer, None, self.wafers)
        largest = plans.take(plans.tp == plans.tp.max())
        return fastest(self.wafer, machine, self.model, self.training, largest)

    @property
    def _machines(self) -> list[Dies]:
        it = (self.wafer, None, self.wafers)
        return [Dies(*it), *(Placed(*it, order) for order in Order)]

    def without(self, parts: frozenset[str]) -> Best | None:
        """Return the fastest plan that is found without some of `PARTS`; None where none fits."""
        uniform = self._uniform(parts)
        least_s = uniform.iteration_s if uniform else float("inf")
        left_out = frozenset(Part(name) for name in parts - {CENTRAL})
        if left_out == frozenset(Part):
            return uniform
        best = uniform
        for pipelines in self._promising[CENTRAL in parts]:
            worth_it = [each for each in pipelines if number(each.result.iteration_s) < least_s]
            found = best_balanced(worth_it, left_out)
            if found is not None and (best is None or found.iteration_s < best.iteration_s):
                best = Best(found.iteration_s, found.pipeline.setting, found)
        return best

    @cached_property
    def _promising(self) -> dict[bool, list[list[Pipeline]]]:
        """The plans that are balanced: of every order, and Megatron-LM's where that is kept."""
        settings = (Setting(self.wafer, it, self.model, self.training) for it in self._machines)
        most_s = self._megatron_played[0].iteration_s if self._megatron_played else float("inf")
        every = [promising(setting, self.plans, most_s) for setting in settings]
        known = [
            promising(best.setting, best.setting.iteration.plans, float("inf"))
            for best in self._megatron_played
            if isinstance(best.setting, Simulation)
        ]
        return {False: every, True: known}

    @property
    def gain(self) -> float | None:
        """Throughput over Megatron-LM's on the wafers; None where one of them does not fit."""
        best = self.without(frozenset())
        if best is None or not self._megatron_played:
            return None
        return self._megatron_played[0].iteration_s / best.iteration_s

    def _uniform(self, parts: frozenset[str]) -> Best | None:
        """Return the fastest plan of one policy; Megatron-LM's is one of them."""
        found = self._megatron_played if CENTRAL in parts else self._played
        return min(found, key=lambda best: best.iteration_s, default=None)

    @cached_property
    def _megatron_played(self) -> list[Best]:
        """Megatron-LM's plan by events, if there is one."""
        it = self.megatron
        return [] if isinstance(it, Overflow) else [Best(played_s(it), it, None)]

    @cached_property
    def _played(self) -> list[Best]:
        """The fastest plan of each order by events, and Megatron-LM's."""
        return [*self._megatron_played, *(Best(played_s(it), it, None) for it in self.central)]
