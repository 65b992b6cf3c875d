"""From a sparsity profile to the ratios of each layer of a model at a length."""

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from star_watos.star.sparsity import Sparsity


class Ratios(NamedTuple):
    """What a layer keeps, generates and loads; shares in (0, 1]."""

    keep_ratio: float
    kv_ratio: float
    load_ratio: float
    group_load_ratio: float | None = None


def layer_ratios(
    profile: Sparsity, n_layers: int, seq_len: int, exponent: float | None = None
) -> list[Ratios]:
    """Return the ratios of each of `n_layers` layers, first to last.

    Layer i of n takes layer floor((2 i + 1) m / 2 n) of the profile's m: the one at the relative
    depth of its middle, so that the first and the last are not taken more often than others. A
    profile without layers is one layer that stands for all. `exponent` replaces that of the
    profile's extrapolation, which acts beyond the measured length only.
    """
    own = [
        Ratios(r.keep_ratio, r.kv_ratio, r.load_ratio, r.group_load_ratio) for r in profile.layers
    ]
    own = own or [Ratios(profile.keep_ratio, profile.kv_ratio, profile.loaded)]
    if profile.extrapolation is not None and seq_len > profile.seq_len:
        growth = seq_len / profile.seq_len
        keep, kv, load = (growth**power for power in profile.extrapolation.powers(exponent))
        own = [_scaled(ratios, (keep, kv, load, load), 1 / seq_len) for ratios in own]
    return [own[(2 * i + 1) * len(own) // (2 * n_layers)] for i in range(n_layers)]


def _scaled(ratios: Ratios, factors: Iterable[float], least: float) -> Ratios:
    """Return `ratios` times `factors`, from `least` (one key) to 1 (all of them).

    >>> _scaled(Ratios(0.1, 0.25, 0.75), (0.5, 1.0, 2.0, 2.0), 1 / 8)[:3]
    (0.125, 0.25, 1.0)
    """
    keep, kv, load, together = factors

    def within(ratio: float) -> float:
        return min(max(ratio, least), 1.0)

    group = ratios.group_load_ratio
    return Ratios(
        within(ratios.keep_ratio * keep),
        within(ratios.kv_ratio * kv),
        within(ratios.load_ratio * load),
        None if group is None else within(group * together),
    )


def mean(layers: Iterable[Ratios]) -> Ratios:
    """Return the mean over layers; of equal ones exactly their own.

    >>> mean([Ratios(0.1, 0.25, 0.25)] * 3 + [Ratios(0.5, 0.75, 0.25)]).kv_ratio
    0.375
    """
    groups = Counter(layers)
    weights = [count / groups.total() for count in groups.values()]

    def weighted(column: Iterable[float]) -> float:
        return sum(w * r for w, r in zip(weights, column, strict=True))

    together = [r.group_load_ratio for r in groups if r.group_load_ratio is not None]
    return Ratios(
        weighted(r.keep_ratio for r in groups),
        weighted(r.kv_ratio for r in groups),
        weighted(r.load_ratio for r in groups),
        weighted(together) if len(together) == len(groups) else None,
    )
