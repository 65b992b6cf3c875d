"""Whether a front is what the sweep expects."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from star_watos.explore.front import (
    Sense,
    Values,
    beyond,
    hypervolume,
    ideal,
    non_dominated,
    signs_of,
    worst,
)
from star_watos.explore.problem import Row
from star_watos.explore.record import values_of
from star_watos.explore.sweep import Expect, Exploration, Limit
from star_watos.spec import InputError, Mark, Problem, is_file, read_rows, root

LARGEST = 1e50
"""Objective of a stored front; the product of four is still a number."""
SMALLEST = 1e-50
"""Bound that a gap is still divided by."""


@dataclass(frozen=True, slots=True)
class Gate:
    """One expectation, and what was found.

    >>> print(Gate("best tokens_per_s", 63_000.0, Limit(min=70_000)))
    best tokens_per_s: at least 70,000 expected, 63,000 found, missed by 10 %
    """

    name: str
    found: float
    limit: Limit

    @property
    def passed(self) -> bool:
        """Whether what was found is within the limit."""
        return self.missed_by == 0

    @property
    def missed_by(self) -> float:
        """Distance to the bound that is broken, as a share of it unless it is 0; 0 if none is."""
        low, high = self.limit.min, self.limit.max
        if low is not None and self.found < low:
            return _share(low - self.found, low)
        if high is not None and self.found > high:
            return _share(self.found - high, high)
        return 0.0

    @property
    def expected(self) -> str:
        """The limit in words."""
        ends = {"at least": self.limit.min, "at most": self.limit.max}
        return " and ".join(f"{word} {end:,.6g}" for word, end in ends.items() if end is not None)

    def document(self) -> dict[str, Any]:
        """Return it as plain data."""
        limit = self.limit.model_dump()
        return {"gate": self.name, "found": self.found, **limit, "missed_by": self.missed_by}

    def __str__(self) -> str:
        missed = "" if self.passed else f", missed by {100 * self.missed_by:.4g} %"
        return f"{self.name}: {self.expected} expected, {self.found:,.6g} found{missed}"


def _share(gap: float, bound: float) -> float:
    return gap / abs(bound) if abs(bound) > SMALLEST else gap


def stored_front(sweep: Exploration) -> Values | None:
    """Return the objectives [n, m] of the front that the sweep is held against, if it names one."""
    if sweep.expect is None or sweep.expect.hypervolume is None:
        return None
    return read_front(_find(sweep.expect.hypervolume.reference), sweep.objectives)


def gates(
    expect: Expect, stored: Values | None, rows: Sequence[Row], senses: Mapping[str, Sense]
) -> tuple[Gate, ...]:
    """Return what is expected of a front beside what it is; `stored` is that of `stored_front`."""
    found = []
    if expect.hypervolume is not None and stored is not None:
        now, before = hypervolumes(values_of(list(rows), senses), stored, senses)
        name = f"hypervolume over that of {expect.hypervolume.reference}"
        found.append(Gate(name, now / before, Limit(min=expect.hypervolume.min_ratio)))
    for name, limit in expect.best.items():
        most = senses.get(name, Sense.MINIMIZE if limit.min is None else Sense.MAXIMIZE)
        found.append(Gate(f"best {name}", most.best(float(row[name]) for row in rows), limit))
    if expect.front_size is not None:
        found.append(Gate("front_size", len(rows), expect.front_size))
    return tuple(found)


def hypervolumes(first: Values, other: Values, senses: Mapping[str, Sense]) -> tuple[float, float]:
    """Return the hypervolume of two fronts from one reference, beyond the worst of both."""
    if not len(first) + len(other):
        return 0.0, 0.0
    signs = signs_of(senses.values())
    # Of a file with other objectives, only what is a front here.
    first, other = (points[non_dominated(points, signs)] for points in (first, other))
    both = np.vstack([first, other])
    reference = beyond(ideal(both, signs), worst(both, signs), signs)
    return hypervolume(first, reference, signs), hypervolume(other, reference, signs)


def _find(reference: str) -> Path:
    places = Path(reference), root() / "sweeps" / reference
    found = next(filter(is_file, places), None)
    if found is None:
        raise InputError.of(
            "sweep", f"{reference[:200]}: no such file", "expect.hypervolume.reference"
        )
    return found


def read_front(path: Path, senses: Mapping[str, Sense]) -> Values:
    """Return the objectives [n, m] in a `pareto.csv`. Raises `InputError`."""
    (first, names), *lines = read_rows(path) or [(1, [])]
    problems = [
        Problem(Mark(str(path), first, 1), name, "no such column")
        for name in senses
        if name not in names
    ]
    values: list[list[float]] = []
    for line, row in lines if not problems else ():
        cells, mark = dict(zip(names, row, strict=False)), Mark(str(path), line, 1)
        values.append([_number(cells.get(name, ""), mark, name, problems) for name in senses])
    if not values and not problems:
        problems.append(Problem(Mark(str(path)), "", "holds no designs"))
    if problems:
        raise InputError(problems)
    return np.array(values)


def _number(text: str, mark: Mark, name: str, problems: list[Problem]) -> float:
    try:
        value = float(text)
    except ValueError:
        value = np.nan
    if not abs(value) <= LARGEST:
        problems.append(Problem(mark, name, f"expected a number, got {text[:40]!r}"))
    return value
