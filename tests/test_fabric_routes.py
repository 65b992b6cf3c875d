"""Routes and flows on a mesh: by hand, against a search of their own, and fair by definition."""

from collections import deque

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from star_watos.fabric import Mesh, Routes, Switches, SwitchFabric, mesh_routes
from star_watos.fabric.flows import (
    busiest_s,
    fair_rates,
    finish_s,
    flow_energy_j,
    link_loads,
    slowest,
)
from star_watos.fabric.mesh_routes import DIRECTIONS, EAST, NORTH, SOUTH, WEST
from star_watos.fabric.routes import routes_by


def pairs_of(mesh):
    """Return all pairs of neighbours."""
    return [(a, int(b)) for a in mesh.nodes.tolist() for b in mesh.neighbours[a] if b > a]


@st.composite
def meshes(draw, most=9):
    """Return a connected mesh of which up to 10 % of the nodes and of the links are missing."""
    rows, cols = draw(st.integers(1, most)), draw(st.integers(1, most))
    whole = Mesh(rows, cols)
    pairs = pairs_of(whole)
    assume(pairs)
    nodes = draw(st.sets(st.integers(0, rows * cols - 1), max_size=rows * cols // 10))
    links = draw(st.sets(st.sampled_from(pairs), max_size=len(pairs) // 10))
    mesh = Mesh(rows, cols, missing_nodes=frozenset(nodes), missing_links=frozenset(links))
    assume(mesh.connected)
    return mesh


def every_pair(mesh):
    """Return source and target of a flow from each node to each."""
    n = len(mesh.nodes)
    return np.repeat(mesh.nodes, n), np.tile(mesh.nodes, n)


def links_of(found):
    """Return the links of each flow."""
    return [link.tolist() for link in np.split(found.link, found.start[1:-1])]


def ahead(mesh, node):
    """Return the neighbours of a node, from the mesh's definition."""
    row, col = divmod(node, mesh.cols)
    for direction, (down, right) in enumerate(DIRECTIONS):
        r, c = row + down, col + right
        other = r * mesh.cols + c
        gone = {(node, other), (other, node)} & mesh.missing_links
        inside = 0 <= r < mesh.rows and 0 <= c < mesh.cols
        if inside and not gone and not {node, other} & mesh.missing_nodes:
            yield direction, other


def distances(mesh, target):
    """Return the hops from each node to `target`: a search in breadth, one node at a time."""
    found, queue = {target: 0}, deque([target])
    while queue:
        node = queue.popleft()
        for _, other in ahead(mesh, node):
            if other not in found:
                found[other] = found[node] + 1
                queue.append(other)
    return found


def random_flows(rng, mesh, count):
    """Return source, target and bytes of flows between nodes that are there."""
    source, target = rng.choice(mesh.nodes, (2, count))
    return source, target, rng.integers(0, 1000, count).astype(float)


def test_routes_by_hand():
    """3 x 4: from 0 east over 0, 1, 2 (links 0, 4, 8), then south from 3 and 7 (14, 30).

    And from 9 to 0: west from 9 (4 x 9 + 1), then north from 8 and 4 (35, 19).
    """
    found = Mesh(3, 4).routes(np.array([0, 9, 5]), np.array([11, 0, 5]))
    assert links_of(found) == [[0, 4, 8, 14, 30], [37, 35, 19], []]
    assert found.hops.tolist() == [5, 3, 0]


def test_a_detour_by_hand():
    """2 x 3 without the middle of its first row: 0 to 2 goes south, east, east, north."""
    mesh = Mesh(2, 3, missing_nodes=frozenset({1}))
    found = mesh.routes(np.array([0, 3]), np.array([2, 5]))
    assert links_of(found) == [
        [4 * 0 + SOUTH, 4 * 3 + EAST, 4 * 4 + EAST, 4 * 5 + NORTH],
        [4 * 3 + EAST, 4 * 4 + EAST],
    ]


@given(meshes())
def test_routes_are_paths_on_what_is_there_and_shortest(mesh):
    source, target = every_pair(mesh)
    found = mesh.routes(source, target)
    hops_to = {t: distances(mesh, t) for t in mesh.nodes.tolist()}
    towards = {node: dict(ahead(mesh, node)) for node in mesh.nodes.tolist()}
    for a, b, links in zip(source.tolist(), target.tolist(), links_of(found), strict=True):
        at = a
        for link in links:
            assert link // 4 == at
            at = towards[at][link % 4]  # a link that is missing is no key
        assert at == b
        assert len(links) == hops_to[b][a]


@given(meshes())
def test_a_hop_leaves_the_row_only_where_no_hop_along_it_leads_nearer(mesh):
    source, target = every_pair(mesh)
    distance_to = {t: distances(mesh, t) for t in mesh.nodes.tolist()}
    for end, links in zip(target.tolist(), links_of(mesh.routes(source, target)), strict=True):
        hops_to = distance_to[end]
        for link in links:
            at, direction = divmod(link, 4)
            along = [b for d, b in ahead(mesh, at) if d in {EAST, WEST}]
            if direction in {SOUTH, NORTH}:
                assert all(hops_to[b] > hops_to[at] for b in along)


@given(st.integers(1, 9), st.integers(1, 9))
def test_where_nothing_is_missing_rows_come_first(rows, cols):
    """Once a route has turned into a column it stays there, and it never turns back."""
    mesh = Mesh(rows, cols)
    for links in links_of(mesh.routes(*every_pair(mesh))):
        directions = [link % 4 for link in links]
        vertical = [d in {SOUTH, NORTH} for d in directions]
        assert vertical == sorted(vertical)
        assert len(set(directions)) <= 2
        assert not {EAST, WEST} <= set(directions)
        assert not {SOUTH, NORTH} <= set(directions)


@given(meshes())
def test_searching_few_targets_at_a_time_finds_the_same(mesh):
    together = mesh.routes(*every_pair(mesh))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mesh_routes, "BLOCK", 3 * mesh.n_nodes)
        apart = mesh.routes(*every_pair(mesh))
    assert together.link.tolist() == apart.link.tolist()
    assert together.start.tolist() == apart.start.tolist()


@pytest.mark.parametrize(("source", "target"), [(4, 0), (0, 4), (4, 4)])
def test_a_missing_node_neither_sends_nor_receives(source, target):
    mesh = Mesh(3, 3, missing_nodes=frozenset({4}))
    with pytest.raises(ValueError, match="begins or ends at a missing node"):
        mesh.routes(np.array([1, source]), np.array([2, target]))
    with pytest.raises(ValueError, match="missing node"):
        routes_by(mesh, np.array([0]), np.array([[4, -1]]), np.array([8]))


def test_a_node_that_is_cut_off_has_no_way():
    """1 x 3 without its second link; 2 x 2 without two opposite nodes."""
    for mesh, target in (
        (Mesh(1, 3, missing_links=frozenset({(1, 2)})), 2),
        (Mesh(2, 2, missing_nodes=frozenset({1, 2})), 3),
    ):
        assert not mesh.connected
        with pytest.raises(ValueError, match="no way to its target"):
            mesh.routes(np.array([0]), np.array([target]))


@given(meshes(most=6), st.integers(0, 2**32 - 1))
def test_routes_by_way_of_nodes_are_their_legs(mesh, seed):
    rng = np.random.default_rng(seed)
    source, first, second, target = rng.choice(mesh.nodes, (4, 20))
    via = np.stack([np.where(rng.random(20) < 0.5, first, -1), second], axis=1)
    found = links_of(routes_by(mesh, source, via, target))
    for a, (b, c), d, links in zip(source, via, target, found, strict=True):
        stops = np.array([a, *([b] if b >= 0 else []), c, d])
        assert links == mesh.routes(stops[:-1], stops[1:]).link.tolist()


@given(meshes(), st.integers(0, 2**32 - 1))
def test_links_carry_bytes_times_hops(mesh, seed):
    source, target, n_bytes = random_flows(np.random.default_rng(seed), mesh, 50)
    found = mesh.routes(source, target)
    loads = link_loads(mesh, found, n_bytes)
    assert loads.sum() == (n_bytes * found.hops).sum()
    assert not loads[~mesh.present].any()
    out, back = loads.reshape(-1, 4), np.zeros(mesh.n_nodes)
    for node in mesh.nodes.tolist():
        for direction, other in ahead(mesh, node):
            back[other] += out[node, direction]
    sent = np.bincount(source, n_bytes, mesh.n_nodes) - np.bincount(target, n_bytes, mesh.n_nodes)
    assert np.array_equal(out.sum(axis=1) - back, sent)  # what comes in goes on, but at the ends


def test_energy_and_the_busiest_link_by_hand():
    """1 x 3, 2 J a byte and hop: 4 B over two hops, 6 B over one: 8 + 6 = 14 byte-hops.

    The second link carries both, 10 B at 5 B/s.
    """
    mesh = Mesh(1, 3, link_bytes_per_s=5.0, energy_j_per_byte=2.0)
    found, n_bytes = mesh.routes(np.array([0, 1]), np.array([2, 2])), np.array([4.0, 6.0])
    assert flow_energy_j(mesh, found, n_bytes) == 28.0
    assert busiest_s(mesh, found, n_bytes) == 2.0


def test_the_slowest_link_is_one_that_is_there():
    """Of 1 x 3 nodes only 0 and 1 are joined, at 3 and 4 B/s; the links to 2 are slower."""
    rates, latencies = np.full(12, 1.0), np.full(12, 9.0)
    joined = Mesh(1, 3, missing_links=frozenset({(1, 2)})).present
    rates[joined], latencies[joined] = (3.0, 4.0), (0.5, 0.25)
    mesh = Mesh(1, 3, rates, latencies, missing_links=frozenset({(1, 2)}))
    assert slowest(mesh) == (3.0, 0.5)
    assert slowest(SwitchFabric(Switches(2, 8.0, 0.5, 4.0, 2.0), 4)) == (4.0, 1.0)


@given(meshes(), st.integers(1, 60), st.integers(0, 2**32 - 1))
def test_rates_are_max_min_fair(mesh, count, seed):
    """No link over its capacity; every flow has a full link on which none is faster."""
    rng = np.random.default_rng(seed)
    source, target, _ = random_flows(rng, mesh, count)
    capacity = rng.integers(1, 5, mesh.n_links) * rng.choice([1.0, 1e9])
    found = mesh.routes(source, target)
    rate = fair_rates(found, capacity)
    flow = np.repeat(np.arange(count), found.hops)
    used = np.bincount(found.link, rate[flow], mesh.n_links)
    assert (used <= capacity * (1 + 1e-6)).all()
    fastest = np.zeros(mesh.n_links)
    np.maximum.at(fastest, found.link, rate[flow])
    full = used >= capacity * (1 - 1e-6)
    for i, links in enumerate(links_of(found)):
        narrow = [link for link in links if full[link] and rate[i] >= fastest[link] * (1 - 1e-6)]
        assert narrow or not links
    assert np.isinf(rate[found.hops == 0]).all()


def test_two_flows_of_different_size_share_a_link():
    """10 B and 30 B on a link of 2 B/s: 1 B/s each, the first ends at 10 s with 20 B left.

    They take 10 s more alone. Each has its own latency to go: of one hop and of two, 3 s each.
    """
    mesh = Mesh(1, 3, link_bytes_per_s=2.0, latency_s=3.0)
    found = mesh.routes(np.array([0, 0]), np.array([1, 2]))
    assert finish_s(mesh, found, np.array([10.0, 30.0])).tolist() == [13.0, 26.0]


def test_a_narrow_link_leaves_the_others_more():
    """Links of 6, 2 and 6 B/s: one flow over all has 1, one on the narrow link 1, others 5."""
    narrow = np.full(16, 6.0)
    narrow[4 * 1 + EAST] = 2.0
    mesh = Mesh(1, 4, link_bytes_per_s=narrow)
    found = mesh.routes(np.array([0, 0, 1, 2]), np.array([3, 1, 2, 3]))
    assert fair_rates(found, mesh.capacity_bytes_per_s).tolist() == [1.0, 5.0, 1.0, 5.0]
    assert finish_s(mesh, found, np.full(4, 5.0)).tolist() == [5.0, 1.0, 5.0, 1.0]


@given(meshes(most=6), st.integers(0, 2**32 - 1))
def test_no_flow_is_faster_than_alone_and_the_last_waits_for_the_busiest_link(mesh, seed):
    rng = np.random.default_rng(seed)
    source, target, n_bytes = random_flows(rng, mesh, 20)
    found = mesh.routes(source, target)
    ended = finish_s(mesh, found, n_bytes)
    alone = np.where(found.hops > 0, n_bytes, 0.0)
    assert (ended >= alone * (1 - 1e-6)).all()
    assert ended.max() >= busiest_s(mesh, found, n_bytes) * (1 - 1e-6)
    assert ended.max() <= alone.sum() * (1 + 1e-6)


def crossings(lines, length, line, first, last, n_bytes):
    """Return the bytes that go from place k of a line to k + 1, [lines, length].

    Each flow begins to count at `first` and no longer counts at `last`: differences, then sums.
    """
    change = np.zeros((lines, length + 1))
    np.add.at(change, (line, first), n_bytes)
    np.add.at(change, (line, last), -n_bytes)
    return np.cumsum(change, axis=1)[:, :length]


def test_ten_thousand_flows_on_ten_thousand_nodes():
    """Loads of dimension-ordered routes again, from differences and prefix sums."""
    side, count = 100, 10_000
    mesh, rng = Mesh(side, side), np.random.default_rng(0)
    source, target, n_bytes = random_flows(rng, mesh, count)
    (row, col), (to_row, to_col) = np.divmod(source, side), np.divmod(target, side)
    expected = np.zeros((side, side, 4))
    east, south = np.maximum(col, to_col), np.maximum(row, to_row)
    expected[:, :, EAST] = crossings(side, side, row, col, east, n_bytes)
    expected[:, :, WEST] = crossings(side, side, row, np.minimum(col, to_col) + 1, col + 1, n_bytes)
    expected[:, :, SOUTH] = crossings(side, side, to_col, row, south, n_bytes).T
    expected[:, :, NORTH] = crossings(
        side, side, to_col, np.minimum(row, to_row) + 1, row + 1, n_bytes
    ).T
    loads = link_loads(mesh, mesh.routes(source, target), n_bytes)
    assert np.array_equal(loads, expected.ravel())


def test_a_hole_leaves_ten_thousand_flows_their_bytes():
    """One missing node of 10,000: only flows that would pass it go round, two hops more at most."""
    rng = np.random.default_rng(1)
    whole, holed = Mesh(100, 100), Mesh(100, 100, missing_nodes=frozenset({5050}))
    source, target, _ = random_flows(rng, holed, 10_000)
    before, after = whole.routes(source, target), holed.routes(source, target)
    gone = ~holed.present[before.link]
    passed = np.bincount(np.repeat(np.arange(10_000), before.hops)[gone], minlength=10_000) > 0
    assert 0 < passed.sum() < 200
    assert set((after.hops - before.hops)[passed].tolist()) <= {0, 2}
    kept = np.flatnonzero(~passed)
    assert np.array_equal(before.take(kept).link, after.take(kept).link)


def test_taking_flows_keeps_their_links():
    taken = Routes(np.array([0, 2, 2, 5]), np.array([7, 8, 1, 2, 3])).take(np.array([2, 1, 0]))
    assert links_of(taken) == [[1, 2, 3], [], [7, 8]]
    assert taken.along(np.arange(9.0)).tolist() == [6.0, 0.0, 15.0]
