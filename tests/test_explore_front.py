"""Fronts and hypervolumes, against brute force and closed forms."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from star_watos.explore import Sense, hypervolume, non_dominated, signs_of
from star_watos.explore.archive import Archive
from star_watos.explore.gate import hypervolumes, stored_front
from star_watos.explore.sweep import HypervolumeGate
from star_watos.spec import InputError

BOTH = {"x": Sense.MINIMIZE, "y": Sense.MAXIMIZE}


@st.composite
def points(draw, most=40):
    """A few points on a coarse grid, so that ties and duplicates are common."""
    width = draw(st.integers(1, 4))
    row = st.lists(st.integers(0, 4), min_size=width, max_size=width)
    values = draw(st.lists(row, min_size=1, max_size=most))
    signs = draw(st.lists(st.sampled_from([-1.0, 1.0]), min_size=width, max_size=width))
    return np.array(values, dtype=float), np.array(signs)


@given(points())
def test_a_front_is_what_brute_force_leaves_with_the_first_of_equals(case):
    values, signs = case
    losses = [tuple(row) for row in values * signs]
    expected = [
        not any(b != a and all(p <= q for p, q in zip(b, a, strict=True)) for b in losses)
        and a not in losses[:i]
        for i, a in enumerate(losses)
    ]
    assert list(non_dominated(values, signs)) == expected


@given(points(), st.randoms(use_true_random=False))
def test_batches_leave_the_same_front_as_one_call(case, random):
    values, signs = case
    senses = {
        f"m{i}": Sense.MINIMIZE if sign > 0 else Sense.MAXIMIZE for i, sign in enumerate(signs)
    }
    rows = [dict(zip(senses, map(float, row), strict=True)) for row in values]
    archive = Archive(senses)
    start = 0
    while start < len(rows):
        stop = start + random.randint(1, 7)
        archive.add(rows[start:stop])
        start = stop
    assert archive.rows == [rows[i] for i in np.flatnonzero(non_dominated(values, signs))]
    assert list(archive.reference) == list((values * signs).max(axis=0) * signs)


def test_what_is_not_finite_is_in_no_front():
    bad = [[np.nan, 0.0], [-np.inf, 0.0], [0.0, np.inf]]
    values = np.array([*bad, [1.0, 1.0]])
    assert list(non_dominated(values, np.ones(2))) == [False, False, False, True]
    assert not non_dominated(np.array(bad), np.ones(2)).any()
    assert hypervolume(values, np.array([2.0, 2.0]), np.ones(2)) == 1.0


def test_an_empty_front_has_no_volume():
    assert list(non_dominated(np.empty((0, 3)), np.ones(3))) == []
    assert hypervolume(np.empty((0, 3)), np.zeros(3), np.ones(3)) == 0.0
    assert Archive(BOTH).hypervolume() is None


def test_an_archive_says_whether_its_front_changed():
    archive = Archive(BOTH)
    assert not archive.add([])
    assert archive.add([{"x": 1.0, "y": 1.0}])
    assert not archive.add([{"x": 1.0, "y": 1.0, "other": 2}])
    assert not archive.add([{"x": 2.0, "y": 0.0}])
    assert archive.add([{"x": 2.0, "y": 5.0}])
    assert archive.add([{"x": 1.0, "y": 6.0}])
    assert archive.rows == [{"x": 1.0, "y": 6.0}]
    # The worst seen, though beaten, bounds the volume: (2 - 1) * (6 - 0).
    assert archive.hypervolume() == 6.0


@pytest.mark.parametrize("n", [1, 2, 5, 20])
def test_the_volume_of_a_staircase(n):
    """Points (i, n - 1 - i) under the reference (n, n).

    Row by row from the right, the area is n + (n - 1) + ... + 1 = n (n + 1) / 2.
    """
    values = np.array([[i, n - 1 - i] for i in range(n)], dtype=float)
    assert hypervolume(values, np.full(2, float(n)), np.ones(2)) == n * (n + 1) / 2


@pytest.mark.parametrize("m", [1, 2, 3, 4])
def test_the_volume_of_one_point_is_a_box(m):
    """Gains of 3 and reference 1 in each of m objectives: 2 ** m."""
    values = np.full((1, m), 3.0)
    assert hypervolume(values, np.ones(m), -np.ones(m)) == pytest.approx(2.0**m)


@pytest.mark.parametrize("m", [2, 3, 4])
def test_the_volume_of_unit_losses(m):
    """The m unit vectors under (2, ..., 2): all of 2 ** m but the unit cube at the origin's corner.

    A point p is beaten by the unit vector i if p_i >= 1, so what is left over is every p_i < 1,
    the cube of volume 1.
    """
    assert hypervolume(np.eye(m), np.full(m, 2.0), np.ones(m)) == pytest.approx(2.0**m - 1)


@given(points(most=12))
def test_dominated_points_add_no_volume(case):
    values, signs = case
    reference = 5.0 * signs
    front = values[non_dominated(values, signs)]
    whole, few = (hypervolume(some, reference, signs) for some in (values, front))
    assert whole == pytest.approx(few)


def test_a_front_covers_as_much_as_itself():
    front = np.array([[1.0, 5.0], [2.0, 8.0]])
    first, other = hypervolumes(front, front, BOTH)
    assert first == other > 0


def test_the_ends_of_a_front_count():
    """Two ends at (0, 1) and (1, 0), a tenth of the range beyond both: the reference is (1.1, 1.1).

    Both: 1.1 * 0.1 + 0.1 * 1.1 - 0.1 * 0.1 = 0.21. One alone: 0.11.
    """
    senses = {"x": Sense.MINIMIZE, "y": Sense.MINIMIZE}
    stored = np.array([[0.0, 1.0], [1.0, 0.0]])
    assert hypervolumes(stored[:1], stored, senses) == pytest.approx((0.11, 0.21))


def test_the_volume_of_a_single_design_is_defined():
    one = np.array([[3.0, 4.0]])
    first, other = hypervolumes(one, one, BOTH)
    assert first == other > 0


def test_signs_follow_the_senses():
    assert list(signs_of(BOTH.values())) == [1.0, -1.0]


class Sweep:
    """What `stored_front` reads of a sweep."""

    def __init__(self, reference):
        self.objectives = BOTH
        self.expect = type(
            "E", (), {"hypervolume": HypervolumeGate(min_ratio=1, reference=reference)}
        )


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("x,z\n1,2\n", "r.csv:1:1  y: no such column"),
        ("x,y\n", "r.csv  holds no designs"),
        ("", "r.csv:1:1  x: no such column"),
        ("x,y\n1,2\n3,\n", "r.csv:3:1  y: expected a number, got ''"),
        ("x,y\n1,1e60\n", "r.csv:2:1  y: expected a number, got '1e60'"),
        ("x,y\n1,nan\n", "r.csv:2:1  y: expected a number, got 'nan'"),
        ('x,y\n1,"2', "r.csv:2:1  not a table of comma-separated values: unexpected end of data"),
        ("x,y\n1\n", "r.csv:2:1  y: expected a number, got ''"),
    ],
)
def test_a_reference_that_is_no_front_is_named(tmp_path, monkeypatch, text, says):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "r.csv").write_text(text)
    with pytest.raises(InputError) as caught:
        stored_front(Sweep("r.csv"))
    assert says in str(caught.value).splitlines()


def test_a_reference_that_is_not_there_is_named():
    with pytest.raises(InputError, match=r"expect\.hypervolume\.reference: .*no such file"):
        stored_front(Sweep("nowhere/pareto.csv"))


def test_the_columns_of_a_reference_are_found_by_name(tmp_path):
    (tmp_path / "r.csv").write_text("name,y,x\na,2,1\nb,4,3\n")
    assert stored_front(Sweep(str(tmp_path / "r.csv"))).tolist() == [[1.0, 2.0], [3.0, 4.0]]
