"""Training plans as columns, and all legal ones of a wafer."""

from dataclasses import dataclass, fields
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from star_watos.spec import InputError
from star_watos.watos.wafer import Grid
from star_watos.workload import Model

Ints = NDArray[np.int64]
MAX_SHAPES = 500_000
"""Splits that are compared at once; with their options they take up to 5 GB."""


class Recompute(IntEnum):
    """What is not kept for the backward pass but computed again."""

    NONE = 0
    SELECTIVE = 1
    """Everything but the GEMMs (and flash attention)."""
    FULL = 2
    """Everything but the input of each layer."""


@dataclass(frozen=True, slots=True)
class Plans:
    """Columns of equal length, one row a plan. tp = tp_rows x tp_cols dies share each matrix."""

    tp_rows: Ints
    tp_cols: Ints
    pp: Ints
    """Pipeline stages."""
    dp: Ints
    """Replicas of the pipeline."""
    microbatch: Ints
    """Sequences that pass the pipeline at once."""
    recompute: Ints
    """Values of `Recompute`."""
    sp: Ints
    """1 where norms and residuals are split over the TP group too."""
    zero: Ints
    """1 where optimizer states are split over the replicas (ZeRO-1), else 0."""

    @property
    def tp(self) -> Ints:
        """Dies that share each matrix."""
        return self.tp_rows * self.tp_cols

    @property
    def dies(self) -> Ints:
        """Dies in use."""
        return self.tp * self.pp * self.dp

    @property
    def optimizer_split(self) -> Ints:
        """Replicas over which the optimizer states of a die are split: dp with ZeRO-1, else 1."""
        return np.where(self.zero > 0, self.dp, 1)

    def __len__(self) -> int:
        return len(self.tp_rows)

    def take(self, rows: "Ints | NDArray[np.bool_]") -> "Plans":
        """Return the given rows."""
        return Plans(*(getattr(self, f.name)[rows] for f in fields(self)))


def divisors(n: int) -> Ints:
    """Return the divisors of n, ascending.

    >>> divisors(12).tolist()
    [1, 2, 3, 4, 6, 12]
    """
    small = np.arange(1, int(np.sqrt(n)) + 1)
    small = small[n % small == 0]
    return np.unique(np.concatenate([small, n // small])).astype(np.int64)


def tp_shapes(model: Model, grid: Grid) -> list[tuple[int, int]]:
    """Return the rectangles whose dies can share the model's heads and feed-forward width."""
    return [
        (r, c)
        for r in range(1, grid.rows + 1)
        for c in range(1, grid.cols + 1)
        if model.n_heads % (r * c) == 0 and model.d_ff % (r * c) == 0
    ]


def slots(grid: Grid, tp_rows: int, tp_cols: int) -> int:
    """Return how many such rectangles, all the same way round, the grid holds.

    >>> slots(Grid(rows=7, cols=8), 2, 4)
    6
    """
    return (grid.rows // tp_rows) * (grid.cols // tp_cols)


def legal_plans(model: Model, grid: Grid, global_batch: int) -> Plans:
    """Return every plan that fits the mesh and divides the batch.

    The TP rectangle tiles the grid; pp x dp rectangles are used, pp at most the layers; dp divides
    the global batch, and the microbatch divides what a replica gets. `sp` differs only where
    tp > 1, `zero` only where dp > 1. Memory is judged later.
    """
    return _with_options(_shapes(model, grid, global_batch))


def _shapes(model: Model, grid: Grid, global_batch: int) -> Ints:
    """Return the rows (tp_rows, tp_cols, pp, dp, microbatch)."""
    blocks, count = [], 0
    for r, c in tp_shapes(model, grid):
        n = slots(grid, r, c)
        for dp in divisors(global_batch)[divisors(global_batch) <= n]:
            pp = np.arange(1, min(model.n_layers, n // dp) + 1)
            b = divisors(global_batch // int(dp))
            count += len(pp) * len(b)
            if count > MAX_SHAPES:
                raise _too_many(grid, global_batch)
            pairs = np.stack(np.meshgrid(pp, b, indexing="ij"), axis=-1).reshape(-1, 2)
            head = np.broadcast_to([r, c, 0, dp, 0], (len(pairs), 5)).copy()
            head[:, 2], head[:, 4] = pairs[:, 0], pairs[:, 1]
            blocks.append(head)
    return np.concatenate(blocks).astype(np.int64)


def _too_many(grid: Grid, global_batch: int) -> InputError:
    text = (
        f"more than {MAX_SHAPES:,} ways to split {global_batch:,} sequences over "
        f"{grid.rows} x {grid.cols} dies; take a batch with fewer divisors, or fewer dies"
    )
    return InputError.of("--global-batch", text)


def _with_options(shapes: Ints) -> Plans:
    """Repeat each row for every recomputation, and for sp and zero where they differ."""
    options = np.array([(r, s, z) for r in Recompute for s in (0, 1) for z in (0, 1)])
    rows = np.repeat(shapes, len(options), axis=0)
    choice = np.tile(options, (len(shapes), 1))
    tp, dp = rows[:, 0] * rows[:, 1], rows[:, 3]
    legal = (choice[:, 1] <= (tp > 1)) & (choice[:, 2] <= (dp > 1))
    columns = np.concatenate([rows, choice], axis=1)[legal]
    return Plans(*np.ascontiguousarray(columns.T))
