"""SADS: what segments find, against a sorter written step by step, and on a real model."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from star_watos.star.accuracy.measure import measure_layer
from star_watos.star.accuracy.rows import row
from star_watos.star.accuracy.setting import Setting
from star_watos.star.algorithms import Layout, Ranking, Sads, SortedRows
from star_watos.star.algorithms.attention import check_tiles
from star_watos.star.algorithms.segments import quotas, tiles
from star_watos.star.algorithms.sorter import comparators_per_step

layouts = pytest.mark.parametrize("layout", Layout)
RADII = st.sampled_from([0.0, 1.0, 2.5, 6.0, float("inf")])


@st.composite
def rows_of_scores(draw):
    """Return causal rows of few different scores, so that many tie, and k of each row."""
    keys = draw(st.integers(1, 70))
    first = draw(st.integers(1, keys))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    spread = draw(st.sampled_from([0, 1, 3]))  # the largest stand out, and may come late
    scores = np.rint(spread * rng.standard_t(2, (keys - first + 1, keys))).astype(np.float32)
    scores[np.arange(keys) >= np.arange(first, keys + 1)[:, None]] = -np.inf
    k = draw(st.integers(1, keys))
    return scores, np.minimum(k, np.arange(first, keys + 1))


def best(scores, k):
    """Return the k best keys, of equals those that come first."""
    return sorted(sorted(range(len(scores)), key=lambda key: (-scores[key], key))[:k])


def kept_keys(sorter, scores, k):
    return [np.flatnonzero(kept).tolist() for kept in SortedRows(scores, sorter).kept(k)]


# Rankings, layouts, quotas.


@given(rows_of_scores())
def test_a_ranking_takes_the_best_and_of_equals_the_first(case):
    scores, k = case
    mask = Ranking(scores).top(k)
    assert [np.flatnonzero(row).tolist() for row in mask] == list(map(best, scores.tolist(), k))
    assert not Ranking(scores).top(np.zeros_like(k)).any()


@given(rows_of_scores(), st.sampled_from(Layout), st.sampled_from([None, float("inf")]))
def test_a_single_segment_is_the_exact_top_k(case, layout, radius):
    scores, k = case
    assert kept_keys(Sads(1, layout, radius), scores, k) == list(map(best, scores.tolist(), k))


@layouts
@given(keys=st.integers(1, 300), n=st.integers(1, 40))
def test_segments_share_out_the_keys_evenly(layout, keys, n):
    parts = tiles(layout, keys, n)
    check_tiles(parts, keys)
    sizes = [len(range(keys)[part]) for part in parts]
    assert len(parts) == min(n, keys)
    assert max(sizes) - min(sizes) <= 1


@given(
    arrays(np.int64, st.tuples(st.integers(1, 5), st.integers(1, 9)), elements=st.integers(0, 30)),
    st.floats(0, 1),
)
def test_quotas_sum_to_k_and_fit_what_is_seen(seen, share):
    seen[:, 0] += 1
    k = np.ceil(share * seen.sum(axis=1)).astype(np.int64)
    found = quotas(seen, k)
    assert (found.sum(axis=1) == k).all()
    assert (found >= 0).all()
    assert (found <= seen).all()


def test_a_query_tile_that_sees_less_has_fewer_segments_of_the_same_width():
    sorter = Sads(segments=16)
    assert [sorter.of_prefix(keys, 1024).segments for keys in (1, 64, 65, 512, 1024)] == [
        *(1, 1, 2, 8, 16)
    ]


# The sorter, step by step.


def clipped(scores, keys, radius, known):
    return [key for key in keys if scores[key] > -np.inf and scores[key] >= known - radius]


def segment_by_steps(scores, keys, places, radius, known):
    """Return what a 16-to-4 sorter keeps of a segment, and the maximum that it then knows."""
    carried, at = [], 0
    while at < len(keys):
        new = keys[at : at + (16 if at == 0 else 12)]
        entering = carried + clipped(scores, new, radius, known)
        carried = [entering[i] for i in best([scores[key] for key in entering], 4)]
        known, at = max(known, *(scores[key] for key in new)), at + len(new)
    kept = [carried[i] for i in best([scores[key] for key in carried], places)]
    while 4 < places > len(kept):
        left = [key for key in clipped(scores, keys, radius, known) if key not in kept]
        if not left:
            break
        most = min(4, places - len(kept))
        kept += [left[i] for i in best([scores[key] for key in left], most)]
    return kept, known


def row_by_steps(scores, k, sorter):
    """Return the keys that a row keeps: segments in order, each knowing the maximum so far."""
    keys, known, kept = range(len(scores)), -np.inf, []
    parts = [list(keys[part]) for part in tiles(sorter.layout, len(scores), sorter.segments)]
    seen = np.array([[np.isfinite([scores[key] for key in part]).sum() for part in parts]])
    quota = quotas(seen, np.array([k]))
    if sorter.layout is Layout.ADAPTIVE:
        quota = np.minimum(2 * quota, seen)
    for part, places in zip(parts, quota[0].tolist(), strict=True):
        found, known = segment_by_steps(scores, part, places, sorter.radius, known)
        kept += found
    offered = sorted(kept) or best(scores, 1)
    return [offered[i] for i in best([scores[key] for key in offered], k)]


@layouts
@given(case=rows_of_scores(), n=st.integers(1, 9), radius=RADII)
def test_the_radius_rule_is_that_of_the_sorter_step_by_step(layout, case, n, radius):
    scores, k = case
    sorter = Sads(n, layout, radius)
    rows = zip(scores.tolist(), k.tolist(), strict=True)
    expected = [row_by_steps(each, count, sorter) for each, count in rows]
    assert kept_keys(sorter, scores, k) == expected


def test_a_step_clips_by_what_was_known_before_it():
    """Radius 1. The best, in the first 16, does not clip its own step, but all of the next one.

    Of 20 places the first pass fills 4; later ones know the maximum, and find no more within it.
    """
    scores = np.zeros((1, 28), np.float32)
    scores[0, [3, 17]] = 9.0, 8.5
    sorter = Sads(1, radius=1.0)
    assert kept_keys(sorter, scores, np.array([4])) == [[0, 1, 3, 17]]
    assert kept_keys(sorter, scores, np.array([20])) == [[0, 1, 3, 17]]
    assert kept_keys(Sads(1), scores, np.array([4])) == [[0, 1, 3, 17]]
    scores[0, 20:] = 7.9  # more than the zeros, but out of the radius
    assert kept_keys(sorter, scores, np.array([4])) == [[0, 1, 3, 17]]
    assert kept_keys(Sads(1), scores, np.array([4])) == [[3, 17, 20, 21]]


def test_a_unit_scales_the_radius():
    scores = np.array([[40.0, 31.0, 29.0, 0.0] * 8], np.float32)
    kept = [
        SortedRows(scores, Sads(1, radius=1.0), unit).kept(np.array([32])).sum()
        for unit in (1.0, 0.1, 0.01)
    ]
    assert kept == [8, 16, 32]


@layouts
@given(case=rows_of_scores(), n=st.integers(1, 9))
def test_a_larger_radius_never_keeps_fewer_keys(layout, case, n):
    """Fewer in number: a key that a small radius clips can take the place of another."""
    scores, k = case
    counts = [
        SortedRows(scores, Sads(n, layout, radius)).kept(k).sum(axis=1)
        for radius in (0.0, 1.0, 2.5, 6.0, np.inf)
    ]
    assert (np.diff(counts, axis=0) >= 0).all()
    assert (counts[-1] == k).all()


@layouts
@given(case=rows_of_scores(), n=st.integers(1, 9), radius=st.one_of(st.none(), RADII))
def test_a_row_keeps_between_one_and_k_of_the_keys_it_sees(layout, case, n, radius):
    scores, k = case
    kept = SortedRows(scores, Sads(n, layout, radius)).kept(k)
    assert not kept[np.isneginf(scores)].any()
    assert (kept.sum(axis=1) >= 1).all()
    assert (kept.sum(axis=1) <= k).all()


# Quotas that adapt.


def test_an_adaptive_segment_takes_up_to_twice_its_quota():
    """Quota 2 of each half: the right offers 4 of its 6 good keys, the left what it has."""
    scores = np.array([[1, 2, 3, 4, 5, 6, 17, 16, 15, 14, 13, 12]], np.float32)
    for k, expected in (
        (4, [6, 7, 8, 9]),
        (6, [6, 7, 8, 9, 10, 11]),
        (10, [2, 3, 4, 5, *range(6, 12)]),
    ):
        assert kept_keys(Sads(2, Layout.ADAPTIVE), scores, np.array([k])) == [expected]
    plain = Sads(2, Layout.CONTIGUOUS)
    assert kept_keys(plain, scores, np.array([4])) == [[4, 5, 6, 7]]


def test_what_an_adaptive_segment_may_not_offer_is_not_kept():
    """One key in five of each segment is good; at most twice the quota of 1 comes from either."""
    scores = np.array([[9, 8, 7, 0, 0, 1, 1, 1, 1, 1]], np.float32)
    assert kept_keys(Sads(2, Layout.ADAPTIVE), scores, np.array([2])) == [[0, 1]]
    assert kept_keys(Sads(5, Layout.ADAPTIVE), scores, np.array([5])) == [[0, 1, 2, 5, 6]]


# Comparisons.


def test_comparisons_by_hand():
    """Rows that keep 3 and 6 of 20 keys, 63 comparators a step."""
    scores, k = np.zeros((2, 20), np.float32), np.array([3, 6])
    a_step = comparators_per_step()
    assert a_step == 63
    # One segment: 1 + 2 passes of ceil((20 - 4) / 12) = 2 steps.
    assert SortedRows(scores, Sads(1)).comparisons(k) == (1 + 2) * 2 * a_step
    # Two of 10 keys: quotas 1, 2 and 3, 3, one pass of one step each.
    assert SortedRows(scores, Sads(2)).comparisons(k) == 4 * a_step
    # Offers 2, 4 and 6, 6: 1 + 1 + 2 + 2 passes; then 6 and 12 offers are merged, 1 + 2 passes.
    adaptive = SortedRows(scores, Sads(2, Layout.ADAPTIVE))
    assert adaptive.comparisons(k) == (6 + 1 + 2) * a_step
    # A bitonic sort of 32: 8 * 5 * 6 comparators a row.
    assert adaptive.full_sort_comparisons == 2 * 240


# What is found on a real model.


@pytest.fixture(scope="module")
def found(real_layers):
    """Rows of each layer at three keep ratios, by number of segments and layout."""
    keep_ratios = (0.05, 0.1, 0.25)
    results = {}
    with ThreadPoolExecutor(2) as pool:
        for n in (4, 8, 16):
            for layout in Layout:
                setting = Setting(sorter=Sads(n, layout))
                results[n, layout] = [
                    [row(t, setting) for t in measure_layer(layer, setting, keep_ratios, pool)[1]]
                    for layer in real_layers
                ]
    return results


@layouts
@pytest.mark.parametrize("n", [4, 8, 16])
def test_more_keys_find_more_of_the_best(found, n, layout):
    for layer in found[n, layout]:
        for figure in ("recall", "mass_kept", "cosine"):
            values = [each[figure] for each in layer]
            assert values == sorted(values)


@pytest.mark.parametrize("n", [4, 8, 16])
def test_strided_segments_find_more_than_contiguous_ones(found, n):
    """By 7 points of recall or more at any ratio: large scores stand close together."""
    for strided, contiguous in zip(
        found[n, Layout.STRIDED], found[n, Layout.CONTIGUOUS], strict=True
    ):
        for one, other in zip(strided, contiguous, strict=True):
            assert one["recall"] > other["recall"] + 0.05
            assert one["mass_kept"] > other["mass_kept"]
            assert one["rel_l2"] < other["rel_l2"]


@pytest.mark.parametrize("n", [4, 8, 16])
def test_adaptive_quotas_make_up_for_a_part_of_it(found, n):
    for adaptive, contiguous in zip(
        found[n, Layout.ADAPTIVE], found[n, Layout.CONTIGUOUS], strict=True
    ):
        for one, other in zip(adaptive, contiguous, strict=True):
            assert one["recall"] > other["recall"] + 0.05
