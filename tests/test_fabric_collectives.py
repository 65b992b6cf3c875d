"""Collectives: right data everywhere, and a check that catches what is wrong."""

from dataclasses import replace

import numpy as np
import pytest
from fabric_cases import (
    ADDING,
    RECTANGLES,
    area_of,
    as_tuple,
    every_collective,
    holed_areas,
    partition,
    random_mesh,
)

from star_watos.fabric import Mesh
from star_watos.fabric.collectives import (
    Algorithm,
    Kind,
    collective,
    is_right,
    rings,
    summed,
)
from star_watos.fabric.collectives.check import final_counts
from star_watos.fabric.collectives.choose import SCATTERS


def test_most_of_the_random_meshes_have_holes():
    assert sum(not area.whole for area in holed_areas()) > 120


@every_collective
def test_everywhere_is_the_right_data_on_whole_meshes(kind, algorithm):
    for rows, cols in RECTANGLES:
        area = area_of(rows, cols)
        root = int(area.nodes[-1] // 2)
        transfers = collective(kind, algorithm, area, pieces=2, root=root)
        assert is_right(kind, transfers, area.nodes, root), (rows, cols)


@every_collective
def test_everywhere_is_the_right_data_around_holes(kind, algorithm):
    rng = np.random.default_rng(1)
    for area in holed_areas():
        root = int(rng.choice(area.nodes))
        transfers = collective(kind, algorithm, area, pieces=2, root=root)
        assert is_right(kind, transfers, area.nodes, root), area


@every_collective
def test_everywhere_is_the_right_data_on_parts_of_meshes(kind, algorithm):
    """Disjoint rectangles of a mesh with holes; ways between nodes of one may lead outside."""
    rng = np.random.default_rng(2)
    for _ in range(20):
        for area in partition(rng, random_mesh(rng, 4, 10)):
            if np.isin(area.places, list(area.mesh.missing_nodes)).all():
                continue
            transfers = collective(kind, algorithm, area, pieces=2)
            inside = np.concatenate([transfers.source, transfers.target])
            assert np.isin(inside, area.nodes).all()
            assert is_right(kind, transfers, area.nodes, int(area.nodes[0])), area


def test_a_multicast_reaches_all_from_everywhere():
    area = area_of(4, 5)
    for root in area.nodes.tolist():
        transfers = collective(Kind.MULTICAST, Algorithm.PACKED_TREES, area, 3, root)
        assert is_right(Kind.MULTICAST, transfers, area.nodes, root)
        assert not is_right(Kind.MULTICAST, transfers, area.nodes, (root + 1) % 20)


@pytest.mark.parametrize("algorithm", SCATTERS, ids=str)
def test_chunks_of_a_reduce_scatter_are_spread_evenly(algorithm):
    """Each node has as many; of `halving` only where both sides are powers of two.

    Elsewhere its nodes that hand all to the next have no chunk afterwards. What it scatters is
    right, and backwards it brings all chunks to all nodes, those included; but it is the
    all-gather of those that have chunks, and no replacement for one in which all have.
    """
    for rows, cols in RECTANGLES:
        area = area_of(rows, cols)
        counts = final_counts(SCATTERS[algorithm](area), area.nodes)
        owned = (counts == 1).all(axis=-1)
        assert (owned.sum(axis=0) == 1).all()
        if algorithm is not Algorithm.HALVING:
            assert len(set(owned.sum(axis=1).tolist())) == 1
            continue
        alive = 2 ** int(np.log2(rows)) * 2 ** int(np.log2(cols))
        assert sorted(set(owned.sum(axis=1).tolist())) == ([0, 1] if alive < area.size else [1])
        assert owned.any(axis=1).sum() == alive


@pytest.mark.parametrize("length", range(1, 9))
def test_the_relay_gathers_on_a_line_in_single_hops(length):
    """n - 1 steps of one hop, each link at most one chunk a step: (n - 1) a + (n - 1) / n S / B."""
    mesh = Mesh(1, length)
    transfers = rings.relay(np.arange(length), np.arange(length), length)
    assert is_right(Kind.ALL_GATHER, transfers, mesh.nodes)
    assert as_tuple(summed(mesh, transfers)) == pytest.approx(
        (length - 1, (length - 1) / length, length - 1)
    )


def test_what_an_algorithm_does_not_do_is_refused():
    with pytest.raises(ValueError, match="binary-trees does no all-gather"):
        collective(Kind.ALL_GATHER, Algorithm.BINARY_TREES, area_of(2, 2))


def rows_of(transfers):
    """Return some rows to spoil, of all steps."""
    return np.random.default_rng(3).choice(len(transfers.step), 12).tolist()


shapes = pytest.mark.parametrize("shape", [(4, 4), (3, 5), (1, 6)], ids=str)


@every_collective
@shapes
def test_no_transfer_can_be_left_out(kind, algorithm, shape):
    area = area_of(*shape)
    right = collective(kind, algorithm, area, pieces=2)
    for row in rows_of(right):
        short = right.taken(np.arange(len(right.step)) != row)
        assert not is_right(kind, short, area.nodes, int(area.nodes[0]))


@every_collective
@shapes
def test_no_transfer_can_bring_another_chunk(kind, algorithm, shape):
    area = area_of(*shape)
    right = collective(kind, algorithm, area, pieces=2)
    right = rings.halves(right, right) if right.n_chunks == 1 else right
    for row in rows_of(right):
        chunk = right.chunk.copy()
        chunk[row] = (chunk[row] + 1) % right.n_chunks
        assert not is_right(kind, replace(right, chunk=chunk), area.nodes, int(area.nodes[0]))


@pytest.mark.parametrize(("kind", "algorithm"), ADDING, ids=str)
@shapes
def test_no_sum_can_be_added_twice(kind, algorithm, shape):
    area = area_of(*shape)
    right = collective(kind, algorithm, area, pieces=2)
    for row in np.flatnonzero(right.adds)[::7].tolist():
        twice = right.taken(np.append(np.arange(len(right.step)), row))
        assert not is_right(kind, twice, area.nodes)


@every_collective
@pytest.mark.parametrize("shape", [(4, 4), (2, 8)], ids=str)
def test_no_two_steps_can_be_one(kind, algorithm, shape):
    """All from one step on, one step earlier: something leaves before it has come.

    Of powers of two: in other lines a node of a binary tree idles for a step.
    """
    area = area_of(*shape)
    right = collective(kind, algorithm, area, pieces=2)
    for step in range(1, right.n_steps):
        early = replace(right, step=right.step - (right.step >= step))
        assert not is_right(kind, early, area.nodes, int(area.nodes[0]))


@pytest.mark.parametrize(
    "algorithm",
    [
        Algorithm.RING,
        Algorithm.BIDIRECTIONAL_RING,
        Algorithm.HAMILTONIAN_RING,
        Algorithm.INTERLEAVED_RING,
    ],
)
def test_no_transfer_of_a_ring_can_be_a_step_earlier(algorithm):
    area = area_of(3, 4)
    right = collective(Kind.ALL_REDUCE, algorithm, area)
    for row in np.flatnonzero(right.step)[::11].tolist():
        step = right.step.copy()
        step[row] -= 1
        assert not is_right(Kind.ALL_REDUCE, replace(right, step=step), area.nodes)
