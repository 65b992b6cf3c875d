"""A mesh of cores played out against its formulas, and by hand."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from star_watos.compare.spatial import DENSE
from star_watos.cost import Bound
from star_watos.errors import InputError
from star_watos.report.trace import write_trace
from star_watos.spec import load, read
from star_watos.star import STAR, AttentionWork, Core
from star_watos.star.spatial import (
    Alone,
    Circulation,
    Noc,
    Partition,
    RingLayout,
    Spread,
    alone,
    spread_over,
    spreads,
)
from star_watos.star.spatial.event import events_s, layer_trace, play_layer

CORE = load(Core, "star_28nm", "configs/cores")
SIDES = [(r, c) for r in range(1, 5) for c in range(1, 5) if r * c > 1] + [(1, 8), (8, 1)]
MODELS = [(8, 8, 64), (12, 12, 64), (8, 2, 64), (9, 3, 64), (32, 8, 128)]
"""Heads of queries, heads of keys, their width."""
CASES = 400


def joined(link_bytes_per_s=64e9, hop_s=2e-9, ports="cores"):
    given = (f"link_bandwidth.value={link_bytes_per_s!r}", f"hop_latency.value={hop_s!r}")
    return load(Noc, "noc_64b", "configs/meshes", [*given, f"ports={ports}"])


def work(model, seq_len, keep=0.1, *, causal=True, n_layers=2.0):
    n_heads, n_kv_heads, head_dim = map(float, model)
    shape = (n_heads * head_dim, n_layers, n_heads, n_kv_heads, head_dim, seq_len, seq_len)
    return AttentionWork(*shape, keep, min(1.0, 2 * keep), causal=causal)


def ran(model, seq_len, spread, flow=STAR, noc=None, **changes):
    it = alone(
        CORE,
        noc or joined(),
        (spread.rows, spread.cols),
        work(model, float(seq_len), **changes),
        flow,
    )
    assert isinstance(it, Alone)
    return spread_over(it, spread, flow)


def drawn(rng, sides):
    """Return a run of a random work on a mesh of one of `sides`, spread at random."""
    sides = sides[rng.integers(len(sides))]
    every = spreads(*sides)
    flow = STAR if rng.random() < 0.7 else DENSE
    noc = joined(
        float(10 ** rng.uniform(8.5, 11.5)),
        float(10 ** rng.uniform(-9, -6)),
        ["cores", "edges", "corners"][rng.integers(3)],
    )
    return ran(
        MODELS[rng.integers(len(MODELS))],
        2 ** rng.integers(11, 19),
        every[rng.integers(len(every))],
        flow,
        noc,
        keep=float(2 ** -rng.uniform(1, 6)),
        causal=bool(rng.random() < 0.7),
    )


def gap_pct(run):
    return 100 * (run.layers_s / events_s(run) - 1)


# The formulas.


@pytest.fixture(scope="module")
def compared():
    """Random runs and how far the formulas are from the events, in percent."""
    rng = np.random.default_rng(0)
    runs = [drawn(rng, SIDES) for _ in range(CASES)]
    return runs, np.array([gap_pct(run) for run in runs])


def test_formulas_and_events_agree_on_random_meshes(compared):
    """Bounds may shrink only. Measured: see `docs/star_mesh.md`."""
    runs, gaps = compared
    assert {run.spread.circulation for run in runs} == set(Circulation)
    assert {run.spread.ring for run in runs} == set(RingLayout)
    assert sum(run.link_s > 2 * run.still_s for run in runs) > CASES / 20
    assert sum(run.bound is not Bound.NOC for run in runs) > CASES / 4
    sizes = abs(gaps)
    assert np.median(sizes) <= 0.01
    assert np.percentile(sizes, 95) <= 1
    assert sizes.max() <= 10
    assert abs(gaps.mean()) <= 0.1


@pytest.mark.parametrize("circulation", Circulation)
def test_formulas_and_events_agree_in_each_dataflow(compared, circulation):
    runs, gaps = compared
    own = [
        abs(g) for run, g in zip(runs, gaps, strict=True) if run.spread.circulation is circulation
    ]
    assert np.median(own) <= 0.01
    assert np.percentile(own, 95) <= 1.5


def test_formulas_and_events_agree_on_a_larger_mesh():
    rng = np.random.default_rng(3)
    gaps = [abs(gap_pct(drawn(rng, [(6, 6)]))) for _ in range(12)]
    assert np.median(gaps) <= 0.01
    assert max(gaps) <= 0.5


@pytest.mark.parametrize("circulation", Circulation)
def test_links_without_limits_leave_the_work_of_the_busiest_core(circulation):
    """Each core then waits for nothing but two passes: of 8 heads of keys, the first one's."""
    noc = joined(1e18, 0.0)
    for partition in Partition:
        spread = Spread(2, 2, circulation, RingLayout.INTERLEAVED, partition)
        run = ran((8, 8, 64), 2**14, spread, noc=noc)
        assert events_s(run) == pytest.approx(run.still_s, rel=0.02)
        assert events_s(run) == pytest.approx(
            run.trip.busiest_core * float(run.alone.result.latency.total_s) / 4, rel=0.15
        )


