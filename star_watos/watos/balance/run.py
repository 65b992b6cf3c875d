"""A plan whose stages keep and run again what is best for the slowest, timed by events."""

from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from star_watos.cost import Overflow, number
from star_watos.fabric import Mesh
from star_watos.fabric.flows import busiest_s
from star_watos.watos.balance.layer import operators_of, stages_of
from star_watos.watos.balance.operators import Options
from star_watos.watos.balance.place import Ground, placed
from star_watos.watos.balance.schedule import Balance, Stage, balanced, stage_tables
from star_watos.watos.event.iteration import play_iteration, play_work
from star_watos.watos.event.work import PlanWork, StageWork, plan_work
from star_watos.watos.iteration import Iterations, evaluate
from star_watos.watos.placement import stage_places
from star_watos.watos.plans import Plans, Recompute
from star_watos.watos.simulate import Simulation, candidates
from star_watos.watos.wafer import Wafer

MOST_TRIED = 12
"""Plans that are balanced and played, most promising first."""


@dataclass(frozen=True)
class Balanced:
    """A plan with what each stage keeps, runs again and has others keep."""

    plans: Plans
    """One row."""
    stages: list[Stage]
    options: Options
    balance: Balance
    iteration_s: float
    remote_s: float
    """Of the busiest link for what a microbatch has kept elsewhere, out and back."""
    nodes: NDArray[np.intp]
    """First die of each stage, counted row by row."""
    cost_over_snake: float
    """Of where stages stand: bytes times hops and those of the busiest link."""

    @property
    def memory_bytes(self) -> NDArray[np.float64]:
        """What each stage holds on a die beside weights and states, for others included."""
        _, held = stage_tables(self.stages, self.options)
        own = held[np.arange(len(self.stages)), self.balance.option]
        parked = self.balance.parked_bytes
        total: NDArray[np.float64] = own - parked.sum(axis=1) + parked.sum(axis=0)
        return total


@dataclass(frozen=True)
class Comparison:
    """The best plan of one policy for all, and the best balanced plan, both timed by events."""

    uniform_s: float
    best: Balanced | None
    """None where nothing that was tried is faster."""
    tried: int


def balance(simulation: Simulation, wanted: dict[str, int]) -> Comparison:
    """Return the fastest of the plans that might be faster if less were run again.

    A plan is worth trying if it would be faster under some policy, whether that fits or not.
    `wanted` are its degrees, as in `simulate`; a policy among them is not.
    """
    uniform_s = _played_s(simulation, simulation.iteration)
    promising = _promising(simulation, wanted, uniform_s)
    found = [
        _balanced(simulation, promising.take(np.array([row]))) for row in range(len(promising))
    ]
    fitting = [each for each in found if each is not None and each.iteration_s < uniform_s]
    best = min(fitting, key=lambda each: each.iteration_s, default=None)
    if best is not None:
        best = _placed(simulation, best)
    return Comparison(uniform_s, best, len(promising))


def _promising(it: Simulation, wanted: dict[str, int], uniform_s: float) -> Plans:
    """Return the plans that would be fastest if all fitted, nothing being run again in them."""
    degrees = {name: value for name, value in wanted.items() if name != "recompute"}
    plans = candidates(it.hardware, it.machine, it.model, it.training, degrees)
    seconds = np.asarray(evaluate(it.machine, it.model, it.training, plans).iteration_s)
    order = np.argsort(seconds, kind="stable")
    faster = plans.take(order[seconds[order] < uniform_s])
    plain = replace(faster, recompute=np.full_like(faster.recompute, Recompute.NONE))
    first, _ = plain.distinct(*(f.name for f in fields(Plans)))
    return plain.take(np.sort(first)[:MOST_TRIED])


def _played_s(simulation: Simulation, run: Iterations) -> float:
    """Return the iteration of one plan as events time it."""
    it = simulation
    return play_iteration(it.machine, it.model, it.training, run.plans, run).makespan_s


