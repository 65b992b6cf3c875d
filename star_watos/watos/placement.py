"""Where TP rectangles stand on the grid: on a snake, the replicas of a stage side by side."""

from star_watos.watos.wafer import Grid


def snake(grid: Grid, tp_rows: int, tp_cols: int, place: int) -> tuple[int, int]:
    """Return row and column of the upper left die of the rectangle at `place` on the snake.

    >>> [snake(Grid(rows=4, cols=6), 2, 2, i) for i in range(4)]
    [(0, 0), (0, 2), (0, 4), (2, 4)]
    """
    per_row = grid.cols // tp_cols
    row, step = divmod(place, per_row)
    col = step if row % 2 == 0 else per_row - 1 - step
    return row * tp_rows, col * tp_cols


def stage_places(grid: Grid, tp_shape: tuple[int, int], pp: int, dp: int) -> list[tuple[int, int]]:
    """Return the place of each stage's first replica."""
    return [snake(grid, *tp_shape, stage * dp) for stage in range(pp)]
