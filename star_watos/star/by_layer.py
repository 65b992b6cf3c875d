"""What each layer has, first to last: groups of equal layers, and runs of them as text."""

import re
from collections.abc import Hashable, Sequence
from itertools import groupby

import numpy as np

from star_watos.star.dataflow import Tile

_RUN = re.compile(r"([1-9]\d{0,8})x([1-9]\d{0,4})")


def groups_of(layers: Sequence[Hashable]) -> tuple[int, ...]:
    """Return which group of equal layers each is in, numbered as they first come.

    >>> groups_of(["a", "b", "a"])
    (0, 1, 0)
    """
    number = {one: i for i, one in enumerate(dict.fromkeys(layers))}
    return tuple(number[one] for one in layers)


def text_of(values: Sequence[int]) -> int | str:
    """Return what each layer has: one number if all are alike, else runs.

    >>> text_of([64, 64]), text_of([64, 64, 96])
    (64, '64x2 96x1')
    """
    runs = [(value, len(list(run))) for value, run in groupby(values)]
    return runs[0][0] if len(runs) == 1 else " ".join(f"{v}x{n}" for v, n in runs)


def values_of(text: int | str, layers: int) -> list[int]:
    """Return what each of so many layers has by such a text. Raises `ValueError`.

    >>> values_of("64x2 96x1", 3), values_of(64, 2)
    ([64, 64, 96], [64, 64])
    """
    words = text.split() if isinstance(text, str) else [f"{text}x{layers}"]
    runs = [_RUN.fullmatch(word) for word in words]
    values = [int(run[1]) for run in runs if run for _ in range(int(run[2]))]
    if None in runs or len(values) != layers:
        raise ValueError(f"expected what each of {layers} layers has, got {text!r}")
    return values


def tile_texts(tile: Tile, groups: Sequence[int]) -> dict[str, int | str]:
    """Return keys and heads of a tile, layer by layer where each of the `groups` has its own."""
    sizes = {"key_tile": tile.keys, "heads_together": tile.heads}
    if not tile.by_layer:
        return {name: int(size) for name, size in sizes.items()}
    chunks = np.size(tile.keys) // (max(groups) + 1)
    layers = {n: np.asarray(size)[::chunks][list(groups)] for n, size in sizes.items()}
    return {name: text_of(each.astype(int).tolist()) for name, each in layers.items()}
