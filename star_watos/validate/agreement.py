"""How far formulas are from an event simulation."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far formulas and events are apart, over cases; percent."""

    cases: int
    median_pct: float
    p95_pct: float
    bias_pct: float
    worst_pct: float

    @classmethod
    def of(cls, found: Iterable[float]) -> "Agreement":
        """Return the statistics of signed gaps in percent: of their sizes, and their mean.

        >>> Agreement.of([-2.0, 1.0, 3.0]).median_pct
        2.0
        """
        signed = np.array(list(found))
        size = np.abs(signed)
        return cls(
            cases=len(signed),
            median_pct=float(np.median(size)),
            p95_pct=float(np.percentile(size, 95)),
            bias_pct=float(np.mean(signed)),
            worst_pct=float(np.max(size)),
        )
