"""How far off predictions are: errors, ranks, and what a choice by them would cost.

Errors are prediction over measurement, less one. Ranks are Spearman's, over a whole table and as
the mean over groups of equal model, devices and batch. Regret is how much slower than its group's
best measured plan the plan is that the prediction would pick, the mean over groups.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from star_watos.validate.runs.predict import Prediction, measured_columns

GROUP_OF = 5
"""Runs that a group needs to count for ranks and regret."""
HIGHER_IS_BETTER = frozenset({"tflops_per_gpu"})
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Summary:
    """One measured column of one table."""

    table: str
    column: str
    rows: int
    mae_pct: float
    p95_pct: float
    bias_pct: float
    spearman: float | None
    spearman_within: float | None
    regret_pct: float | None
    groups: int
    """Groups that ranks and regret are the means of."""


def summaries(predictions: Sequence[Prediction]) -> list[Summary]:
    """Return one summary a table and measured column, in the tables' order."""
    tables: dict[str, list[Prediction]] = defaultdict(list)
    for prediction in predictions:
        tables[prediction.table].append(prediction)
    return [
        summary(table, column, *_pairs(column, own), [p.group for p in own if has(p, column)])
        for table, own in tables.items()
        for column in measured_columns(own)
    ]


def has(prediction: Prediction, column: str) -> bool:
    """Return whether the column of a run was measured."""
    return getattr(prediction.run, column) is not None


def _pairs(column: str, predictions: Sequence[Prediction]) -> tuple[Floats, Floats]:
    """Return measured and predicted values of the runs that were measured."""
    own = [p for p in predictions if has(p, column)]
    measured = np.array([getattr(p.run, column) for p in own], dtype=np.float64)
    return measured, np.array([getattr(p, column) for p in own], dtype=np.float64)


def summary(
    table: str,
    column: str,
    measured: Floats,
    predicted: Floats,
    groups: Sequence[tuple[object, ...]],
) -> Summary:
    """Return the summary of one column."""
    errors = 100 * (predicted / measured - 1)
    sign, members = sign_of(column), large_groups(groups)
    ranks = [spearman(measured[rows], predicted[rows]) for rows in members]
    costs = [regret(sign, measured[rows], predicted[rows]) for rows in members]
    known = [rank for rank in ranks if rank is not None]
    timed = column != "memory_gib"
    return Summary(
        table=table,
        column=column,
        rows=len(measured),
        mae_pct=float(np.mean(np.abs(errors))),
        p95_pct=float(np.percentile(np.abs(errors), 95)),
        bias_pct=float(np.mean(errors)),
        spearman=spearman(measured, predicted),
        spearman_within=float(np.mean(known)) if known else None,
        regret_pct=100 * float(np.mean(costs)) if costs and timed else None,
        groups=len(members),
    )


def sign_of(column: str) -> float:
    """Return the power of a column that is better the smaller it is."""
    return -1.0 if column in HIGHER_IS_BETTER else 1.0


def large_groups(groups: Sequence[tuple[object, ...]]) -> list[list[int]]:
    """Return the places of equal groups, of those that are large enough to count."""
    rows: dict[tuple[object, ...], list[int]] = defaultdict(list)
    for place, group in enumerate(groups):
        rows[group].append(place)
    return [places for places in rows.values() if len(places) >= GROUP_OF]


def spearman(measured: Floats, predicted: Floats) -> float | None:
    """Return Spearman's rank correlation, ties sharing their mean rank; None for a constant.

    >>> spearman(np.array([1.0, 2.0, 3.0]), np.array([10.0, 30.0, 20.0]))
    0.5
    """
    import pandas as pd  # noqa: PLC0415 (slow to load)

    if len(measured) < 2:
        return None
    ranks = pd.DataFrame({"measured": measured, "predicted": predicted}).rank()
    if (ranks.std() == 0).any():
        return None
    return round(float(ranks.corr().iloc[0, 1]), 12)


def regret(sign: float, measured: Floats, predicted: Floats) -> float:
    """Return how much slower than the best plan the one is that looks best; 0.1 is 10 % slower.

    Where several look equally good, their mean is meant. `sign` is -1 where more is better.

    >>> regret(1.0, np.array([10.0, 11.0, 12.0]), np.array([5.0, 4.0, 9.0])).__round__(3)
    0.1
    """
    seconds = measured**sign
    picks = seconds[sign * predicted == np.min(sign * predicted)]
    return float(np.mean(picks) / np.min(seconds) - 1)
