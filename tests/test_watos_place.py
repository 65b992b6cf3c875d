"""Where stages stand: against brute force, and against a snake around holes."""

from itertools import permutations

import numpy as np
import pytest

from star_watos.fabric import Mesh
from star_watos.fabric.flows import link_loads
from star_watos.watos.balance.place import Ground, placed


def traffic_of(rng, n_stages, n_pairs):
    """Return what stages of a pipeline send each other: neighbours, and some pairs beside."""
    traffic = np.eye(n_stages, k=1) * rng.integers(1, 6)
    for _ in range(n_pairs if n_stages > 1 else 0):
        sender, helper = rng.choice(n_stages, 2, replace=False)
        traffic[sender, helper] += rng.integers(1, 20)
    return traffic + traffic.T


def cost(mesh, traffic, nodes):
    """Return bytes times hops and those of the busiest link, flow by flow."""
    pairs = np.argwhere(traffic > 0)
    source, target = (nodes[pairs[:, end]] for end in (0, 1))
    loads = link_loads(mesh, mesh.routes(source, target), traffic[tuple(pairs.T)])
    return float(loads.sum() + loads.max(initial=0.0))


def holed(rng, rows, cols):
    """Return a connected mesh of which a few nodes and links are missing."""
    while True:
        whole = Mesh(rows, cols)
        pairs = [(a, int(b)) for a in whole.nodes.tolist() for b in whole.neighbours[a] if b > a]
        nodes = frozenset(rng.permutation(rows * cols)[: rng.integers(0, 3)].tolist())
        gone = rng.permutation(len(pairs))[: rng.integers(0, 3)].tolist()
        mesh = Mesh(
            rows, cols, missing_nodes=nodes, missing_links=frozenset(pairs[i] for i in gone)
        )
        if len(mesh.nodes) > 1 and mesh.connected:
            return mesh


@pytest.mark.parametrize("shape", [(1, 4), (2, 2), (2, 3), (1, 6), (3, 3)], ids=str)
def test_few_places_are_as_good_as_brute_force(shape):
    """Every number of stages up to all places; on 3 x 3 up to six, and all nine once."""
    rng = np.random.default_rng(0)
    mesh, most = Mesh(*shape), 6 if shape == (3, 3) else shape[0] * shape[1]
    for n_stages in range(2, most + 1):
        traffic = traffic_of(rng, n_stages, n_stages // 2)
        ground = Ground.of(mesh, mesh.nodes, traffic)
        found = cost(mesh, traffic, placed(ground, np.arange(n_stages)))
        orders = permutations(range(mesh.n_nodes), n_stages)
        if mesh.n_nodes == 9 and n_stages > 4:
            best = min(ground.costs(np.array(list(orders))))
        else:
            best = min(cost(mesh, traffic, np.array(order)) for order in orders)
        assert found == pytest.approx(best)


def test_all_nine_of_three_by_three():
    rng = np.random.default_rng(1)
    mesh, traffic = Mesh(3, 3), traffic_of(rng, 9, 4)
    ground = Ground.of(mesh, mesh.nodes, traffic)
    best = ground.costs(np.array(list(permutations(range(9))))).min()
    assert ground.costs(placed(ground, np.arange(9))[None])[0] == pytest.approx(best)


def test_costs_of_orders_are_those_of_their_flows():
    rng = np.random.default_rng(2)
    for _ in range(50):
        mesh = holed(rng, *rng.integers(2, 6, 2).tolist())
        n_stages = int(rng.integers(2, len(mesh.nodes) + 1))
        traffic = traffic_of(rng, n_stages, 3)
        ground = Ground.of(mesh, mesh.nodes, traffic)
        orders = np.array([rng.permutation(len(mesh.nodes))[:n_stages] for _ in range(4)])
        expected = [cost(mesh, traffic, mesh.nodes[order]) for order in orders]
        assert ground.costs(orders) == pytest.approx(expected)


def test_nothing_is_worse_than_a_snake_around_holes():
    """On 200 random meshes with holes; most are better where stages keep things for others."""
    rng, better = np.random.default_rng(3), 0
    for _ in range(200):
        mesh = holed(rng, *rng.integers(2, 7, 2).tolist())
        rows = np.arange(mesh.n_nodes).reshape(mesh.rows, mesh.cols)
        snake = np.concatenate([row[:: 1 - 2 * (i % 2)] for i, row in enumerate(rows)])
        snake = snake[np.isin(snake, mesh.nodes)]
        n_stages = int(rng.integers(2, len(snake) + 1))
        traffic = traffic_of(rng, n_stages, n_stages // 2)
        found = placed(Ground.of(mesh, snake, traffic), np.arange(n_stages))
        assert len(set(found.tolist())) == n_stages
        before, after = (cost(mesh, traffic, snake[o]) for o in (np.arange(n_stages), found))
        assert after <= before * (1 + 1e-12)
        better += after < before
    assert better > 100


def test_neighbours_stay_as_near_as_they_have_to():
    rng = np.random.default_rng(4)
    mesh = Mesh(2, 4)
    snake = np.array([0, 1, 2, 3, 7, 6, 5, 4])
    traffic = traffic_of(rng, 8, 6)
    found = placed(Ground.of(mesh, snake, traffic, farthest=1.0), np.arange(8))
    row, col = np.divmod(snake[found], 4)
    assert (np.abs(np.diff(row)) + np.abs(np.diff(col)) == 1).all()
