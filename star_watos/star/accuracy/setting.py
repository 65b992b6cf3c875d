"""What `star accuracy` measures: the algorithms of a core, and how many keys it keeps."""

import math
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from star_watos.star.algorithms import Arithmetic, Predictor, Sads


class Sorter(StrEnum):
    """How much of a row is sorted at once."""

    SADS = "sads"
    """Its segments, each for itself."""
    FULL = "full"
    """The whole row: one segment."""


class Numbers(StrEnum):
    """What SU-FA computes with."""

    INTEGER = "integer"
    FLOAT = "float"


@dataclass(frozen=True, slots=True)
class Setting:
    """A core's algorithms."""

    predictor: Predictor = field(default_factory=Predictor)
    sorter: Sads = field(default_factory=Sads)
    arithmetic: Arithmetic | None = field(default_factory=Arithmetic)
    """Widths of SU-FA's numbers; None computes in float64."""
    query_tile: int = 128
    """Queries that a core serves at once."""

    @property
    def sorting(self) -> Sorter:
        """Whether a segment is the whole row."""
        return Sorter.FULL if self.sorter.segments == 1 else Sorter.SADS


def places(keep_ratio: float, seq_len: int) -> int:
    """Return k, the keys that a query may keep: ceil(keep_ratio * seq_len).

    >>> places(0.2, 2048)
    410
    """
    return math.ceil(keep_ratio * seq_len)


def kept_per_row(k: int, seen: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return how many keys each row keeps: k, or all that it sees if they are fewer.

    >>> kept_per_row(3, np.array([1, 3, 10])).tolist()
    [1, 3, 3]
    """
    return np.minimum(k, seen)
