"""Switches as a fabric, and the model of a node's all-reduces against measurements."""

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from star_watos.fabric import Switches, SwitchFabric
from star_watos.fabric.collectives import Kind, is_right, played
from star_watos.fabric.collectives.channels import channels
from star_watos.fabric.collectives.transfers import then
from star_watos.fabric.flows import finish_s
from star_watos.fabric.switched import all_reduce_s, ring_s
from star_watos.spec import load, root
from star_watos.tables import table
from star_watos.units import BYTES, quantity
from star_watos.validate.wafers import wafer_comparisons
from star_watos.watos.cluster import Cluster
from star_watos.watos.switched import Switched

DGX = Switches(8, 230e9, 6.6e-6, 19e9, 1e-5)
"""Adapters are the narrower way out of a node: 8 x 19 < 230."""


@pytest.mark.parametrize("n", [2, 5, 8, 16, 32])
def test_channels_bring_the_right_data(n):
    scatter = channels(n, 8)
    assert is_right(Kind.REDUCE_SCATTER, scatter, np.arange(n))
    assert is_right(Kind.ALL_REDUCE, then(scatter, scatter.reversed()), np.arange(n))


@given(n=st.sampled_from([2, 3, 7, 8, 16, 24]), size=st.floats(1e3, 1e10))
def test_the_formula_of_rings_is_what_their_flows_take(n, size):
    fabric, scatter = SwitchFabric(DGX, n), channels(n, 8)
    assert played(fabric, size, scatter).total_s == pytest.approx(ring_s(DGX, n, 1, size), rel=1e-9)
    whole = played(fabric, size, then(scatter, scatter.reversed())).total_s
    assert whole == pytest.approx(all_reduce_s(DGX, n, 1, size), rel=1e-9)


def test_flows_between_nodes_take_adapters_and_share_them():
    """Two flows of 19 GB into device 8, from two nodes: 19 GB/s for both, 2 s and 10 us."""
    fabric = SwitchFabric(DGX, 24)
    routes = fabric.routes(np.array([0, 16, 8, 3]), np.array([8, 8, 9, 3]))
    assert routes.hops.tolist() == [2, 2, 2, 0]
    ends = finish_s(fabric, routes, np.array([19e9, 19e9, 230e9, 1.0]))
    assert ends == pytest.approx([2 + 1e-5, 2 + 1e-5, 1 + 6.6e-6, 0])


def test_all_reduces_of_another_machine_are_within_10_percent():
    rows = [row for row in wafer_comparisons() if row.table == "all_reduce_4_a100"]
    errors = np.abs([row.error_pct for row in rows])
    assert len(rows) == 15
    assert errors.mean() == pytest.approx(5.95, abs=0.01)
    assert errors.max() < 16


def measured():
    path = root() / "configs/kernels/all_reduce_a100.csv"
    with path.open(encoding="utf-8", newline="") as file:
        rows = [(float(r["n"]), float(r["size_bytes"]), r["time_us"]) for r in csv.DictReader(file)]
    return [(n, size, float(time)) for n, size, time in rows]


def test_left_out_numbers_of_gpus_are_within_10_percent(tmp_path):
    """Each number of GPUs as the others' rows tell it; 2 and 8 have none beyond them."""
    rows, errors = measured(), []
    network = Switched(load(Cluster, "dgx_a100", "configs/clusters"), 8)
    for left in range(2, 9):
        path = Path(tmp_path) / f"{left}.csv"
        kept = [f"{n:g},{size:g},{time}" for n, size, time in rows if n != left]
        path.write_text("\n".join(["n,size_bytes,time_us", *kept]) + "\n", encoding="utf-8")
        others = table(str(path), ("n", "size_bytes"), ("time_us",))
        node = network._switches
        node = Switches(8, node.node_bytes_per_s, node.node_latency_s, 1.0, 1.0, others)
        errors += [1e6 * all_reduce_s(node, n, 1, s) / t - 1 for n, s, t in rows if n == left]
    assert len(errors) == 140
    assert np.abs(errors).mean() == pytest.approx(0.0853, abs=1e-4)


def test_the_formula_alone_is_further_off_than_the_table():
    """The figures of `docs/fabric.md`; its two constants are from two of the 140 rows."""
    network = Switched(load(Cluster, "dgx_a100", "configs/clusters"), 8)
    alone = replace(network._switches, all_reduce_table=None)
    there = [
        (4.0, quantity(row.item, BYTES), row.published)
        for row in wafer_comparisons()
        if row.table == "all_reduce_4_a100"
    ]
    ratios = [
        [1e6 * all_reduce_s(alone, n, 1, s) / t for n, s, t in rows] for rows in (there, measured())
    ]
    means = [float(np.abs(np.array(each) - 1).mean()) for each in ratios]
    assert means == pytest.approx([0.101, 0.130], abs=5e-4)
