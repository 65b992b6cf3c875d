"""What choosing by predictions costs: of each group the plan they would pick, and the best one."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from star_watos.validate.runs.predict import Prediction
from star_watos.validate.runs.summary import has, large_groups, regret, sign_of


@dataclass(frozen=True, slots=True)
class Pick:
    """A group of runs: equal model, devices and batch."""

    picked: Prediction
    """Predicted to be the fastest."""
    best: Prediction
    """Measured to be the fastest."""
    regret_pct: float
    """How much slower than the best it was measured to be."""
    said_pct: float
    """How much slower than the picked one the best is predicted to be."""


def picks(predictions: Sequence[Prediction], column: str) -> list[Pick]:
    """Return the groups that count for regret, the costliest first."""
    own = [p for p in predictions if has(p, column)]
    groups = large_groups([p.group for p in own])
    found = [_pick([own[row] for row in rows], column) for rows in groups]
    return sorted(found, key=lambda pick: -pick.regret_pct)


def _pick(group: Sequence[Prediction], column: str) -> Pick:
    sign = sign_of(column)
    measured = np.array([getattr(p.run, column) for p in group])
    predicted = np.array([getattr(p, column) for p in group])
    picked, best = int(np.argmin(predicted**sign)), int(np.argmin(measured**sign))
    return Pick(
        picked=group[picked],
        best=group[best],
        regret_pct=100 * regret(sign, measured, predicted),
        said_pct=100 * float((predicted[best] / predicted[picked]) ** sign - 1),
    )
