"""One candidate in the books: did it work out, how good can it be, and if not, why."""

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np

from star_watos.cost import Overflow
from star_watos.explore.front import Sense, Values, ideal, signs_of
from star_watos.explore.problem import Outcome, Row
from star_watos.explore.space import Point
from star_watos.explore.sweep import Limit

MAX_EXCESS = 1e6
"""What a sampler is told of a candidate that is no legal design, or that exceeds by more."""
INVALID = "no legal design"
NOT_FINITE = "metric that is not a finite number"


class State(StrEnum):
    """How a trial ended."""

    COMPLETE = "complete"
    INFEASIBLE = "infeasible"
    INVALID = "invalid"


@dataclass(frozen=True, slots=True)
class Record:
    """What is remembered of a candidate once its rows are in the archive."""

    state: State
    ideal: tuple[float, ...] = ()
    """Best value of each objective over the candidate's mappings; empty if there is none."""
    points: int = 0
    feasible: int = 0
    infeasible: dict[str, int] = field(default_factory=dict)
    nearest: Overflow | None = None
    why: str = ""
    """The constraint or mistake in the way."""
    thinned: bool = False
    """Whether it had more non-dominated mappings than are kept."""

    @property
    def excess(self) -> float:
        """By what share the nearest miss misses; 0 if the candidate works out."""
        if self.state is State.COMPLETE:
            return 0.0
        excess = self.nearest.excess if self.nearest is not None else MAX_EXCESS
        return excess if math.isfinite(excess) else MAX_EXCESS


@dataclass(frozen=True, slots=True)
class Trial:
    """One candidate that was asked for."""

    number: int
    point: Point
    record: Record
    repeat_of: int | None
    """The number of the trial that had the same point before, if one had."""


def values_of(rows: list[Row], objectives: Mapping[str, Sense]) -> Values:
    """Return the objectives of the rows, [n, m]."""
    values = [[float(row[name]) for name in objectives] for row in rows]
    return np.array(values, dtype=np.float64).reshape(len(rows), len(objectives))


def judge(
    outcome: Outcome | str, objectives: Mapping[str, Sense], limits: Mapping[str, Limit]
) -> tuple[Record, list[Row]]:
    """Return the record of a candidate, and those of its rows that count.

    A text in place of an outcome says why the candidate is no legal design. Rows beyond a limit or
    with an objective that is not finite are dropped and counted.
    """
    if isinstance(outcome, str):
        return Record(State.INVALID, infeasible={INVALID: 1}, why=outcome), []
    kept: list[Row] = []
    dropped: Counter[str] = Counter()
    misses = [outcome.nearest] if outcome.nearest is not None else []
    for row in outcome.rows:
        miss = _miss(row, limits)
        finite = all(math.isfinite(float(row[name])) for name in objectives)
        if miss is not None and finite:
            misses.append(miss)
        if miss is None and finite:
            kept.append(row)
        else:
            dropped[miss.name if miss is not None and finite else NOT_FINITE] += 1
    return _record(outcome, kept, dropped, misses, objectives), kept


def _miss(row: Row, limits: Mapping[str, Limit]) -> Overflow | None:
    misses = (limit.overflow(name, float(row[name])) for name, limit in limits.items())
    return max(filter(None, misses), key=lambda miss: miss.excess, default=None)


def _record(
    outcome: Outcome,
    kept: list[Row],
    dropped: Counter[str],
    misses: list[Overflow],
    objectives: Mapping[str, Sense],
) -> Record:
    reasons = Counter(outcome.infeasible) + dropped
    feasible = outcome.feasible - dropped.total()
    if kept:
        best = ideal(values_of(kept, objectives), signs_of(objectives.values()))
        vector = tuple(map(float, best))
        return Record(
            State.COMPLETE,
            vector,
            outcome.points,
            feasible,
            dict(reasons),
            thinned=outcome.thinned,
        )
    nearest = min(misses, key=lambda miss: miss.excess, default=None)
    state = State.INFEASIBLE if nearest or outcome.infeasible else State.INVALID
    common = reasons.most_common(1)
    why = nearest.name if nearest else common[0][0] if common else INVALID
    return Record(state, (), outcome.points, feasible, dict(reasons), nearest, why)
