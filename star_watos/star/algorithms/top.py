"""The k best of a row, exactly: ties go to the key that comes first."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


class Ranking:
    """Rows of scores, ranked once; any number of best can then be asked for."""

    def __init__(self, scores: NDArray[Any]) -> None:
        """Rank `scores` [..., keys]; a hidden key scores -inf."""
        self.scores = scores
        self._ascending = np.sort(scores, axis=-1)

    def top(self, quota: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return the mask [..., keys] of each row's `quota` [...] best keys.

        >>> Ranking(np.array([[3.0, 5.0, 3.0, 1.0]])).top(np.array([2]))
        array([[ True,  True, False, False]])
        """
        least = np.take_along_axis(
            self._ascending, self.scores.shape[-1] - np.maximum(quota, 1)[..., None], axis=-1
        )
        kept: NDArray[np.bool_] = self.scores >= least
        kept[quota == 0] = False
        crowded = np.count_nonzero(kept, axis=-1) > quota
        if crowded.any():
            kept[crowded] = _first_ties(self.scores[crowded], least[crowded], quota[crowded])
        return kept


def _first_ties(
    scores: NDArray[Any], least: NDArray[Any], quota: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Return the quota of rows in which more keys than that reach the smallest kept score."""
    above = scores > least
    tied = scores == least
    open_places = (quota - above.sum(axis=1))[:, None]
    best: NDArray[np.bool_] = above | (tied & (np.cumsum(tied, axis=1) <= open_places))
    return best
