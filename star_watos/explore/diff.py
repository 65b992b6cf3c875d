"""What got better or worse from one run to another, and what was asked differently."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from star_watos.explore.front import Sense, signs_of
from star_watos.explore.gate import hypervolumes
from star_watos.explore.manifest import differences
from star_watos.explore.problem import Row
from star_watos.explore.several import OF_METRICS, RUN_COLUMN, Run

_ORIGIN = ("version", "git_commit")


@dataclass(frozen=True, slots=True)
class Best:
    """The best value of an objective on both fronts; None where a front is empty."""

    name: str
    sense: Sense
    a: float | None
    b: float | None

    @property
    def change_pct(self) -> float | None:
        """Change from a to b in per cent of a.

        >>> Best("tokens_per_s", Sense.MAXIMIZE, 200.0, 210.0).change_pct
        5.0
        """
        if self.a is None or self.b is None or self.a == 0:
            return None
        return 100 * (self.b - self.a) / abs(self.a)


@dataclass(frozen=True, slots=True)
class Beaten:
    """Designs of a front that dominate designs of another one; rows are counted from 1."""

    by: list[int]
    """Rows of the one."""
    rows: list[int]
    """Rows of the other."""


@dataclass(frozen=True, slots=True)
class Difference:
    """Two runs of the same kind and objectives."""

    a: Run
    b: Run
    hypervolume: tuple[float, float]
    """Of a and b, from one reference."""
    best: list[Best]
    b_over_a: Beaten
    a_over_b: Beaten
    both: list[tuple[int, int]]
    """Rows of a and b that are the same design."""
    changed: list[tuple[int, int]]
    """Those of them that have other objectives."""
    config: dict[str, tuple[Any, Any]]
    """Key path -> what a and b say, where that differs; None where one says nothing."""

    def document(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {
            "schema": "exploration-diff/1",
            "a": {"run": self.a.name, "designs": len(self.a.rows)},
            "b": {"run": self.b.name, "designs": len(self.b.rows)},
            "hypervolume": _ab(self.hypervolume),
            "best": [
                {
                    "objective": best.name,
                    "sense": best.sense.value,
                    "a": best.a,
                    "b": best.b,
                    "change_pct": best.change_pct,
                }
                for best in self.best
            ],
            "b_dominates_a": {"b": self.b_over_a.by, "a": self.b_over_a.rows},
            "a_dominates_b": {"a": self.a_over_b.by, "b": self.a_over_b.rows},
            "both": [_ab(pair) for pair in self.both],
            "changed": [_ab(pair) for pair in self.changed],
            "config": {key: _ab(pair) for key, pair in self.config.items()},
        }


def _ab(pair: tuple[Any, Any]) -> dict[str, Any]:
    return dict(zip("ab", pair, strict=True))


def diff(a: Run, b: Run) -> Difference:
    """Return what differs between two runs that `several.load_alike` loaded."""
    both = _both(a, b)
    names = list(a.objectives)
    return Difference(
        a,
        b,
        hypervolumes(a.values, b.values, a.objectives),
        [_best(name, sense, a, b) for name, sense in a.objectives.items()],
        _beaten(b, a),
        _beaten(a, b),
        both,
        [(i, j) for i, j in both if any(a.rows[i - 1][n] != b.rows[j - 1][n] for n in names)],
        _config(a, b),
    )


def _best(name: str, sense: Sense, a: Run, b: Run) -> Best:
    found = [sense.best((float(row[name]) for row in run.rows), default=None) for run in (a, b)]
    return Best(name, sense, *found)


def _beaten(by: Run, run: Run) -> Beaten:
    """Return which designs of `by` dominate which of `run`: nowhere worse, and better once."""
    signs = signs_of(run.objectives.values())
    ours, theirs = by.values * signs, run.values * signs
    dominated = [np.all(one <= theirs, axis=1) & np.any(one < theirs, axis=1) for one in ours]
    table = np.array(dominated, dtype=bool).reshape(len(ours), len(theirs))
    return Beaten(_numbers(table.any(axis=1)), _numbers(table.any(axis=0)))


def _numbers(mask: ArrayLike) -> list[int]:
    return [int(i) + 1 for i in np.flatnonzero(mask)]


def _both(a: Run, b: Run) -> list[tuple[int, int]]:
    place = {_design(row, a): number for number, row in enumerate(a.rows, start=1)}
    designs = ((_design(row, b), number) for number, row in enumerate(b.rows, start=1))
    return sorted((place[design], number) for design, number in designs if design in place)


def _design(row: Row, run: Run) -> frozenset[tuple[str, object]]:
    """Return what a row says of its design: hardware and mapping, not what follows from them."""
    follows = {*run.asked.sweep.metrics, *OF_METRICS, RUN_COLUMN}
    return frozenset((name, value) for name, value in row.items() if name not in follows)


def _config(a: Run, b: Run) -> dict[str, tuple[Any, Any]]:
    one, other = (run.stored.config | _origin(run) for run in (a, b))
    return {key: (ours, theirs) for key, ours, theirs in differences(one, other)}


def _origin(run: Run) -> dict[str, Any]:
    said = {key: run.stored.manifest.get(key) for key in _ORIGIN}
    return {key: value for key, value in said.items() if isinstance(value, str)}
