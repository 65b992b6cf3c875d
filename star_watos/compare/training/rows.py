"""One model under every strategy, with parts of the scheduler added and left out."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from star_watos.compare.training.case import PARTS, Best, Case, Known
from star_watos.compare.training.trained import Trained, of_best, of_simulation, of_streamed
from star_watos.cost import Overflow
from star_watos.watos import Simulation
from star_watos.watos.baselines import megatron_gpu, weight_streaming, worth

STEPS = ("Megatron on the wafer", *(f"+ {name}" for name in PARTS))
"""Of the ladder: what each adds to all before it."""
Parts = frozenset[str]
ALL: Parts = frozenset(PARTS)


@dataclass(frozen=True)
class Row:
    """A model, and what each strategy makes of it; what does not fit says so instead."""

    known: Known
    case: Case

    @cached_property
    def found(self) -> dict[Parts, Best | None]:
        """The fastest plans without the parts that are left out, of all ladders and ablations.

        What is found with less is a way for more: nothing is slower for a part that is there.
        """
        ladder = [frozenset(PARTS[i:]) for i in range(len(PARTS) + 1)]
        asked = dict.fromkeys([*ladder, *(frozenset({name}) for name in PARTS)])
        each = {parts: self.case.without(parts) for parts in asked}
        return {
            parts: fastest_of(best for other, best in each.items() if other >= parts)
            for parts in asked
        }

    @cached_property
    def trained(self) -> dict[str, Trained | Overflow]:
        """Every strategy's figures."""
        return {
            "watos": self._watos(),
            "megatron_wafer": _of(self.case.megatron),
            "megatron_gpu": self.on_gpus([]),
            "weight_streaming": self.streamed(self.case),
        }

    def _watos(self) -> Trained | Overflow:
        best = self.found[frozenset()]
        return self.case.missing if best is None else of_best(best)

    def on_gpus(self, overrides: list[str]) -> Trained | Overflow:
        """Return Megatron-LM's plan on GPUs that are worth the wafers."""
        it = self.case
        cluster = worth(it.wafer, it.wafers, overrides)
        return _of(megatron_gpu(cluster, it.model, it.training, it.megatron_choices))

    def streamed(self, case: Case) -> Trained | Overflow:
        """Return weight streaming of a case."""
        way = weight_streaming(case.wafer, case.model, case.training, case.wafers)
        return way if isinstance(way, Overflow) else of_streamed(case, way)

    def ratio(self, over: str) -> float | None:
        """Return the throughput over another strategy's, where both fit."""
        ours, other = self.trained["watos"], self.trained[over]
        if isinstance(ours, Overflow) or isinstance(other, Overflow):
            return None
        return ours.tokens_per_s / other.tokens_per_s

    @property
    def ladder(self) -> list[float | None]:
        """Speedup of each of `STEPS` over the first; None where nothing fits."""
        return [self.speedup(frozenset(PARTS[i:])) for i in range(len(PARTS) + 1)]

    def speedup(self, without: Parts) -> float | None:
        """Return the throughput without some parts over Megatron-LM's plan."""
        base, best = self.found[ALL], self.found[without]
        return None if base is None or best is None else base.iteration_s / best.iteration_s


def _of(simulation: Simulation | Overflow) -> Trained | Overflow:
    return simulation if isinstance(simulation, Overflow) else of_simulation(simulation)


def fastest_of(found: Iterable[Best | None]) -> Best | None:
    """Return the fastest of what was found."""
    return min((best for best in found if best), key=lambda best: best.iteration_s, default=None)
