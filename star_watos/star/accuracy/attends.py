"""Sparse attention in place of a model's own, for a forward pass from end to end."""

from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from star_watos.star.accuracy.measure import tiles_of
from star_watos.star.accuracy.setting import Setting, places
from star_watos.star.accuracy.tile import Head, Where, heads_of
from star_watos.star.algorithms import Method, Predictor
from star_watos.tensors import Attend, AttentionInput
from star_watos.tensors.attention import Floats

UNUSED = Predictor(method=Method.EXACT)
"""Prepares nothing that costs time."""


def star(keep_ratios: Sequence[float], setting: Setting, pool: Executor) -> Attend:
    """Return attention as the core computes it, each layer at its own keep ratio."""
    return _by_tile(keep_ratios, setting, pool, lambda head, k: head.star(head.kept(k)).output)


def exact_top_k(keep_ratios: Sequence[float], setting: Setting, pool: Executor) -> Attend:
    """Return attention over each query's exact top-k in float32, each layer at its own ratio."""
    exact = Setting(UNUSED, setting.sorter, setting.arithmetic, setting.query_tile)
    return _by_tile(keep_ratios, exact, pool, Head.exact_top_k)


def _by_tile(
    keep_ratios: Sequence[float],
    setting: Setting,
    pool: Executor,
    output: Callable[[Head, int], NDArray[Any]],
) -> Attend:
    def attend(given: AttentionInput) -> Floats:
        prepared = setting.predictor.prepare(given)
        k = places(keep_ratios[given.layer], given.k.shape[1])

        def rows(where: Where) -> tuple[Where, list[NDArray[Any]]]:
            return where, [output(h, k) for h in heads_of(given, prepared, where, setting)]

        result = np.empty_like(given.q)
        for where, outputs in pool.map(rows, tiles_of(given, setting.query_tile)):
            group = slice(where.group * given.group, (where.group + 1) * given.group)
            result[group, where.queries] = outputs
        return result

    return attend
