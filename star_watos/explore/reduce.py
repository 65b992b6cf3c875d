"""The inner level: from columns of mappings to the few that meet every limit and are not beaten."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from star_watos.cost import Bound, Column, Overflow
from star_watos.explore.front import non_dominated, signs_of
from star_watos.explore.problem import Outcome, Row
from star_watos.explore.sweep import Exploration
from star_watos.files import Scalar


def spread(columns: Mapping[str, Column], rows: int) -> dict[str, NDArray[Any]]:
    """Return the columns, single numbers repeated, all of length `rows`."""
    return {name: np.broadcast_to(np.asarray(c), (rows,)) for name, c in columns.items()}


def reduce(
    sweep: Exploration,
    mapping: Mapping[str, NDArray[Any]],
    metrics: Mapping[str, Column],
    capacity: Mapping[str, tuple[Column, float, str]],
) -> Outcome:
    """Return the outcome of one candidate.

    `mapping` are the mapping's own columns, `metrics` the figures of merit, and `capacity` what
    has to fit: name -> need, have, unit. A mapping counts against the first limit it breaks.
    """
    n = len(next(iter(mapping.values())))
    figures = spread(metrics, n)
    excess = {
        name: np.broadcast_to(np.asarray(need) / have - 1, (n,))
        for name, (need, have, _) in capacity.items()
    }
    for name, limit in sweep.constraints.items():
        excess[name] = limit.excess(figures[name])
    left, reasons = np.ones(n, dtype=bool), {}
    for name, over in excess.items():
        broken = left & (over > 0)
        reasons[name] = int(broken.sum())
        left &= ~broken
    rows = _front(sweep, mapping, figures, np.flatnonzero(left))
    found = {name: count for name, count in reasons.items() if count}
    nearest = None if left.any() else _nearest(sweep, figures, capacity, excess)
    return Outcome(rows, n, int(left.sum()), found, nearest)


def _front(
    sweep: Exploration,
    mapping: Mapping[str, NDArray[Any]],
    figures: Mapping[str, NDArray[Any]],
    fitting: NDArray[np.intp],
) -> list[Row]:
    if not len(fitting):
        return []
    values = np.stack([figures[name][fitting] for name in sweep.objectives], axis=1)
    kept = fitting[non_dominated(values, signs_of(sweep.objectives.values()))]
    columns = {**mapping, **figures}
    return [{name: _plain(column[row]) for name, column in columns.items()} for row in kept]


def _plain(value: Any) -> Scalar:  # noqa: ANN401 (NumPy's scalar, or what bounds a mapping)
    """Return Python's own scalar; only the few rows that are kept pay for it."""
    if isinstance(value, Bound):
        return value.value
    plain: Scalar = value.item() if isinstance(value, np.generic) else value
    return plain


def _nearest(
    sweep: Exploration,
    figures: Mapping[str, NDArray[Any]],
    capacity: Mapping[str, tuple[Column, float, str]],
    excess: Mapping[str, NDArray[Any]],
) -> Overflow | None:
    """Return the worst need of the mapping whose worst need is least."""
    table = np.stack(list(excess.values()))
    row = int(table.max(axis=0).argmin())
    name = list(excess)[int(table[:, row].argmax())]
    if name in capacity:
        need, have, unit = capacity[name]
        return Overflow(name, float(np.broadcast_to(need, table.shape[1:])[row]), have, unit)
    return sweep.constraints[name].overflow(name, float(figures[name][row]))
