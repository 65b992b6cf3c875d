"""Many cores on one sequence, by hand: who does what, what travels, how long it takes."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from star_watos.compare.spatial import DENSE
from star_watos.spec import load
from star_watos.star import STAR, AttentionWork, Core, simulate
from star_watos.star.spatial import (
    Circulation,
    Noc,
    Partition,
    Ports,
    RingLayout,
    Spread,
    alone,
    fastest,
    mesh_metrics,
    spread_over,
    spreads,
)
from star_watos.star.spatial.document import mesh_document
from star_watos.star.spatial.layout import by_step, hop
from star_watos.star.spatial.loads import mesh_loads
from star_watos.star.spatial.partition import pair_shares, stretches
from star_watos.star.spatial.run import MeshTaskRun
from star_watos.star.spatial.setting import Setting
from star_watos.star.spatial.timing import Ring, handed_on, heads_in_turn, prefetched
from star_watos.star.spatial.trips import trip

CORE = load(Core, "star_28nm", "configs/cores")
TINY = AttentionWork(
    8.0, 1.0, 4.0, 2.0, 4.0, 16.0, 16.0, 0.25, 0.9, load_ratio=0.4375, load_rows=2.0
)
"""Heads of 4 elements, 4 of queries and 2 of keys; queries choose alone: 1 - (1 - 1/4)^2."""
LLAMA = AttentionWork(4096.0, 2.0, 32.0, 8.0, 128.0, 2.0**14, 2.0**14, 0.1, 0.2)
LAID = [
    (RingLayout.NAIVE, 4.0, 1.0),
    (RingLayout.INTERLEAVED, 6.0, 1.0),
    (RingLayout.HAMILTONIAN, 4.0, 0.5),
    (RingLayout.RELAY, 4.0, 1.0),
]
"""On 2 x 2: blocks times hops of a step, on average, and blocks on its most loaded link."""


def joined(*overrides):
    return load(Noc, "noc_64b", "configs/meshes", overrides)


def setting(circulation, ring=RingLayout.HAMILTONIAN, flow=STAR, work=TINY, **changes):
    """Return a work on 2 x 2 cores whose links move 1 B/s."""
    spread = Spread(2, 2, circulation, ring, Partition.PLAIN)
    fields = {"second_pass": 0.0, "predicts_longer": False, "latency_s": 0.0} | changes
    return Setting(work, flow, spread, 1, np.array([1.0]), link_bytes_per_s=1.0, **fields)


# Who does what.


@pytest.mark.parametrize("n", [1, 2, 3, 8])
@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("kind", Partition)
def test_all_pairs_are_shared_out(kind, causal, n):
    parts = stretches(kind, n)
    shares = pair_shares(parts, parts, causal=causal)
    assert shares.min() >= 0
    assert shares.sum() == pytest.approx(1)
    if not causal:
        assert shares == pytest.approx(np.full((n, n), 1 / n**2))


@pytest.mark.parametrize("n", [1, 2, 3, 8, 64])
def test_plain_gives_the_last_core_nearly_twice_the_mean(n):
    """The last of n stretches sees n - 1 whole ones and half of its own: (2 n - 1) / n^2."""
    parts = stretches(Partition.PLAIN, n)
    each = pair_shares(parts, parts, causal=True).sum(axis=1) * n
    assert each == pytest.approx((2 * np.arange(n) + 1) / n)
    assert each.max() == pytest.approx(2 - 1 / n)


@pytest.mark.parametrize("kind", [Partition.ZIGZAG, Partition.STRIPED])
@pytest.mark.parametrize("n", [1, 2, 3, 8, 64])
def test_zigzag_and_stripes_are_balanced(kind, n):
    parts = stretches(kind, n)
    assert pair_shares(parts, parts, causal=True).sum(axis=1) == pytest.approx(np.full(n, 1 / n))


def test_zigzag_of_two_cores_by_hand():
    """Quarters 0 and 3 against 1 and 2, in units of 1/32 of the square, which has 16 below.

    0 on itself 1, 3 on 0 and 3: 2 + 1; on 1 and 2: 4. Core 1: on 0 and 3: 4; on itself 1 + 2 + 1.
    """
    parts = stretches(Partition.ZIGZAG, 2)
    assert (16 * pair_shares(parts, parts, causal=True)).tolist() == [[4, 4], [4, 4]]


@pytest.mark.parametrize("ring", RingLayout)
@pytest.mark.parametrize("n", range(1, 13))
def test_every_core_meets_every_block_once(ring, n):
    """Work of all steps is that of all blocks: powers of three tell what was met how often."""
    blocks = np.tile(3.0 ** np.arange(n), (n, 1))
    assert (by_step(ring, blocks).sum(axis=0) == blocks.sum(axis=1)).all()


# What travels, of a layer.


@pytest.mark.parametrize(("ring", "moved", "load"), LAID)
def test_all_rows_on_a_ring_by_hand(ring, moved, load):
    """4 tokens of 2 x 8 values of 2 B are 128 B a block; three steps."""
    it = trip(setting(Circulation.KV_RING, ring, DENSE, TINY.dense()))
    assert it.byte_hops == pytest.approx(3 * moved * 128)
    assert it.busy_s == pytest.approx(3 * load * 128)
    assert it.stored_bytes == pytest.approx(4 * 3 * 128)
    assert it.index_byte_hops == 0
    assert it.all_rows_byte_hops == pytest.approx(it.byte_hops)


@pytest.mark.parametrize(("ring", "moved", "load"), LAID)
def test_kept_rows_on_a_ring_by_hand(ring, moved, load):
    """Predicted keys 4 x 16 B and an index of 4 x 2 / 8 B each step; of 128 B what is kept.

    4 queries keep 1 - (3/4)^4, 8 keep 1 - (3/4)^8; 12 no more than what is generated, 0.9.
    Keep lists, written and read: 2 x 2 B of 4 heads' pairs, sum over 16 queries of min(4, seen) =
    1 + 2 + 3 + 13 x 4 = 58.
    """
    kept = 128 * np.array([0.9, 1 - 0.75**8, 1 - 0.75**4])
    it = trip(setting(Circulation.KV_RING, ring))
    steps = np.array([6.0, 4.0, 2.0]) if ring is RingLayout.RELAY else np.full(3, moved)
    assert it.byte_hops == pytest.approx(steps @ (64 + 1 + kept))
    assert it.busy_s == pytest.approx(load * (3 * 65 + kept.sum()))
    assert it.index_byte_hops == pytest.approx(steps.sum())
    assert it.all_rows_byte_hops == pytest.approx(steps.sum() * (64 + 128))
    assert it.stored_bytes == pytest.approx(4 * (3 * 64 + kept.sum()) + 4 * 4 * 58)


@pytest.mark.parametrize(("ring", "moved", "load"), LAID[:3])
@pytest.mark.parametrize("flow", [STAR, DENSE])
def test_queries_on_a_ring_by_hand(ring, moved, load, flow):
    """4 x (2 B x 16 + 4 B x (16 + 2 x 4)) = 512 B three times, then 384 B of sums go home."""
    it = trip(setting(Circulation.Q_RING, ring, flow, TINY if flow is STAR else TINY.dense()))
    assert it.byte_hops == pytest.approx(moved * (3 * 512 + 384))
    assert it.busy_s == pytest.approx(load * (3 * 512 + 384))
    assert (it.index_byte_hops, it.stored_bytes) == (0, 0)


def test_lines_of_two_by_hand():
    """Rows: 128 B of queries out, 384 B of sums back; columns: rows of 8 tokens' queries.

    Each of both cores of a line sends once: 4 lines of 2. 8 queries keep 1 - (3/4)^8 of 128 B.
    """
    it = trip(setting(Circulation.TWO_D, RingLayout.INTERLEAVED))
    down = 64 + 1 + 128 * (1 - 0.75**8)
    assert it.byte_hops == pytest.approx(4 * (128 + 384) + 4 * down)
    assert it.busy_s == pytest.approx(max(128 + 384, down))
    assert it.stored_bytes == pytest.approx(4 * (down - 1) + 4 * 4 * 58)


# How long it takes.


def test_blocks_that_come_in_time_by_hand():
    """One core works 2, 0 and 5 s on blocks at 0, 3 and 7 s: 7 + 5. Another: 9 s at once."""
    work = np.array([[2.0, 9.0], [0.0, 0.0], [5.0, 1.0]])[..., None]
    assert prefetched(Ring(work, np.array([[3.0], [4.0]]))).tolist() == [12.0]
    assert prefetched(Ring(work[:, 1:], np.array([[3.0], [4.0]]))).tolist() == [10.0]


def test_handing_on_waits_for_the_slower_neighbour_by_hand():
    """Work 1 and 4, then 1 and 1 s; passing 2 s. Both begin at 4: 4 + max(1, 2), or 4 + 1 + 2.

    Home takes 3 s: of 3 s half comes after all work, but of 1 s of work half is too short: 2.5.
    """
    ring = Ring(np.array([[1.0, 4.0], [1.0, 1.0]])[..., None], np.array([[2.0]]))
    assert handed_on(ring, overlap=True).tolist() == [6.0]
    assert handed_on(ring, overlap=False).tolist() == [7.0]
    assert handed_on(ring, 3.0, overlap=True).tolist() == [8.5]
    assert handed_on(ring, 3.0, overlap=False).tolist() == [10.0]


@pytest.mark.parametrize(
    ("out", "down", "work", "back", "seconds"),
    [
        (4, 2, 8, 4, 1 + 8 + 1),  # cores work on all heads between the first and the last
        (8, 2, 8, 4, 8 + 4),  # rows are never empty
        (4, 20, 8, 4, 20 + 2 + 1),  # the last head comes down at 20
    ],
)
def test_four_heads_in_turn_by_hand(out, down, work, back, seconds):
    assert float(heads_in_turn(4.0, out, down, np.array(float(work)), back)) == seconds


def test_heads_that_come_down_beside_one_another_by_hand():
    """The first at 20 / 4, three more every 12 / 4, and 2 of work and 1 of the way back."""
    assert float(heads_in_turn(4.0, 4.0, 20.0, np.array(8.0), 4.0, 12.0)) == 5 + 9 + 2 + 1


def test_a_step_of_a_ring_by_hand():
    """Of 4 x 4 the way back has 3 hops: 2 messages, 6 s of latency, 8 B at 4 B/s."""
    assert hop(RingLayout.NAIVE, 4, 4, 4.0, 1.0).seconds(8.0, 2.0) == pytest.approx(8)
    assert hop(RingLayout.INTERLEAVED, 4, 4, 4.0, 1.0).seconds(8.0) == pytest.approx(4)
    assert hop(RingLayout.RELAY, 4, 4, 4.0, 1.0).seconds(8.0) == pytest.approx(3)
    assert hop(RingLayout.HAMILTONIAN, 4, 4, 4.0, 1.0).seconds(8.0) == pytest.approx(2)


# What holds for all of them.


@pytest.mark.parametrize("seq_len", [16_384.0, 1000.0, 100.0])
@pytest.mark.parametrize("flow", [STAR, DENSE])
def test_one_core_is_star_simulate(seq_len, flow):
    work = replace(LLAMA, seq_len=seq_len, q_len=seq_len)
    expected = simulate(CORE, work, None, flow).metrics
    for spread in spreads(1, 1):
        found = mesh_metrics(spread_over(alone(CORE, joined(), (1, 1), work, flow), spread, flow))
        assert {name: found[name] for name in expected} == pytest.approx(expected, rel=1e-12)
        assert (found["noc_bytes"], found["noc_exposed_s"]) == (0, pytest.approx(0, abs=1e-12))


@pytest.mark.parametrize("ports", Ports)
@pytest.mark.parametrize("sides", [(1, 1), (1, 5), (4, 1), (2, 3), (3, 3), (4, 6)])
@pytest.mark.parametrize("flow", [STAR, DENSE])
def test_links_carry_what_moves(sides, ports, flow):
    it = alone(CORE, joined(f"ports={ports.value}"), sides, LLAMA, flow)
    for spread in spreads(*sides):
        run = spread_over(it, spread, flow)
        loads = mesh_loads(run)
        assert loads.sum() == pytest.approx(run.byte_hops, rel=1e-12)
        assert loads.max() <= run.link_s * 64e9 * (1 + 1e-12)


@st.composite
def machines(draw):
    """A mesh, its work and how this is spread."""
    sides = draw(st.tuples(st.integers(1, 5), st.integers(1, 5)))
    heads = draw(st.sampled_from([(8, 8, 64), (8, 2, 64), (9, 3, 64), (32, 8, 128)]))
    n_heads, n_kv_heads, head_dim = map(float, heads)
    seq_len = float(draw(st.integers(512, 2**17)))
    keep, causal = draw(st.floats(0.01, 1)), draw(st.booleans())
    work = AttentionWork(
        *(n_heads * head_dim, 1.0, n_heads, n_kv_heads, head_dim, seq_len, seq_len),
        *(keep, min(1.0, 2 * keep)),
        causal=causal,
    )
    spread, flow = draw(st.sampled_from(spreads(*sides))), draw(st.sampled_from([STAR, DENSE]))
    rates = [10 ** draw(st.floats(*ends)) for ends in ((8, 12), (-9, -5), (9, 12))]
    return work, spread, flow, rates, draw(st.sampled_from(Ports))


def ran(work, spread, flow, rates, ports):
    changes = ("link_bandwidth.value", "hop_latency.value", "port_bandwidth")
    given = [f"{name}={rate!r}" for name, rate in zip(changes, rates, strict=True)]
    it = alone(CORE, joined(*given, f"ports={ports.value}"), (spread.rows, spread.cols), work, flow)
    return spread_over(it, spread, flow)


@settings(max_examples=60)
@given(machine=machines(), more=st.floats(1, 16))
def test_more_never_slows_a_mesh_and_nothing_beats_an_even_share(machine, more):
    """Tiles are chosen for one core with an even share: rates that change them are left out."""
    work, spread, flow, (link, hop_s, port), ports = machine
    run = ran(*machine)
    for rates in (
        [link * more, hop_s, port],
        [link, hop_s / more, port],
        [link, hop_s, port * more],
    ):
        other = ran(work, spread, flow, rates, ports)
        same = other.alone.result.layer.chosen == run.alone.result.layer.chosen
        assert other.latency_s <= run.latency_s * (1 + 1e-9) or not same
    waits = ran(work, replace(spread, overlap=False), flow, [link, hop_s, port], ports)
    assert run.latency_s <= waits.latency_s * (1 + 1e-9)
    ideal_s = float(run.alone.result.latency.total_s) / spread.n_cores
    assert ideal_s <= run.latency_s * (1 + 1e-9)
    assert run.exposed_s >= -1e-9 * run.latency_s


@settings(max_examples=20)
@given(machine=machines())
def test_blocks_add_up(machine):
    run = ran(*machine)
    document = mesh_document(MeshTaskRun(CORE, run, {}, [], {}))
    for blocks, metric in (
        ("energy_j", "energy_j"),
        ("area_mm2", "area_mm2"),
        ("power_w", "power_w"),
    ):
        total = sum(document[blocks].values())
        assert total == pytest.approx(document["metrics"][metric], rel=1e-9)


SIDES = [(1, 1), (1, 2), (1, 3), (2, 2), (2, 3), (3, 3), (3, 4), (4, 4), (4, 6), (5, 6), (5, 7)]


@pytest.mark.parametrize("seq_len", [2.0**15, 2.0**17, 2.0**20])
def test_more_cores_are_never_slower_on_long_zigzag_sequences(seq_len):
    work = replace(LLAMA, seq_len=seq_len, q_len=seq_len)
    seconds = [
        fastest(
            spread_over(alone(CORE, joined(), sides, work), spread)
            for spread in spreads(*sides, partition=[Partition.ZIGZAG])
        ).latency_s
        for sides in [*SIDES, (6, 6), (7, 7), (8, 8)]
    ]
    assert (np.diff(seconds) < 0).all()


def test_on_short_sequences_a_query_tile_that_is_not_full_can_cost_more_than_a_core_brings():
    """8,192 queries on 32 cores are two tiles of 128 each; on 35 cores 234.1, two tiles as well."""
    work = replace(LLAMA, seq_len=2.0**13, q_len=2.0**13)
    tiles = {}
    for sides in ((4, 8), (5, 7)):
        spread = Spread(*sides, Circulation.Q_RING, RingLayout.INTERLEAVED, Partition.ZIGZAG)
        tiles[sides] = spread_over(alone(CORE, joined(), sides, work), spread).trip.busiest_core
    assert tiles == {(4, 8): pytest.approx(1), (5, 7): pytest.approx(35 / 32)}
