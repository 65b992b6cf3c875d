"""The template's own point, and how many designs of the front dominate it."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from star_watos.explore.files import ordered
from star_watos.explore.front import Sense, signs_of
from star_watos.explore.problem import Parameters, Problem, Row
from star_watos.explore.record import judge, values_of
from star_watos.explore.sweep import Exploration
from star_watos.spec import InputError


@dataclass(frozen=True, slots=True)
class Template:
    """What the sweep starts from, held against what it found."""

    row: Row
    """Its best mapping by the first objective, then by the others."""
    better_in: dict[int, int]
    """Objectives in which a design is strictly better -> designs that are worse in none."""

    @property
    def dominated_by(self) -> int:
        """Designs of the front that are worse in no objective and better in one or more."""
        return sum(self.better_in.values())

    def document(self, objectives: Iterable[str]) -> dict[str, Any]:
        """Return what `run.json` says of it."""
        return {
            "point": {name: self.row[name] for name in objectives},
            "dominated_by": self.dominated_by,
            "better_in": {str(count): designs for count, designs in self.better_in.items()},
        }


def template(
    sweep: Exploration, problem: Problem, own: Parameters, front: list[Row]
) -> Template | None:
    """Return the template's point and what dominates it; None if it does not meet the limits.

    `own` are its values on the axes; on an axis that does not offer its value it keeps its own.
    """
    try:
        outcome = problem.evaluate(own)
    except InputError:
        return None
    _, rows = judge(outcome, sweep.objectives, sweep.constraints)
    if not rows:
        return None
    row = ordered(rows, sweep.objectives)[0]
    return Template(row, _better_in(row, front, sweep.objectives))


def _better_in(own: Row, front: list[Row], objectives: Mapping[str, Sense]) -> dict[int, int]:
    """Return how many rows that are nowhere worse are better in how many objectives.

    >>> less = {"latency_s": Sense.MINIMIZE, "area_mm2": Sense.MINIMIZE}
    >>> points = [(1.0, 2.0), (2.0, 2.0), (1.0, 1.0), (0.5, 3.0)]
    >>> rows = [dict(zip(less, point)) for point in points]
    >>> _better_in({"latency_s": 2.0, "area_mm2": 2.0}, rows, less)
    {1: 1, 2: 1}
    """
    signs = signs_of(objectives.values())
    gains = (values_of([own], objectives) - values_of(front, objectives)) * signs
    better = np.count_nonzero(gains > 0, axis=1)[np.all(gains >= 0, axis=1)]
    return dict(sorted(Counter(n for n in better.tolist() if n).items()))
