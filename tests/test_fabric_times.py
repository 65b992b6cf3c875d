"""Collectives alone: closed forms, steps added up and flows played out are one."""

import numpy as np
import pytest
from fabric_cases import (
    LATENCY,
    RATE,
    RECTANGLES,
    area_of,
    as_columns,
    as_tuple,
    every_collective,
    seconds,
)

from star_watos.fabric import Mesh
from star_watos.fabric.collectives import (
    Algorithm,
    Kind,
    choose,
    closed,
    collective,
    orders,
    played,
    summed,
)
from star_watos.fabric.collectives.packed import packed, packed_column


@every_collective
def test_closed_forms_are_the_steps_added_up(kind, algorithm):
    """Hops, share and moved; packed trees with as many pieces as fill them, and more."""
    for rows, cols in RECTANGLES:
        area = area_of(rows, cols)
        fills = max(2 * packed(rows, cols).depth, 1)
        for pieces in {fills, fills + 5, 64} if algorithm is Algorithm.PACKED_TREES else {1}:
            known = choose._closed(kind, algorithm, area, pieces)
            if known is None:
                odd = algorithm is Algorithm.HALVING and not closed.is_power_of_two(rows, cols)
                assert odd or (kind is Kind.MULTICAST and pieces < 64)
                continue
            steps = summed(area.mesh, collective(kind, algorithm, area, pieces))
            assert as_tuple(known) == pytest.approx(as_tuple(steps), abs=1e-9), (rows, cols)


def test_closed_forms_of_columns_are_those_of_numbers():
    rows, cols = np.array(RECTANGLES).T
    for form in choose.CLOSED.values():
        column = form(rows, cols)
        for i, shape in enumerate(RECTANGLES):
            each = (np.broadcast_to(x, rows.shape)[i] for x in as_columns(column))
            assert tuple(each) == pytest.approx(as_tuple(form(*shape)), abs=1e-12)
    column = packed_column(RECTANGLES)
    pieces = column.pieces(1e9, RATE, LATENCY)
    for i, shape in enumerate(RECTANGLES):
        one = packed(*shape)
        assert pieces[i] == one.pieces(1e9, RATE, LATENCY)
        assert as_columns(column.terms(pieces))[1][i] == one.terms(pieces[i]).share


def test_cycles_are_where_the_closed_forms_say():
    for shape in RECTANGLES:
        ring = orders.hamiltonian(area_of(*shape)).nodes
        apart = Mesh(*shape).routes(ring, np.roll(ring, -1)).hops
        assert (len(ring) > 2 and apart.max() == 1) == closed.has_cycle(*shape)


def test_the_number_of_pieces_is_the_best():
    """The rounded root against all numbers of pieces that fill the trees."""
    for rows, cols in ((2, 2), (3, 4), (8, 8), (1, 8)):
        trees = packed(rows, cols)
        every = np.arange(2 * trees.depth, 1025)
        for n_bytes in (1e3, 1e6, 1e8, 1e9, 64e9):
            least_s = trees.terms(every).seconds(n_bytes, RATE, LATENCY).min()
            chosen = trees.terms(trees.pieces(n_bytes, RATE, LATENCY))
            assert seconds(chosen, n_bytes) <= least_s * (1 + 1e-4)


@every_collective
def test_a_collective_alone_takes_what_its_steps_add_up_to(kind, algorithm):
    for rows, cols in RECTANGLES:
        area = area_of(rows, cols)
        transfers = collective(kind, algorithm, area, pieces=4)
        for n_bytes in (1e3, 1e9):
            expected = seconds(summed(area.mesh, transfers), n_bytes)
            assert played(area.mesh, n_bytes, transfers).total_s == pytest.approx(
                expected, rel=1e-9
            ), (rows, cols)
