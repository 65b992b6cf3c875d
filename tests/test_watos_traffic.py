"""What replicas of a stage send on a wafer, by the formula and on the mesh it stands for."""

from dataclasses import replace

import numpy as np
import pytest

from star_watos.fabric import Area, Links, Mesh, all_reduce, reduce_scatter
from star_watos.fabric.collectives import Kind, choices, collective, together_s

RATE, LATENCY = 1e12, 1e-7


def on_rectangles(transfers, mesh, tp_rows, tp_cols):
    """Return a line's collective for each die of the rectangles that stand side by side on it."""
    groups = []
    for row in range(tp_rows):
        for col in range(tp_cols):
            node = np.append(row * mesh.cols + col + tp_cols * np.arange(mesh.cols // tp_cols), -1)
            ends = {end: node[getattr(transfers, end)] for end in ("source", "target", "via")}
            groups.append(replace(transfers, **ends))
    return groups


@pytest.mark.parametrize(("tp_rows", "tp_cols"), [(1, 1), (1, 2), (2, 2), (3, 1), (2, 4)])
@pytest.mark.parametrize("replicas", [2, 3, 4, 7])
@pytest.mark.parametrize("n_bytes", [1e4, 1e7, 1e10])
def test_collectives_of_replicas_are_those_of_their_mesh(tp_rows, tp_cols, replicas, n_bytes):
    """h dies' collectives share links h ways: h times the bytes and h times the latency.

    The formula is that of the fastest algorithm on a line which has a closed form. On the wafer's
    mesh, all dies of the rectangles at once, that algorithm takes as long.
    """
    line = Area.all(Mesh(1, replicas, RATE, LATENCY * tp_cols))
    wafer = Mesh(tp_rows, tp_cols * replicas, RATE, LATENCY)
    links = Links(RATE, LATENCY * tp_cols)
    for kind, formula in ((Kind.ALL_REDUCE, all_reduce), (Kind.REDUCE_SCATTER, reduce_scatter)):
        taken = formula(1, replicas, n_bytes * tp_cols, links)
        same = pytest.approx(taken.seconds, rel=1e-12)
        fastest = next(c for c in choices(kind, line, n_bytes * tp_cols) if c.seconds == same)
        one = collective(kind, fastest.algorithm, line, fastest.pieces)
        groups = on_rectangles(one, wafer, tp_rows, tp_cols)
        assert together_s(wafer, n_bytes, groups) == pytest.approx(taken.seconds, rel=1e-9)
