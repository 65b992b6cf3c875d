"""How many dies are good, and what a good one costs."""

import math

import numpy as np
from numpy.typing import NDArray

from star_watos.cost import Column

WAFER_DIAMETER_MM = 300.0


def negative_binomial_yield(area_mm2: Column, defects_per_mm2: float, cluster: float) -> Column:
    """Share of dies without a killer defect: (1 + A D / alpha)^-alpha.

    Limits: 1 at zero area; exp(-A D), Poisson, as alpha grows. Source: Stapper 1983.

    >>> round(float(negative_binomial_yield(640.0, 0.001, 2.0)), 4)
    0.5739
    """
    good: Column = np.power(1 + np.asarray(area_mm2) * defects_per_mm2 / cluster, -cluster)
    return good


def dies_per_wafer(die_area_mm2: Column) -> Column:
    """Gross dies of a 300 mm wafer: pi r^2 / A - pi d / sqrt(2 A), at least one.

    Source: the usual gross-die estimate (e.g. Hennessy and Patterson, section 1.6).

    >>> float(dies_per_wafer(645.0)).__round__()
    83
    """
    area = np.asarray(die_area_mm2)
    edge = math.pi * WAFER_DIAMETER_MM / np.sqrt(2 * area)
    gross: Column = np.maximum(math.pi * (WAFER_DIAMETER_MM / 2) ** 2 / area - edge, 1.0)
    return gross


def repaired_yield(
    area_mm2: float, defects_per_mm2: float, cluster: float, spares: int, share: float
) -> float:
    """Share of dies that are good when up to `spares` defects can be left out.

    P = sum over k <= spares of NB(k; A D, alpha) share^k: the k defects of a die, gamma-mixed
    Poisson, must all lie in the `share` of its area that has spares. Two defects in one core are
    counted as two. At no spares it is `negative_binomial_yield`. After Koren and Koren (Proc. IEEE
    86, 1998), who give the mixture.

    >>> round(repaired_yield(640.0, 0.001, 2.0, 0, 0.9), 4)
    0.5739
    >>> round(repaired_yield(640.0, 0.001, 2.0, 1, 0.9), 4)  # + 0.5739 x 2 x 0.64 / 2.64 x 0.9
    0.8244
    """
    mean = area_mm2 * defects_per_mm2
    none = float(negative_binomial_yield(area_mm2, defects_per_mm2, cluster))
    if not spares or not mean:
        return none
    k = np.arange(spares)
    # NB(k + 1) / NB(k) = (k + alpha) / (k + 1) x mean / (mean + alpha)
    ratios = np.log((k + cluster) / (k + 1)) + math.log(mean / (mean + cluster) * share)
    return _sum_from(-cluster * math.log1p(mean / cluster), ratios)


def at_least(needed: int, made: int, good: float) -> float:
    """Probability that at least `needed` of `made` things are good, each with `good` alone.

    >>> round(at_least(2, 2, 0.9), 3), round(at_least(2, 3, 0.9), 3)  # 0.9^3 + 3 x 0.9^2 x 0.1
    (0.81, 0.972)
    """
    if good == 1 or made == needed:
        return good**made
    bad = np.arange(made - needed)
    ratios = np.log((made - bad) / (bad + 1)) + math.log((1 - good) / good)
    return _sum_from(made * math.log(good), ratios)


def _sum_from(first: float, ratios: NDArray[np.float64]) -> float:
    """Return the sum of terms, of which the first and each over the one before are logarithms."""
    logs = first + np.concatenate(([0.0], np.cumsum(ratios)))
    return min(1.0, float(np.exp(logs).sum()))
