"""What pipeline and replicas send over the mesh between TP rectangles.

Rectangles stand on a snake through the grid, the replicas of a stage side by side, stages in order.
All dies of a rectangle send at once to their counterparts, so a transfer to a rectangle h hops away
shares each link with h - 1 others: the distance counts once for latency and once for bandwidth.
"""

from collections.abc import Callable

import numpy as np

from star_watos.cost import Column
from star_watos.fabric import Links, Taken, all_reduce, reduce_scatter
from star_watos.watos.plans import Plans
from star_watos.watos.wafer import Wafer


def slot_hops(wafer: Wafer, plans: Plans) -> Column:
    """Hops between dies of the same place in neighbouring rectangles.

    The width of a rectangle, or where the snake turns, the larger of width and height.
    """
    per_row = wafer.grid.cols // plans.tp_cols
    wide = np.where(per_row > 1, plans.tp_cols, 0)
    turns = plans.pp * plans.replicas > per_row
    hops = np.where(turns, np.maximum(wide, plans.tp_rows), wide)
    return hops.astype(np.float64)


def send_s(wafer: Wafer, plans: Plans, boundary_bytes: Column) -> Column:
    """Seconds to hand one microbatch's activations to the next stage, dp cp rectangles away.

    hops (latency + bytes / link bandwidth), the sends of the replicas sharing the links.
    """
    hops = plans.replicas * slot_hops(wafer, plans)
    seconds: Column = hops * (wafer.d2d.latency_s + boundary_bytes / wafer.d2d.link_bytes_per_s)
    return seconds


def replicas_all_reduce_s(wafer: Wafer, plans: Plans, n_bytes: Column) -> Column:
    """Seconds to all-reduce `n_bytes` a die over the replicas."""
    return _replicas(all_reduce, wafer, plans, n_bytes).seconds


def replicas_ring_s(wafer: Wafer, plans: Plans, n_bytes: Column) -> Column:
    """Seconds to reduce-scatter, or to all-gather, `n_bytes` a die over the replicas."""
    return _replicas(reduce_scatter, wafer, plans, n_bytes).seconds


def _replicas(
    collective: Callable[[Column, Column, Column, Links], Taken],
    wafer: Wafer,
    plans: Plans,
    n_bytes: Column,
) -> Taken:
    """Return what a collective takes over the replicas, which stand on a line.

    Each of its hops is h hops of the mesh, which h such lines share: h times the bytes and h times
    the latency.
    """
    hops, d2d = slot_hops(wafer, plans), wafer.d2d
    links = Links(d2d.link_bytes_per_s, d2d.latency_s * hops)
    return collective(1, plans.replicas, n_bytes * hops, links)


def send_byte_hops(wafer: Wafer, plans: Plans, boundary_bytes: Column) -> Column:
    """Bytes times hops of all sends of one microbatch, forward and backward, all replicas."""
    hops = plans.replicas * slot_hops(wafer, plans)
    moved: Column = 2 * (plans.pp - 1) * plans.tp * plans.replicas * boundary_bytes * hops
    return moved


def replicas_byte_hops(wafer: Wafer, plans: Plans, n_bytes: Column) -> Column:
    """Bytes times hops of the all-reduces over replicas, of all stages and dies."""
    line = _replicas(all_reduce, wafer, plans, n_bytes).byte_hops
    moved: Column = line * plans.pp * plans.tp
    return moved