def _balanced(it: Simulation, plans: Plans) -> Balanced | None:
    """Return one plan balanced and played; None where its activations do not fit the wafer."""
    assert isinstance(it.hardware, Wafer)  # noqa: S101 (the caller's)
    result = evaluate(it.machine, it.model, it.training, plans)
    stages = stages_of(it.machine, it.model, it.training, plans, result)
    options = Options.of(operators_of(it.machine, it.model, it.training, plans))
    nodes = _snake(it.hardware, plans, int(plans.pp[0]))
    found = balanced(stages, options, _hops(it.hardware, nodes))
    if isinstance(found, Overflow):
        return None
    work = plan_work(it.machine, it.model, it.training, plans, result)
    seconds = play_work(_again(work, options.again_s[found.option])).makespan_s
    remote_s = _remote_s(it.hardware, plans, stages, found, nodes)
    late_s = max(remote_s - found.slowest_s, 0.0) * work.n_microbatches
    return Balanced(plans, stages, options, found, seconds + late_s, remote_s, nodes, 1.0)


def _snake(wafer: Wafer, plans: Plans, count: int) -> NDArray[np.intp]:
    """Return the first dies of so many places for stages, replicas side by side, on the snake."""
    shape = int(plans.tp_rows[0]), int(plans.tp_cols[0])
    places = np.array(stage_places(wafer.grid, shape, count, int(plans.replicas[0])))
    nodes: NDArray[np.intp] = places @ np.array([wafer.grid.cols, 1])
    return nodes


def _hops(wafer: Wafer, nodes: NDArray[np.intp]) -> NDArray[np.float64]:
    """Return the hops between dies."""
    place = np.stack(np.divmod(nodes, wafer.grid.cols), axis=-1)
    hops: NDArray[np.intp] = np.abs(place[:, None] - place).sum(axis=-1)
    return hops.astype(np.float64)


def _placed(it: Simulation, best: Balanced) -> Balanced:
    """Return a plan whose stages stand where they send least; neighbours no farther than before.

    Stages pass their activations on and gradients back, and send away and take back what others
    keep.
    """
    assert isinstance(it.hardware, Wafer)  # noqa: S101 (the caller's)
    wafer, plans, pp = it.hardware, best.plans, int(best.plans.pp[0])
    boundary = evaluate(it.machine, it.model, it.training, plans).layer.boundary_bytes
    away = best.balance.parked_bytes / np.array([[s.in_flight] for s in best.stages])
    passed = np.eye(pp, k=1) * number(boundary)
    slots = wafer.grid.size // int(plans.tp[0] * plans.replicas[0])
    nodes = _snake(wafer, plans, slots)
    snake_hops = _hops(wafer, best.nodes)
    farthest = float(np.diagonal(snake_hops, offset=1).max(initial=0.0))
    mesh = Mesh(wafer.grid.rows, wafer.grid.cols)
    ground = Ground.of(mesh, nodes, away + away.T + passed + passed.T, farthest)
    start = np.arange(pp)
    order = placed(ground, start)
    before, after = ground.costs(np.stack([start, order]))
    remote_s = _remote_s(wafer, plans, best.stages, best.balance, nodes[order])
    if remote_s > max(best.remote_s, best.balance.slowest_s):
        return best
    return replace(
        best, nodes=nodes[order], remote_s=remote_s, cost_over_snake=float(after / before)
    )


def _again(work: PlanWork, again_s: NDArray[np.float64]) -> PlanWork:
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

    stages = (stage(own, float(s)) for own, s in zip(work.stages, again_s, strict=True))
    return replace(work, stages=tuple(stages))


def _remote_s(
    wafer: Wafer,
    plans: Plans,
    stages: list[Stage],
    found: Balance,
    nodes: NDArray[np.intp],
) -> float:
    """Return the seconds of the busiest link for what a microbatch has kept elsewhere.

    Every die of a stage sends to the die of the same place of its helper, and has it back; both
    ways of the links are used once a microbatch.
    """
    senders, helpers = np.nonzero(found.parked_bytes)
    if not len(senders):
        return 0.0
    mesh = Mesh(wafer.grid.rows, wafer.grid.cols, wafer.d2d.link_bytes_per_s)
    rows, cols = np.divmod(np.arange(int(plans.tp[0])), int(plans.tp_cols[0]))
    inside = rows * mesh.cols + cols
    source, target = (np.add.outer(nodes[ends], inside).ravel() for ends in (senders, helpers))
    in_flight = np.array([stage.in_flight for stage in stages])[senders]
    each = np.repeat(found.parked_bytes[senders, helpers] / in_flight, len(inside))
    both = np.concatenate([source, target]), np.concatenate([target, source])
    return busiest_s(mesh, mesh.routes(*both), np.tile(each, 2))
