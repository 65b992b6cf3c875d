"""What is shared fairly: nobody gets less than it asks for while another has more."""

from collections.abc import Sequence
from functools import reduce

import numpy as np
from numpy.typing import NDArray

from star_watos.cost import Column

Columns = Sequence[Column]


def level(shares: Columns) -> Column:
    """Return the most that any of two or three users gets of 1.

    Whoever asks for less gets that, and leaves the rest to the others in equal parts:

        max(1 / n, (1 - least) / (n - 1), 1 - all but the most)

    >>> round(float(level([0.9, 0.2, 0.6])), 12)  # 0.2, and half of what it leaves each
    0.4
    """
    n, least = len(shares), reduce(np.minimum, shares)
    equal: Column = np.maximum((1 - least) / (n - 1), 1 / n)
    if n == 2:
        return equal
    most: Column = reduce(np.maximum, shares)
    return np.maximum(equal, 1 - sum(shares) + most)


def waits(works: Columns, shares: Columns) -> list[Column]:
    """Return how much longer two or three users take that begin together than each alone.

    Alone each works for `works` and asks for `shares` of 1 meanwhile. From one end to the next
    each goes at the rate of what it gets; the last one is alone.

    Three quarters each of a port leave each a half. 1 s of the one takes 1.5 s; of 2 s of the other
    1 s is left by then.

    >>> [round(float(wait), 12) for wait in waits([2.0, 1.0], [0.75, 0.75])]
    [0.5, 0.5]
    """
    waited: list[Column] = [0.0] * len(works)
    left = list(works)
    for _ in works[1:]:
        at_work: list[NDArray[np.bool_]] = [np.asarray(w) > 0 for w in left]
        asked = [s * there for s, there in zip(shares, at_work, strict=True)]
        most = level(asked)
        rates = [np.minimum(most / np.maximum(s, 1e-30), 1.0) for s in asked]
        due = [np.where(w > 0, w / r, np.inf) for w, r in zip(left, rates, strict=True)]
        step = reduce(np.minimum, due)
        step = np.where(step < np.inf, step, 0.0)
        for i, rate in enumerate(rates):
            waited[i] = waited[i] + step * (1 - rate)
            left[i] = np.where(due[i] <= step, 0.0, left[i] - step * rate)
    return waited
