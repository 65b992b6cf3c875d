"""Batches of K/V generation: when they are known, made, and waited for.

Times of query tiles are of one K/V head, [tiles, ...].
"""

import numpy as np

from star_watos.cost import Column
from star_watos.star.fit import batch_tokens, batches
from star_watos.star.layer import Layer


def batch_seconds(layer: Layer, time: Column) -> Column:
    """Seconds of one batch of a K/V head, in the query tiles that bring new tokens."""
    whole = layer.tiles.total(time) / np.maximum(batches(layer), 1.0)
    return np.where(layer.tiles.new > 0, whole, 0.0)


def generated(layer: Layer, time: Column) -> Column:
    """Seconds of the batches that each stretch of query tiles completes, [tiles, ...]."""
    count, tiles, known = np.maximum(batches(layer), 1.0), layer.tiles, _known(layer)
    complete = np.where(known >= 1 - 1e-9, count, np.floor(known * count))
    first = complete[:1]
    return np.concatenate([first, np.diff(complete, axis=0)]) * (tiles.total(time) / count)


def _known(layer: Layer) -> Column:
    """Share of a K/V head's new tokens that is known after each stretch, [tiles, ...]."""
    known: Column = np.cumsum(layer.tiles.weight * layer.new_share, axis=0)
    return known


def held_up(layer: Layer, attended: Column) -> Column:
    """Seconds of attention that wait for the last batch of a K/V head: from its first token on.

    They are known to the last when all of a head is predicted, if it is gone through once. Visits
    of a query tile go through all the keys that it sees; a stretch of tiles, through new ones.
    """
    tiles, work = layer.tiles, layer.work
    batched = np.maximum(batches(layer) - 1, 0.0) * batch_tokens(layer)
    before = batched / np.maximum(work.generated_tokens, 1.0)
    passed = np.maximum(np.where(tiles.weight > 1, tiles.weight * tiles.new, tiles.seen), 1.0)
    share = np.clip((_known(layer) - before) * work.new_tokens / passed, 0.0, 1.0)
    once = (layer.passes == 1) & (tiles.new[-1] > 0)
    return np.where(once, tiles.total(attended * share), 0.0)
