"""Whether a front is as good as a stored one."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

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
from star_watos.explore.sweep import Exploration, HypervolumeGate
from star_watos.spec import InputError, Mark, Problem, is_file, read_rows, root


@dataclass(frozen=True, slots=True)
class Gate:
    """The hypervolume found, against that of a stored front, from a common reference point.

    >>> print(Gate(found=0.98, stored=1.0, min_ratio=0.99, reference="baseline.csv"))
    hypervolume is 98.00 % of that of baseline.csv; at least 99 % is expected
    """

    found: float
    stored: float
    min_ratio: float
    reference: str

    @property
    def ratio(self) -> float:
        """Hypervolume found over that stored; above 1 the front is better."""
        return self.found / self.stored

    @property
    def passed(self) -> bool:
        """Whether the ratio is reached."""
        return self.ratio >= self.min_ratio

    def __str__(self) -> str:
        return (
            f"hypervolume is {100 * self.ratio:.2f} % of that of {self.reference}; "
            f"at least {100 * self.min_ratio:g} % is expected"
        )


def stored_front(sweep: Exploration) -> Values | None:
    """Return the objectives [n, m] of the front that the sweep is held against, if it names one."""
    if sweep.expect is None:
        return None
    return read_front(_find(sweep.expect.hypervolume.reference), sweep.objectives)


def check(
    gate: HypervolumeGate, stored: Values, found: Values, senses: Mapping[str, Sense]
) -> Gate:
    """Return how the front `found` compares with the one `stored`."""
    signs = signs_of(senses.values())
    stored, found = (points[non_dominated(points, signs)] for points in (stored, found))
    both = np.vstack([stored, found])  # of a file with other objectives, only what is a front here
    reference = beyond(ideal(both, signs), worst(both, signs), signs)
    return Gate(
        found=hypervolume(found, reference, signs),
        stored=hypervolume(stored, reference, signs),
        min_ratio=gate.min_ratio,
        reference=gate.reference,
    )


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
    if not np.isfinite(value):
        problems.append(Problem(mark, name, f"expected a number, got {text[:40]!r}"))
    return value
