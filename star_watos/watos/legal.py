"""All legal plans of a machine."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
from numpy.typing import NDArray

from star_watos.errors import InputError
from star_watos.watos.plans import Ints, Plans, Recompute, Schedule
from star_watos.watos.wafer import Grid
from star_watos.workload import Model

MAX_SHAPES = 500_000
"""Splits that are compared at once; with their options they take up to 5 GB."""


_SHAPE = ("tp_rows", "tp_cols", "pp", "dp", "cp", "microbatch")
_OPTIONS = ("ep", "recompute", "sp", "zero", "schedule", "virtual_stages")


@dataclass(frozen=True, slots=True)
class Choices:
    """What plans may differ in beside their degrees; every combination that makes sense is tried.

    Schedules but 1F1B, CP and EP are tried where they are asked for, selective recomputation where
    there is unfused attention to make again.
    """

    recompute: tuple[int, ...] = (Recompute.NONE, Recompute.NON_GEMM, Recompute.FULL)
    sp: tuple[int, ...] = (0, 1)
    zero: tuple[int, ...] = (0, 1)
    schedule: tuple[int, ...] = (Schedule.ONE_F_ONE_B,)
    virtual_stages: tuple[int, ...] = (2, 3, 4, 6, 8)
    """Of interleaved schedules."""
    cp: tuple[int, ...] = (1,)
    ep: tuple[int, ...] = (1,)


@dataclass(frozen=True, slots=True)
class Rectangle:
    """Devices that share each matrix, and how many such groups the machine has."""

    rows: int
    cols: int
    slots: int


def divisors(n: int) -> Ints:
    """Return the divisors of n, ascending.

    >>> divisors(12).tolist()
    [1, 2, 3, 4, 6, 12]
    """
    small = np.arange(1, int(np.sqrt(n)) + 1)
    small = small[n % small == 0]
    return np.unique(np.concatenate([small, n // small])).astype(np.int64)


def mesh_rectangles(model: Model, grid: Grid) -> list[Rectangle]:
    """Return the rectangles of a grid that can share the model's heads and feed-forward width.

    >>> from star_watos.workload import load_model
    >>> mesh_rectangles(load_model("llama2_7b"), Grid(rows=7, cols=8))[-1]
    Rectangle(rows=4, cols=8, slots=1)
    """
    return [
        Rectangle(r, c, (grid.rows // r) * (grid.cols // c))
        for r in range(1, grid.rows + 1)
        for c in range(1, grid.cols + 1)
        if shares(model, r * c)
    ]


def cluster_rectangles(model: Model, gpus_per_node: int, devices: int) -> list[Rectangle]:
    """Return the groups inside a node that can share the model, and split `devices` evenly."""
    return [
        Rectangle(1, tp, devices // tp)
        for tp in map(int, divisors(devices))
        if tp <= gpus_per_node and shares(model, tp)
    ]


def shares(model: Model, tp: int) -> bool:
    """Whether tp devices can share each matrix of the model in equal parts."""
    return model.n_heads % tp == 0 and model.d_ff % tp == 0


def legal_plans(
    model: Model, grid: Grid, global_batch: int, choices: Choices = Choices(), wafers: int = 1
) -> Plans:
    """Return every plan that fits the mesh and divides the batch.

    The TP rectangle tiles the grid; dp cp pp rectangles are used, pp at most the layers; dp divides
    the global batch, and the microbatch divides what a replica gets. `sp` differs only where
    tp > 1, `zero` only where there are replicas. Of several wafers each has as many stages, with
    all of their replicas. Memory is judged later.
    """
    return plans_of_rectangles(model, mesh_rectangles(model, grid), global_batch, choices, wafers)


def plans_of_rectangles(
    model: Model,
    rectangles: list[Rectangle],
    global_batch: int,
    choices: Choices = Choices(),
    wafers: int = 1,
) -> Plans:
    """Return every plan of such TP rectangles, of which a wafer has so many places."""
    every = [replace(group, slots=wafers * group.slots) for group in rectangles]
    shapes = _shapes(model, every, global_batch, choices.cp, exact=False)
    if wafers > 1:
        shapes = shapes[_spread_evenly(shapes, rectangles, wafers)]
    return _with_options(model, shapes, global_batch, choices)


def _spread_evenly(shapes: Ints, rectangles: list[Rectangle], wafers: int) -> NDArray[np.bool_]:
    """Whether each wafer has as many stages, and room for all of their replicas."""
    slots = {(group.rows, group.cols): group.slots for group in rectangles}
    tp_rows, tp_cols, pp, dp, cp, _ = shapes.T
    groups = zip(tp_rows.tolist(), tp_cols.tolist(), strict=True)
    room = np.array([slots[group] for group in groups], dtype=np.int64)
    even: NDArray[np.bool_] = (pp % wafers == 0) & (pp // wafers * dp * cp <= room)
    return even


def cluster_plans(
    model: Model,
    gpus_per_node: int,
    devices: int,
    global_batch: int,
    choices: Choices = Choices(),
) -> Plans:
    """Return every plan that uses all `devices`; otherwise as `legal_plans`."""
    groups = cluster_rectangles(model, gpus_per_node, devices)
    shapes = _shapes(model, groups, global_batch, choices.cp, exact=True)
    return _with_options(model, shapes, global_batch, choices)


def _shapes(
    model: Model, rectangles: list[Rectangle], batch: int, cps: tuple[int, ...], *, exact: bool
) -> Ints:
    """Return rows of the columns `_SHAPE`."""
    blocks, count = [], 0
    for block in _blocks(model, rectangles, batch, cps, exact=exact):
        blocks.append(block)
        count += len(block)
        if count > MAX_SHAPES:
            raise _too_many(rectangles[0].slots, batch)
    return np.concatenate(blocks or [np.zeros((0, 6), dtype=np.int64)]).astype(np.int64)


def _blocks(
    model: Model, rectangles: list[Rectangle], batch: int, cps: tuple[int, ...], *, exact: bool
) -> Iterator[Ints]:
    """Yield such rows."""
    for group, cp in product(rectangles, cps):
        slots = group.slots // cp
        for dp in divisors(batch)[divisors(batch) <= slots]:
            pp = np.arange(1, min(model.n_layers, slots // dp) + 1)
            if exact:
                pp = pp[pp * dp * cp == group.slots]
            b = divisors(batch // int(dp))
            pairs = np.stack(np.meshgrid(pp, b, indexing="ij"), axis=-1).reshape(-1, 2)
            row = [group.rows, group.cols, 0, dp, cp, 0]
            block = np.broadcast_to(row, (len(pairs), 6)).copy()
            block[:, 2], block[:, 5] = pairs[:, 0], pairs[:, 1]
            yield block


def _too_many(slots: int, global_batch: int) -> InputError:
    text = (
        f"more than {MAX_SHAPES:,} ways to split {global_batch:,} sequences over "
        f"{slots:,} devices; take a batch with fewer divisors, or fewer devices"
    )
    return InputError.of("--global-batch", text)


def _with_options(model: Model, shapes: Ints, batch: int, choices: Choices) -> Plans:
    """Repeat each row for every choice, where choices differ."""
    pipes = [
        (s, v)
        for s in choices.schedule
        for v in (choices.virtual_stages if s == Schedule.INTERLEAVED else (1,))
    ]
    options = np.array(
        [
            (e, r, s, z, *pipe)
            for r, s, z, e, pipe in product(
                choices.recompute, choices.sp, choices.zero, choices.ep, pipes
            )
        ],
        dtype=np.int64,
    )
    down = {name: shapes[:, [i]] for i, name in enumerate(_SHAPE)}
    across = {name: options[:, i] for i, name in enumerate(_OPTIONS)}
    legal = _makes_sense(model, Plans(**down, **across), batch)
    shape, option = np.nonzero(np.broadcast_to(legal, (len(shapes), len(options))))
    rows = {name: column[shape, 0] for name, column in down.items()}
    return Plans(**rows, **{name: column[option] for name, column in across.items()})


def _makes_sense(model: Model, plans: Plans, batch: int) -> NDArray[np.bool_]:
    """Whether options, beside one another, differ from simpler ones and divide what they split."""
    n_microbatches = plans.microbatches(batch)
    chunks = plans.pp * plans.virtual_stages
    interleaved = plans.schedule == Schedule.INTERLEAVED
    whole_chunks = (model.n_layers % chunks == 0) & (n_microbatches % plans.pp == 0)
    experts = model.moe.n_experts if model.moe else 1
    legal: NDArray[np.bool_] = (
        (plans.sp <= (plans.tp > 1))
        & ((plans.zero == 0) | (plans.replicas > 1))
        & (~interleaved | (whole_chunks & (plans.pp > 1)))
        & ((plans.schedule == Schedule.ONE_F_ONE_B) | (plans.pp > 1))
        & (plans.replicas % plans.ep == 0)
        & (experts % plans.ep == 0)
    )
    return legal
