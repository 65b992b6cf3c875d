"""Measures a layer, tile by tile on all cores, while the model runs."""

from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from star_watos.star.accuracy.setting import Setting, places
from star_watos.star.accuracy.tally import Tally, tally
from star_watos.star.accuracy.tile import Where, heads_of
from star_watos.star.algorithms import Method, Operations, Predictor, Prepared
from star_watos.tensors import AttentionInput
from star_watos.tensors.attention import Floats, blocks


class Predictions(NamedTuple):
    """Operations of a whole layer's prediction."""

    chosen: Operations
    int4: Operations
    """By 4-bit multiplication in its place."""
    exact: Operations
    """K and the scores computed exactly in its place."""


@dataclass(frozen=True, slots=True)
class LayerTally:
    """What one layer showed at one keep ratio."""

    layer: int
    keep_ratio: float
    tally: Tally
    generated: float
    """Share of the tokens that some query of the heads on a K/V head keeps, mean of K/V heads."""
    predictions: Predictions
    head_dim: int


class _Measured(NamedTuple):
    where: Where
    dense: list[Floats]
    tallies: list[Tally]
    needed: list[NDArray[np.bool_]]
    """For each keep ratio, the keys that some row keeps."""


def tiles_of(given: AttentionInput, rows: int) -> Iterator[Where]:
    """Yield the query tiles of a layer, K/V head by K/V head."""
    for group in range(given.k.shape[0]):
        for queries, keys in blocks(given.q.shape[1], causal=given.causal, rows=rows):
            yield Where(group, queries, keys)


def measure_layer(
    given: AttentionInput, setting: Setting, keep_ratios: Sequence[float], pool: Executor
) -> tuple[Floats, list[LayerTally]]:
    """Return the dense output [H, seq_len, head_dim], and what each keep ratio shows."""
    prepared = setting.predictor.prepare(given)
    output = np.empty_like(given.q)
    tallies = [Tally()] * len(keep_ratios)
    needed = np.zeros((len(keep_ratios), *given.k.shape[:2]), dtype=bool)
    done = pool.map(
        lambda where: _measure(given, prepared, where, setting, keep_ratios),
        tiles_of(given, setting.query_tile),
    )
    for measured in done:
        group, queries, keys = measured.where
        output[group * given.group : (group + 1) * given.group, queries] = measured.dense
        needed[:, group, :keys] |= measured.needed
        tallies = [a + b for a, b in zip(tallies, measured.tallies, strict=True)]
    predictors = (setting.predictor, Predictor(Method.INT4), Predictor(Method.EXACT))
    predictions = Predictions(*(p.operations(given, tallies[0].seen) for p in predictors))
    return output, [
        LayerTally(given.layer, ratio, total, float(keys.mean()), predictions, given.q.shape[2])
        for ratio, total, keys in zip(keep_ratios, tallies, needed, strict=True)
    ]


def least_ratio(
    given: AttentionInput,
    setting: Setting,
    keep_ratios: Sequence[float],
    target_mass: float,
    pool: Executor,
) -> float:
    """Return the least of ascending `keep_ratios` that keeps the target softmax mass, or the last.

    The mass is the mean over queries that leave out some key, as in `Tally`.
    """
    prepared = setting.predictor.prepare(given)
    ks = [places(ratio, given.k.shape[1]) for ratio in keep_ratios]

    def masses(where: Where) -> NDArray[np.float64]:
        heads = heads_of(given, prepared, where, setting)
        each = np.array([[head.mass(k) for k in ks] for head in heads])
        return np.asarray(each.sum(axis=0), dtype=np.float64)

    total = sum(pool.map(masses, tiles_of(given, setting.query_tile)), np.zeros((len(ks), 2)))
    enough = total[:, 0] >= target_mass * total[:, 1]
    return keep_ratios[int(np.argmax(enough)) if enough.any() else -1]


def _measure(
    given: AttentionInput,
    prepared: Prepared,
    where: Where,
    setting: Setting,
    keep_ratios: Sequence[float],
) -> _Measured:
    heads = heads_of(given, prepared, where, setting)
    ks = [places(ratio, given.k.shape[1]) for ratio in keep_ratios]
    results = [tally(heads, k) for k in ks]
    tallies, needed = map(list, zip(*results, strict=True))
    return _Measured(where, [head.dense for head in heads], tallies, needed)
