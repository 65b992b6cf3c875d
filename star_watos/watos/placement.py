"""Where TP rectangles stand on the grid: on a snake, or row by row."""

import numpy as np
from numpy.typing import NDArray

from star_watos.watos.wafer import Grid

Nodes = NDArray[np.intp]


def on_snake(grid: Grid, tp_shape: tuple[int, int], slots: Nodes, *, turns: bool = True) -> Nodes:
    """Return the dies of the rectangles at `slots` of the snake, row by row: [..., tp].

    Without `turns` all rows go the same way.

    >>> on_snake(Grid(rows=4, cols=6), (2, 2), np.arange(4)).tolist()
    [[0, 1, 6, 7], [2, 3, 8, 9], [4, 5, 10, 11], [16, 17, 22, 23]]
    """
    rows, cols = tp_shape
    per_row = grid.cols // cols
    row, step = np.divmod(slots, per_row)
    place = np.where(turns & (row % 2 == 1), per_row - 1 - step, step)
    first = row * rows * grid.cols + place * cols
    inside = (np.arange(rows)[:, None] * grid.cols + np.arange(cols)).ravel()
    dies: Nodes = first[..., None] + inside
    return dies


def slots_of(pp: int, replicas: int, *, apart: bool = False) -> Nodes:
    """Return the slot of each stage and replica: those of a stage together, or pipelines apart.

    >>> slots_of(2, 3).tolist(), slots_of(2, 3, apart=True).tolist()
    ([[0, 1, 2], [3, 4, 5]], [[0, 2, 4], [1, 3, 5]])
    """
    slots = np.arange(pp * replicas)
    return slots.reshape(replicas, pp).T if apart else slots.reshape(pp, replicas)
