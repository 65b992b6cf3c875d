"""The front found so far. What is beaten is forgotten, so memory stays at the size of the front."""

from collections.abc import Mapping, Sequence
from itertools import compress

import numpy as np

from star_watos.explore.front import (
    Sense,
    Values,
    beyond,
    contributions,
    hypervolume,
    ideal,
    non_dominated,
    signs_of,
    worst,
)
from star_watos.explore.problem import Row
from star_watos.explore.record import values_of

TOGETHER = 250
"""Rows of a front in four objectives whose volumes are worked out together."""


class Archive:
    """The rows that no other row seen beats; of equal ones, the first seen."""

    def __init__(self, objectives: Mapping[str, Sense]) -> None:
        """Start empty."""
        self.objectives = dict(objectives)
        self.signs = signs_of(objectives.values())
        self.rows: list[Row] = []
        self.values = np.empty((0, len(self.signs)))
        """Objectives of the rows, [n, m]."""
        self.reference: Values | None = None
        """Worst value of each objective over every row seen, beaten ones too."""

    def add(self, rows: list[Row]) -> list[Row]:
        """Take in rows with finite objectives; return those that are on the front now."""
        if not rows:
            return []
        values = values_of(rows, self.objectives)
        seen = values if self.reference is None else np.vstack([self.reference, values])
        self.reference = worst(seen, self.signs)
        together = np.vstack([self.values, values])
        mask = non_dominated(together, self.signs)
        kept, admitted = (
            list(compress(some, which))
            for some, which in ((self.rows, mask), (rows, mask[len(self.rows) :]))
        )
        self.rows, self.values = kept + admitted, together[mask]
        return admitted

    def contributions(self) -> Values:
        """Return the volume [n] that each row adds to the front.

        With four objectives that takes half a second for 1,500 rows; there a row of a long front is
        held against every k-th other one only, so that no more than `TOGETHER` are at once.
        """
        volumes = np.zeros(len(self.rows))
        if self.reference is None:
            return volumes
        reference = beyond(ideal(self.values, self.signs), self.reference, self.signs)
        parts = -(-len(volumes) // TOGETHER) if len(self.signs) > 3 else 1
        for first in range(parts):
            volumes[first::parts] = contributions(self.values[first::parts], reference, self.signs)
        return volumes

    def refer(self, reference: Sequence[float] | None) -> None:
        """Take the reference of an earlier process, which saw rows that were beaten at once."""
        self.reference = None if reference is None else np.array(reference)

    def hypervolume(self) -> float | None:
        """Return the volume between the front and the reference, or None if nothing was found."""
        if self.reference is None:
            return None
        return hypervolume(self.values, self.reference, self.signs)
