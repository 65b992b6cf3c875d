"""Experts on one GPU of a cluster: their products in one kernel, and tokens sorted by them."""

import numpy as np

from star_watos.cost import Column
from star_watos.tables import table
from star_watos.watos.cluster import Cluster
from star_watos.workload import Op

SORTS = 2.0
"""Times that copies of tokens go through memory beside what brings them to a device and back: into
and out of the order of the experts there (`MoEAlltoAllTokenDispatcher` of Megatron-Core)."""


def grouped_rates(cluster: Cluster, op: Op) -> tuple[Column, Column, Column]:
    """Return the rates of an operator's products over those of one product of all rows.

    They are those of the forward pass, of the gradients of data and of weights. Where each expert
    has few rows they leave multiprocessors idle, and weights are read and gradients written for
    little work. Beyond the measured rows the ends stay.
    """
    grouped = cluster.experts.grouped if cluster.experts else None
    if grouped is None or np.all(np.asarray(op.batch) <= 1):
        return 1.0, 1.0, 1.0
    measured = table(grouped.table.value, ("rows",), ("forward", "data", "weights"))
    shares = measured.at(measured.within(0, op.m)) / grouped.plain.value
    forward, data, weights = np.where(np.asarray(op.batch) > 1, shares, 1.0)
    return forward, data, weights


def sorting_s(cluster: Cluster, op: Op) -> Column | None:
    """Seconds of either pass of what moves tokens: copies are made or summed up, and sorted.

    None for other operators, and where the cluster says nothing of experts.
    """
    if cluster.experts is None or op.name not in {"dispatch", "combine"}:
        return None
    copies = np.maximum(op.input_bytes, op.output_bytes)
    moved = op.input_bytes + op.output_bytes + SORTS * copies
    seconds: Column = moved / cluster.stream_bytes_per_s(cluster.experts.sorting)
    return seconds
