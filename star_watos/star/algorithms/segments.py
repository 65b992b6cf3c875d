"""How a row of scores is split into segments, and how many keys each may keep."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, assert_never

import numpy as np
from numpy.typing import NDArray


class Layout(StrEnum):
    """Which keys make a segment, and who sets its quota."""

    STRIDED = "strided"
    """Key i lies in segment i mod n: every segment sees near and far keys alike."""
    CONTIGUOUS = "contiguous"
    """n runs of equal length, as the papers draw it."""
    ADAPTIVE = "adaptive"
    """Contiguous, but a segment offers up to twice its quota and the k best offers stay."""


def tiles(layout: Layout, keys: int, n: int) -> list[slice]:
    """Return the keys of each of `n` segments of a row of `keys` keys; none is empty.

    >>> tiles(Layout.CONTIGUOUS, 10, 3)
    [slice(0, 3, None), slice(3, 6, None), slice(6, 10, None)]
    >>> tiles(Layout.STRIDED, 10, 3)
    [slice(0, None, 3), slice(1, None, 3), slice(2, None, 3)]
    """
    n = min(n, keys)
    match layout:
        case Layout.STRIDED:
            return [slice(i, None, n) for i in range(n)]
        case Layout.CONTIGUOUS | Layout.ADAPTIVE:
            return [slice(i * keys // n, (i + 1) * keys // n) for i in range(n)]
        case _:
            assert_never(layout)


@dataclass(frozen=True, slots=True)
class Places:
    """Where the keys of a row stand when its tiles lie one below the other, [tiles, width].

    A tile that is shorter than the longest is filled up with a key that does not exist.
    """

    index: NDArray[np.intp]
    """Key in each place [tiles, width]; `keys` where there is none."""
    keys: int

    @classmethod
    def of(cls, tiles: Sequence[slice], keys: int) -> "Places":
        """Return the places of tiles that share out `keys` keys.

        >>> Places.of([slice(0, None, 2), slice(1, None, 2)], 5).index.tolist()
        [[0, 2, 4], [1, 3, 5]]
        """
        members = [np.arange(keys)[tile] for tile in tiles]
        index = np.full((len(members), max(map(len, members))), keys)
        for row, own in zip(index, members, strict=True):
            row[: len(own)] = own
        return cls(index, keys)

    def split(self, x: NDArray[Any], fill: float, axis: int = -1) -> NDArray[Any]:
        """Return `x` with the axis of keys split into (tiles, width), `fill` where there is none.

        >>> Places.of([slice(0, 2), slice(2, 3)], 3).split(np.array([[1, 2, 3]]), 0).tolist()
        [[[1, 2], [3, 0]]]
        """
        split = np.take(x, self.index, axis=axis, mode="clip")
        if (self.index == self.keys).any():
            places = self.index == self.keys
            shape = places.shape + (1,) * (-1 - axis)
            np.copyto(split, fill, where=places.reshape(shape), casting="unsafe")
        return split

    def join(self, x: NDArray[Any]) -> NDArray[Any]:
        """Return `x` [rows, tiles, width] by key, [rows, keys].

        >>> places = Places.of([slice(0, None, 2), slice(1, None, 2)], 3)
        >>> places.join(places.split(np.array([[7, 8, 9]]), 0)).tolist()
        [[7, 8, 9]]
        """
        place = np.argsort(self.index.ravel(), kind="stable")[: self.keys]
        return np.take(x.reshape(len(x), -1), place, axis=1)


def quotas(seen: NDArray[np.int64], k: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return how many keys each segment keeps, [rows, n]; a row's quotas sum to its k.

    `seen` [rows, n] is how many keys of the segment the row sees, `k` [rows] at most their sum.
    Quotas go by keys seen, k / n where segments are equal, and are whole: segment s gets the
    difference of floor(k * seen so far / seen) before and after it.

    >>> quotas(np.array([[4, 4, 4], [4, 1, 0]]), np.array([7, 5])).tolist()
    [[2, 2, 3], [4, 1, 0]]
    """
    so_far = np.cumsum(seen, axis=1)
    shares = k[:, None] * so_far // so_far[:, -1:]
    return np.diff(shares, axis=1, prepend=0)
