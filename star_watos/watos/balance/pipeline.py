"""One plan's pipeline, whose stages run again and keep what is best for the slowest."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from star_watos.cost import Overflow
from star_watos.watos.balance.layer import operators_of, stages_of
from star_watos.watos.balance.operators import Options
from star_watos.watos.balance.parts import EVERYTHING, Part, Without
from star_watos.watos.balance.schedule import Balance, Stage, balanced, stage_tables
from star_watos.watos.dies import Dies
from star_watos.watos.iteration import Iterations
from star_watos.watos.layout import Layout
from star_watos.watos.plans import Ints, Plans
from star_watos.watos.simulate import Setting
from star_watos.watos.stages import StageKind, every_stage


@dataclass(frozen=True)
class Scheduled:
    """What each stage keeps, runs again and has others keep."""

    kind: StageKind
    """Layers and ends of each stage."""
    stages: list[Stage]
    options: Options
    balance: Balance

    @property
    def layers(self) -> Ints:
        """Layers of each stage."""
        return self.kind.layers

    @property
    def again_s(self) -> NDArray[np.float64]:
        """What a layer of each stage runs again for, in seconds."""
        return self.options.again_s[self.balance.option]

    @property
    def memory_bytes(self) -> NDArray[np.float64]:
        """What each stage holds on a die beside weights and states, for others included."""
        _, held = stage_tables(self.stages, self.options)
        own = held[np.arange(len(self.stages)), self.balance.option]
        parked = self.balance.parked_bytes
        total: NDArray[np.float64] = own - parked.sum(axis=1) + parked.sum(axis=0)
        return total

    @property
    def key(self) -> bytes:
        """What decides how long it takes: layers and what is run again, by stage."""
        return self.layers.tobytes() + self.balance.option.tobytes()

    @property
    def away_bytes(self) -> NDArray[np.float64]:
        """What stages have each other keep of one microbatch, [stages, stages]."""
        in_flight = np.array([[stage.in_flight] for stage in self.stages])
        each: NDArray[np.float64] = self.balance.parked_bytes / in_flight
        return each


@dataclass(frozen=True, eq=False)
class Pipeline:
    """A plan and what scheduling its stages needs to know."""

    setting: Setting
    plans: Plans
    """One row."""
    result: Iterations
    """Of the plan by itself, nothing being run again."""
    options: Options
    layout: Layout
    """Of one wafer; each has as many stages."""
    played_s: dict[bytes, float] = field(default_factory=dict)
    """What schedules took by events, by their `key`: the same are not played again."""

    @classmethod
    def of(cls, it: Setting, plans: Plans) -> "Pipeline":
        """Return the pipeline of a plan on wafers."""
        machine = it.machine
        assert isinstance(machine, Dies)  # noqa: S101 (only wafers are balanced)
        options = Options.of(operators_of(machine, it.model, it.training, plans))
        return cls(it, plans, it.evaluate(plans), options, machine.layout(plans))

    @property
    def pp(self) -> int:
        """Stages on all wafers."""
        return int(self.plans.pp[0])

    def scheduled(
        self, without: Without = EVERYTHING, layers: Ints | None = None
    ) -> Scheduled | None:
        """Return the best for the slowest stage; None where the memory does not do for it.

        `layers` are those of each stage; left out, as many as can be equal.
        """
        it = self.setting
        kind = every_stage(it.model, self.pp, layers=layers)
        stages = stages_of(it.machine, it.model, it.training, self.plans, self.result, kind)
        uniform, pools = Part.RECOMPUTE in without, self._pools(without)
        found = balanced(stages, self.options, self._hops, pools, uniform=uniform)
        return None if isinstance(found, Overflow) else Scheduled(kind, stages, self.options, found)

    def least_s(self, scheduled: Scheduled) -> float:
        """Return what an iteration takes at least: all microbatches on the slowest stage."""
        return int(self.result.n_microbatches[0]) * scheduled.balance.slowest_s

    @property
    def on_one(self) -> int:
        """Stages on one wafer."""
        return len(self.layout.dies)

    def _pools(self, without: Without) -> NDArray[np.intp]:
        """Return who keeps things for whom: the stages of a wafer, or nobody."""
        stage = np.arange(self.pp)
        return stage if Part.MEMORY in without else stage // self.on_one

    @property
    def _hops(self) -> NDArray[np.float64]:
        """Hops between stages, as those of one wafer stand."""
        hops, wafers = self.layout.stage_hops(), self.pp // self.on_one
        return np.tile(hops, (wafers, wafers))
