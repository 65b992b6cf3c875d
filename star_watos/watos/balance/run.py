"""The fastest of the plans whose stages need not all do the same, timed by events."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from star_watos.watos.balance.parts import EVERYTHING, Part, Without
from star_watos.watos.balance.pipeline import Pipeline, Scheduled
from star_watos.watos.balance.promise import promising
from star_watos.watos.balance.refine import refined
from star_watos.watos.balance.remote import late_s, moved, remote_s
from star_watos.watos.event.iteration import play_iteration, play_work
from star_watos.watos.event.work import PlanWork, StageWork, plan_work
from star_watos.watos.layout import Layout
from star_watos.watos.plans import Plans
from star_watos.watos.simulate import Setting, Simulation

MOST_REFINED = 3
"""Of the plans that are balanced and played, how many of the fastest are refined."""


@dataclass(frozen=True)
class Balanced:
    """A plan with what each stage keeps, runs again and has others keep, and where it stands."""

    pipeline: Pipeline
    scheduled: Scheduled
    iteration_s: float
    remote_s: float
    """Of the busiest link for what a microbatch has kept elsewhere, out and back."""
    layout: Layout
    """Of one wafer."""
    cost_over_snake: float = 1.0
    """Of where stages stand: bytes times hops and those of the busiest link."""

    @property
    def plans(self) -> Plans:
        """The plan, one row."""
        return self.pipeline.plans


@dataclass(frozen=True)
class Comparison:
    """The best plan of one policy for all, and the best balanced plan, both timed by events."""

    uniform_s: float
    """Infinite where the memory of none fits."""
    best: Balanced | None
    """None where nothing that was tried is faster."""
    tried: int


def balance(simulation: Simulation, plans: Plans, without: Without = EVERYTHING) -> Comparison:
    """Return the fastest of the plans that might be faster than the simulation's.

    A plan is worth trying if it would be faster under some policy, whether that fits or not.
    """
    return compared(simulation, played_s(simulation), plans, without)


def compared(it: Setting, uniform_s: float, plans: Plans, without: Without) -> Comparison:
    """Return the fastest of the plans that might take less than the best of one policy does."""
    pipelines = promising(it, plans, uniform_s)
    best = best_balanced(pipelines, without)
    if best is not None and best.iteration_s >= uniform_s:
        best = None
    return Comparison(uniform_s, best, len(pipelines))


def played_s(simulation: Simulation) -> float:
    """Return the iteration of the simulation's plan as events time it."""
    it, run = simulation, simulation.iteration
    return play_iteration(it.machine, it.model, it.training, run.plans, run).makespan_s


def best_balanced(pipelines: Sequence[Pipeline], without: Without = EVERYTHING) -> Balanced | None:
    """Return the fastest of some plans, its stages balanced; None where the memory of none does."""
    found = _all_played(pipelines, without)
    if Part.REFINEMENT not in without:
        found += [_refined(each, without) for each in found[:MOST_REFINED]]
    best = min(found, key=lambda each: each.iteration_s, default=None)
    return best if best is None or Part.PLACEMENT in without else _placed(best)


def _all_played(pipelines: Sequence[Pipeline], without: Without) -> list[Balanced]:
    """Return the plans that may be the fastest, played, in order of their times.

    A plan takes its slowest stage's time for each microbatch at least.
    """
    found: list[Balanced] = []
    for pipeline in pipelines:
        scheduled = pipeline.scheduled(without)
        if scheduled is None:
            continue
        if not found or pipeline.least_s(scheduled) < found[0].iteration_s:
            found.append(_played(pipeline, scheduled))
            found.sort(key=lambda each: each.iteration_s)
    return found


def _refined(start: Balanced, without: Without) -> Balanced:
    """Return it with other layers a stage, where that is faster."""
    other = _played(start.pipeline, refined(start.pipeline, start.scheduled, without))
    return other if other.iteration_s < start.iteration_s else start


def _played(pipeline: Pipeline, scheduled: Scheduled) -> Balanced:
    """Return the schedule played, what is kept elsewhere holding up the slowest stage."""
    key, layout = scheduled.key, pipeline.layout
    if key not in pipeline.played_s:
        pipeline.played_s[key] = _seconds(pipeline, scheduled)
    busiest_s = remote_s(pipeline, scheduled, layout)
    n_microbatches = int(pipeline.result.n_microbatches[0])
    late = n_microbatches * late_s(pipeline, scheduled, busiest_s)
    return Balanced(pipeline, scheduled, pipeline.played_s[key] + late, busiest_s, layout)


def _seconds(pipeline: Pipeline, scheduled: Scheduled) -> float:
    """Return the iteration by events, nothing that is kept elsewhere being late."""
    it, result = pipeline.setting, pipeline.result
    work = plan_work(it.machine, it.model, it.training, pipeline.plans, result, scheduled.kind)
    return play_work(_again(work, scheduled)).makespan_s


def _placed(best: Balanced) -> Balanced:
    """Return it with stages that stand where they send least, unless the mesh is worse for it."""
    layout, cost = moved(best.pipeline, best.scheduled)
    busiest_s = remote_s(best.pipeline, best.scheduled, layout)
    before, after = (
        late_s(best.pipeline, best.scheduled, seconds) for seconds in (best.remote_s, busiest_s)
    )
    if after > before:
        return best
    return replace(best, layout=layout, remote_s=busiest_s, cost_over_snake=cost)


def _again(work: PlanWork, scheduled: Scheduled) -> PlanWork:
    """Return what a plan asks for when each stage's layers run something again."""

    def stage(own: StageWork, seconds: float) -> StageWork:
        chunks = tuple(
            tuple(
                replace(piece, backward_s=piece.backward_s + seconds)
                if piece.name == "layer"
                else piece
                for piece in chunk
            )
            for chunk in own.chunks
        )
        return replace(own, chunks=chunks)

    each = zip(work.stages, scheduled.again_s.tolist(), strict=True)
    return replace(work, stages=tuple(stage(own, seconds) for own, seconds in each))