def test_slow_links_leave_what_the_most_loaded_link_takes():
    """At 1 MB/s cores hardly count."""
    for spread in spreads(2, 3, partition=[Partition.ZIGZAG]):
        run = ran((8, 8, 64), 2**12, spread, noc=joined(1e6))
        own = run.alone.total(run.trip.busy_s)
        assert own * (1 - 1e-9) <= events_s(run) <= 1.001 * own, spread


@pytest.mark.parametrize("sides", [(1, 1), (1, 4)])
@pytest.mark.parametrize("seq_len", [2**11, 2**16])
def test_where_no_rows_travel_there_is_one_pass(sides, seq_len):
    """On one row of cores 2d passes on queries and outputs only, and one core nothing at all."""
    spread = Spread(*sides, Circulation.TWO_D, RingLayout.NAIVE, Partition.ZIGZAG)
    for keep in (0.01, 0.3):
        run = ran((8, 2, 64), seq_len, spread, noc=joined(1e18, 0.0), keep=keep)
        assert events_s(run) == pytest.approx(run.still_s, rel=1e-6)
        assert run.passes_s == 0


# By hand.


def test_two_cores_hand_halves_of_queries_on_by_hand():
    """Even work: two blocks of w on each core, of halves; passing p, the way home b.

    Links are slow: half a block is worked on, both halves are passed on, then both go home:
    w / 2 + p + b. Passing has 2 B of queries and 4 B of sums of 512 and two numbers a head; home
    is without the queries.
    """
    spread = Spread(1, 2, Circulation.Q_RING, RingLayout.NAIVE, Partition.PLAIN)
    run = ran((8, 8, 64), 4096, spread, noc=joined(1e6, 0.0), causal=False, n_layers=1.0)
    work_s = float(run.alone.result.latency.total_s) / 2 / 2
    back = 2048 * 4 * (512 + 2 * 8) / 1e6
    passing = back + 2048 * 2 * 512 / 1e6
    assert events_s(run) == pytest.approx(work_s / 2 + passing + back, rel=1e-9)


def test_two_dense_cores_pass_rows_head_after_head_by_hand():
    """Slow links: 8 heads' blocks one after the other, then the work on the last of them."""
    spread = Spread(1, 2, Circulation.KV_RING, RingLayout.NAIVE, Partition.PLAIN)
    run = ran((8, 8, 64), 4096, spread, DENSE, joined(1e6, 0.0), causal=False, n_layers=1.0)
    work_s = float(run.alone.result.latency.total_s) / 2 / 2
    rows = 2048 * 2 * 2 * 512 / 1e6
    assert events_s(run) == pytest.approx(rows + work_s / 8, rel=1e-9)


# What it says.


@pytest.mark.parametrize("circulation", Circulation)
def test_the_trace_is_valid_and_nested_on_every_track(circulation, tmp_path):
    spread = Spread(2, 3, circulation, RingLayout.INTERLEAVED, Partition.ZIGZAG)
    layer = play_layer(ran((8, 8, 64), 2**13, spread))
    write_trace(tmp_path / "trace.json", layer_trace(layer))
    trace = read(tmp_path / "trace.json").data
    names = {e["tid"]: e["args"]["name"] for e in trace["traceEvents"] if e["ph"] == "M"}
    shown = [e for e in trace["traceEvents"] if e["ph"] == "X"]
    assert {e["tid"] for e in shown} == set(names)
    assert len(set(names.values())) == len(names)
    assert Counter(name.split()[1] for name in names.values()).keys() == set("012345")
    for tid, name in names.items():
        track = [e for e in shown if e["tid"] == tid]
        ends = [e["ts"] + e["dur"] for e in track]
        begins = [e["ts"] for e in track]
        assert begins == sorted(begins)
        assert all(b >= e - 1e-6 for e, b in zip(ends, begins[1:], strict=False)), name
    assert max(e["ts"] + e["dur"] for e in shown) == pytest.approx(1e6 * layer.played.total_s)


def test_more_than_64_cores_are_not_played_out():
    spread = Spread(8, 9, Circulation.Q_RING, RingLayout.NAIVE, Partition.ZIGZAG)
    with pytest.raises(InputError, match="is of meshes of 64 cores at most, got 72"):
        events_s(ran((8, 8, 64), 2**13, spread))


def test_without_overlap_nothing_is_played_out():
    spread = Spread(2, 2, Circulation.Q_RING, RingLayout.NAIVE, Partition.ZIGZAG)
    with pytest.raises(InputError, match="--overlap"):
        events_s(ran((8, 8, 64), 2**13, replace(spread, overlap=False)))
