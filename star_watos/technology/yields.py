"""How many dies are good, and what a good one costs."""

import math

import numpy as np

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
