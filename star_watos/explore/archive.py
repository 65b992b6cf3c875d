"""The front found so far. What is beaten is forgotten, so memory stays at the size of the front."""

from collections.abc import Mapping

import numpy as np

from star_watos.explore.front import Sense, hypervolume, non_dominated, signs_of, worst
from star_watos.explore.problem import Row
from star_watos.explore.record import values_of


class Archive:
    """The rows that no other row seen beats; of equal ones, the first seen."""

    def __init__(self, objectives: Mapping[str, Sense]) -> None:
        """Start empty."""
        self.objectives = dict(objectives)
        self.signs = signs_of(objectives.values())
        self.rows: list[Row] = []
        self.values = np.empty((0, len(self.signs)))
        """Objectives of the rows, [n, m]."""
        self.reference: np.ndarray[tuple[int], np.dtype[np.float64]] | None = None
        """Worst value of each objective over every row seen, beaten ones too."""

    def add(self, rows: list[Row]) -> bool:
        """Take in rows with finite objectives; return whether the front changed."""
        if not rows:
            return False
        values = values_of(rows, self.objectives)
        seen = values if self.reference is None else np.vstack([self.reference, values])
        self.reference = worst(seen, self.signs)
        together = np.vstack([self.values, values])
        mask = non_dominated(together, self.signs)
        changed = not mask[: len(self.rows)].all() or bool(mask[len(self.rows) :].any())
        everything = self.rows + rows
        self.rows = [everything[i] for i in np.flatnonzero(mask)]
        self.values = together[mask]
        return changed

    def hypervolume(self) -> float | None:
        """Return the volume between the front and the reference, or None if nothing was found."""
        if self.reference is None:
            return None
        return hypervolume(self.values, self.reference, self.signs)
