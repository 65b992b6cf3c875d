"""What stages send each other over the mesh, and where they stand for it."""

import numpy as np
from numpy.typing import NDArray

from star_watos.cost import number
from star_watos.fabric.flows import busiest_s
from star_watos.watos.balance.pipeline import Pipeline, Scheduled
from star_watos.watos.balance.place import Ground, placed
from star_watos.watos.dies import Dies
from star_watos.watos.layout import Layout
from star_watos.watos.placed import Placed
from star_watos.watos.placement import on_snake


def remote_s(pipeline: Pipeline, scheduled: Scheduled, layout: Layout) -> float:
    """Return the seconds of the busiest link for what a microbatch has kept elsewhere.

    Every die of a stage sends to the die of the same place of its helper, and has it back; both
    ways of the links are used once a microbatch. Of several wafers it is the worst.
    """
    n, away = pipeline.on_one, scheduled.away_bytes
    firsts = range(0, pipeline.pp, n)
    return max(_wafer_s(pipeline, layout, away[i : i + n, i : i + n]) for i in firsts)


def late_s(pipeline: Pipeline, scheduled: Scheduled, link_s: float) -> float:
    """Return by how much what is kept elsewhere takes longer than the slowest stage, a microbatch.

    The busiest link is taken to have the collectives of a stage to carry too, in turn; the DRAM of
    each die its own stage's traffic and what it writes and reads for others.
    """
    layer, machine = pipeline.result.layer, pipeline.setting.machine
    links = link_s + scheduled.layers.max() * number(layer.comm_s)
    own = scheduled.layers * number(layer.work.dram_bytes)
    others = 2 * scheduled.away_bytes.sum(axis=0)
    dram = np.where(others > 0, own + others, 0.0).max() / machine.memory_bytes_per_s
    busy = max(links if link_s > 0 else 0.0, float(dram))
    return max(busy - scheduled.balance.slowest_s, 0.0)


def _wafer_s(pipeline: Pipeline, layout: Layout, away: NDArray[np.float64]) -> float:
    """Return those of one wafer, whose stages have each other keep so much."""
    senders, helpers = np.nonzero(away)
    if not len(senders):
        return 0.0
    machine = pipeline.setting.machine
    assert isinstance(machine, Dies)  # noqa: S101 (only wafers are balanced)
    source, target = layout.dies[senders], layout.dies[helpers]
    each = np.broadcast_to(away[senders, helpers][:, None, None], source.shape).ravel()
    both = np.stack([source, target]).ravel(), np.stack([target, source]).ravel()
    mesh, moved_bytes = layout.mesh, np.tile(each, 2)
    return busiest_s(mesh, mesh.routes(*both), moved_bytes) / machine.wafer.d2d.link_bytes_per_s


def moved(pipeline: Pipeline, scheduled: Scheduled) -> tuple[Layout, float]:
    """Return where stages send least, neighbours no farther than on the snake, and the cost of it.

    Stages pass their activations on and gradients back, and send away and take back what others
    keep. The cost is over the snake's. Pipelines that stand apart, and several wafers, stay.
    """
    machine, plans, snake = pipeline.setting.machine, pipeline.plans, pipeline.layout
    replicas = int(plans.replicas[0])
    assert isinstance(machine, Dies)  # noqa: S101 (only wafers are balanced)
    if machine.wafers > 1 or (isinstance(machine, Placed) and replicas > 1):
        return snake, 1.0
    passed = np.eye(pipeline.pp, k=1) * number(pipeline.result.layer.boundary_bytes)
    away = scheduled.away_bytes
    shape = (int(plans.tp_rows[0]), int(plans.tp_cols[0]))
    grid = machine.wafer.grid
    n_places = (grid.rows // shape[0]) * (grid.cols // shape[1]) // replicas
    slots = np.arange(n_places * replicas).reshape(n_places, replicas)
    every = on_snake(grid, shape, slots)
    farthest = float(np.diagonal(snake.stage_hops(), offset=1).max(initial=0.0))
    traffic = away + away.T + passed + passed.T
    ground = Ground.of(snake.mesh, every[:, 0, 0], traffic, farthest)
    start = np.arange(pipeline.pp)
    order = placed(ground, start)
    before, after = ground.costs(np.stack([start, order]))
    return Layout(snake.mesh, every[order]), float(after / before) if before else 1.0
