"""Which points no other one beats, and how much of the objective space they cover.

`values` is [n, m]: n points, m objectives. `signs` is [m]: 1 where smaller is better, -1 where
larger is. A point that is not finite in every objective is no result: it is never in a front.
"""

from collections.abc import Callable, Iterable
from enum import StrEnum
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Values: TypeAlias = NDArray[np.float64]
MARGIN = 0.1
"""How far a reference point lies beyond the worst values, as a share of their range."""


class Sense(StrEnum):
    """Which way an objective is better."""

    MAXIMIZE = "maximize"
    MINIMIZE = "minimize"

    @property
    def best(self) -> Callable[..., Any]:
        """What picks the best of several: `max` or `min`.

        >>> Sense.MAXIMIZE.best(1, 3, 2)
        3
        """
        return max if self is Sense.MAXIMIZE else min


def signs_of(senses: Iterable[Sense]) -> Values:
    """Return 1 for each objective to minimise and -1 for each to maximise."""
    return np.array([1.0 if sense is Sense.MINIMIZE else -1.0 for sense in senses])


def non_dominated(values: Values, signs: Values) -> NDArray[np.bool_]:
    """Return the mask [n] of the points that no other one beats; of equal points, the first.

    a beats b if it is at least as good in every objective and better in one.

    >>> non_dominated(np.array([[1.0, 9.0], [2.0, 9.0], [2.0, 8.0]]), np.array([1.0, -1.0]))
    array([ True, False, False])
    """
    from moocore import is_nondominated  # noqa: PLC0415 (0.1 s to import)

    mask: NDArray[np.bool_] = np.all(np.isfinite(values), axis=1)
    mask[mask] = is_nondominated(values[mask] * signs)
    return mask


def hypervolume(values: Values, reference: Values, signs: Values) -> float:
    """Return the volume that the points dominate, bounded by the point `reference` [m].

    A point that is not better than the reference in every objective adds nothing.

    >>> hypervolume(np.array([[1.0, 2.0], [2.0, 1.0]]), np.array([3.0, 3.0]), np.ones(2))
    3.0
    """
    from moocore import hypervolume as volume  # noqa: PLC0415 (0.1 s to import)

    losses, bound = values * signs, reference * signs
    inside = losses[np.isfinite(losses).all(axis=1) & (losses < bound).all(axis=1)]
    return float(volume(inside, ref=bound)) if len(inside) else 0.0


def contributions(values: Values, reference: Values, signs: Values) -> Values:
    """Return the volume [n] that each point of a front dominates and no other one does.

    >>> front = np.array([[1.0, 3.0], [2.0, 2.0], [3.0, 1.0]])
    >>> contributions(front, np.array([4.0, 4.0]), np.ones(2))
    array([1., 1., 1.])
    """
    from moocore import hv_contributions  # noqa: PLC0415 (0.1 s to import)

    if len(signs) == 1:  # a front of one point
        return np.abs(reference - values[:, 0])
    volumes: Values = hv_contributions(values * signs, ref=reference * signs)
    return volumes


def beyond(best: Values, last: Values, signs: Values) -> Values:
    """Return a reference point [m] beyond the worst values `last`, by a share of the range.

    So the points at the ends of a front count too.

    >>> beyond(np.array([1.0, 9.0]), np.array([2.0, 4.0]), np.array([1.0, -1.0]))
    array([2.1, 3.5])
    """
    width = np.abs(last - best)
    room = np.where(width > 0, width, np.maximum(np.abs(last), 1.0))
    reference: Values = last + signs * MARGIN * room
    return reference


def ideal(values: Values, signs: Values) -> Values:
    """Return the best of each objective [m] over one or more points."""
    best: Values = np.min(values * signs, axis=0) * signs
    return best


def worst(values: Values, signs: Values) -> Values:
    """Return the worst of each objective [m] over one or more points."""
    return ideal(values, -signs)
