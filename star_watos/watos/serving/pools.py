"""Dies that serve one phase or both: their plans as columns, and how many replicas each has."""

from dataclasses import dataclass

import numpy as np

from star_watos.watos.cluster import Cluster
from star_watos.watos.hardware import Hardware
from star_watos.watos.legal import Rectangle, cluster_rectangles, mesh_rectangles
from star_watos.watos.plans import Index, Ints, Plans, plans_of
from star_watos.watos.wafer import Grid
from star_watos.workload import Model

MOST_SEQUENCES = 4096
"""Of a microbatch in decode."""


@dataclass(frozen=True, slots=True)
class Pool:
    """Plans on a part of the hardware, a row each."""

    plans: Plans
    replicas: Ints
    """Pipelines of each plan that fit."""
    devices: int

    def inside(self, grid: Grid) -> tuple[Index, Ints]:
        """Return the plans for which a smaller grid has room, and how many of each it has.

        They are those of `region`, in its order.
        """
        plans = self.plans
        slots = (grid.rows // plans.tp_rows) * (grid.cols // plans.tp_cols)
        rows = np.flatnonzero(plans.pp <= slots)
        return rows, (slots // plans.pp)[rows]

    def take(self, rows: "Ints | Index") -> "Pool":
        """Return some rows."""
        return Pool(self.plans.take(rows), self.replicas[rows], self.devices)


def pool_of(hardware: Hardware, devices: int, model: Model, sequences: Ints) -> Pool:
    """Return the plans on all of a wafer, or on some GPUs of a cluster."""
    if isinstance(hardware, Cluster):
        per_node = hardware.network.gpus_per_node
        return _pool(model, cluster_rectangles(model, per_node, devices), sequences, devices)
    return region(hardware.grid, model, sequences)


def region(grid: Grid, model: Model, sequences: Ints) -> Pool:
    """Return the plans on a rectangle of dies.

    >>> from star_watos.workload import load_model
    >>> found = region(Grid(rows=1, cols=2), load_model("llama2_7b"), np.array([1]))
    >>> found.plans.tp.tolist(), found.plans.pp.tolist(), found.replicas.tolist()
    ([1, 1, 2], [1, 2, 1], [2, 1, 1])
    """
    return _pool(model, mesh_rectangles(model, grid), sequences, grid.size)


def _pool(model: Model, groups: list[Rectangle], sequences: Ints, devices: int) -> Pool:
    """Return every group, depth of pipeline and number of sequences at once."""
    rows = [
        (group.rows, group.cols, pp, group.slots // pp, b)
        for group in groups
        for pp in range(1, min(group.slots, model.n_layers) + 1)
        for b in sequences.tolist()
    ]
    table = np.array(rows, dtype=np.int64).reshape(-1, 5)
    plans = plans_of(
        len(table), tp_rows=table[:, 0], tp_cols=table[:, 1], pp=table[:, 2], microbatch=table[:, 4]
    )
    return Pool(plans, table[:, 3], devices)


def sequences_tried() -> Ints:
    """Return powers of two, and half as many again.

    >>> sequences_tried()[:7].tolist()
    [1, 2, 3, 4, 6, 8, 12]
    """
    powers = 2 ** np.arange(MOST_SEQUENCES.bit_length())
    found = np.unique(np.concatenate([powers, 3 * powers[:-1] // 2]))
    return found[found <= MOST_SEQUENCES].astype(np.int64)
