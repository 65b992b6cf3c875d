"""What `star accuracy` counts and compares, on three real layers that ship with the tests."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

from star_watos.star.accuracy import Setting, attends
from star_watos.star.accuracy.measure import measure_layer, tiles_of
from star_watos.star.accuracy.rows import row
from star_watos.star.accuracy.tile import heads_of
from star_watos.star.algorithms import Layout, Method, Predictor, Sads
from star_watos.tensors import Rotation, dense

FLOAT = Setting(arithmetic=None)
CLIPPED = Setting(sorter=Sads(8, radius=1.0))


def first(layer, tokens, number=0):
    """Return a layer over its first tokens."""
    rotation = Rotation(layer.rotation.cos[:tokens], layer.rotation.sin[:tokens])
    short = {name: getattr(layer, name)[:, :tokens] for name in ("q", "k", "v")}
    return replace(layer, layer=number, x=layer.x[:tokens], rotation=rotation, **short)


@pytest.fixture
def pool():
    with ThreadPoolExecutor(2) as pool:
        yield pool


def rows_of(layer, setting, keep_ratios, pool):
    return [row(each, setting) for each in measure_layer(layer, setting, keep_ratios, pool)[1]]


# A layer.


def test_all_keys_kept_is_dense_attention(real_layers, pool):
    for layer in real_layers:
        for setting, error in ((FLOAT, 1e-6), (Setting(), 1e-2)):
            (found,) = rows_of(layer, setting, [1.0], pool)
            assert found["recall"] == found["kept_share"] == found["kv_ratio"] == 1
            assert found["load_ratio"] == found["group_load_ratio"] == 1
            assert found["mass_kept"] == pytest.approx(1, abs=1e-6)
            assert found["cosine"] == pytest.approx(1, abs=error)
            assert found["rel_l2"] < error
    assert found["rel_l2"] > 1e-6, "the integer path rounds"


def test_the_layer_gives_its_dense_output_whatever_is_kept(real_layers, pool):
    for layer in real_layers:
        output, _ = measure_layer(layer, Setting(), [0.05, 0.3], pool)
        np.testing.assert_allclose(output, dense(layer), rtol=1e-3, atol=1e-5)


def test_an_exact_predictor_with_a_whole_row_finds_all(real_layers, pool):
    setting = Setting(Predictor(Method.EXACT), Sads(1))
    for layer in real_layers:
        for found in rows_of(first(layer, 300), setting, [0.05, 0.5], pool):
            assert found["recall"] == pytest.approx(1, abs=1e-3), "but for ties in float32"
            assert found["mass_kept"] < 1


def test_counts_by_hand(real_layers, pool):
    """200 tokens, k = 50: queries 0 to 49 keep all they see, 150 others 50; tiles of 128 and 72."""
    (measured,) = measure_layer(first(real_layers[0], 200), Setting(), [0.25], pool)[1]
    t = measured.tally
    assert t.rows == 3 * 200
    assert t.choices == 3 * 150
    assert t.pairs == 3 * sum(min(50, i + 1) for i in range(200)) == 3 * (1275 + 150 * 50)
    assert t.seen == 3 * 200 * 201 / 2
    assert t.visited == 3 * (128 + 200)
    assert t.group_visited == 128 + 200
    assert t.segments.sum() == t.pairs


@pytest.mark.parametrize("layout", Layout)
@pytest.mark.parametrize("radius", [None, 1.0])
def test_unions_are_those_of_the_masks_key_by_key(real_layers, pool, layout, radius):
    layer, k = first(real_layers[1], 200), 20
    setting = Setting(sorter=Sads(4, layout, radius))
    (found,) = measure_layer(layer, setting, [k / 200], pool)[1]
    prepared = setting.predictor.prepare(layer)
    loads, together, visited, pairs, everything = 0, 0, 0, 0, set()
    for where in tiles_of(layer, 128):
        of_heads = []
        for head in heads_of(layer, prepared, where, setting):
            kept = [set(np.flatnonzero(row).tolist()) for row in head.kept(k)]
            assert all(max(keys) <= where.queries.start + i for i, keys in enumerate(kept))
            pairs += sum(map(len, kept))
            of_heads.append(set().union(*kept))
        loads += sum(map(len, of_heads))
        together += len(set().union(*of_heads))
        visited += where.keys
        everything |= set().union(*of_heads)
    assert (found.tally.loads, found.tally.group_loads) == (loads, together)
    assert found.tally.pairs == pairs
    shown = row(found, setting)
    assert shown["load_ratio"] == loads / (3 * visited)
    assert shown["group_load_ratio"] == together / visited
    assert shown["kv_ratio"] == len(everything) / 200


def test_query_tiles_add_up_to_one_tile_of_all_queries(real_layers, pool):
    """A whole row is a row whatever the tile: only what tiles share differs."""
    layer = first(real_layers[2], 200)
    small, large = (
        rows_of(layer, Setting(Predictor(), Sads(1), None, tile), [0.1], pool)[0]
        for tile in (16, 256)
    )
    for name in ("recall", "mass_kept", "rel_l2", "cosine", "kept_share", "kv_ratio"):
        assert small[name] == pytest.approx(large[name], rel=1e-5), name
    assert small["load_ratio"] < large["load_ratio"]


def test_shares_and_errors_are_in_order(real_layers, pool):
    for layer in real_layers:
        for found in rows_of(first(layer, 300), Setting(), [0.1, 0.4], pool):
            assert sum(found["segments"]) == pytest.approx(1)
            assert len(found["segments"]) == 8
            assert found["keep_ratio"] < found["load_ratio"] <= found["group_load_ratio"] <= 1
            assert found["kept_share"] <= found["kv_ratio"] <= 1
            assert 0 < found["rel_l2"] < 1
            assert found["ratios"]["rass_to_in_order"] < 1
            assert found["ratios"]["predict_to_exact"] < 1


def test_a_radius_keeps_fewer_pairs(real_layers, pool):
    layer = first(real_layers[0], 300)
    (all_k,), (clipped,) = (rows_of(layer, s, [0.5], pool) for s in (Setting(), CLIPPED))
    assert clipped["kept_share"] < 0.7 * all_k["kept_share"]
    assert clipped["mass_kept"] < all_k["mass_kept"]


# Attention in a model's place.


@pytest.mark.parametrize("make", [attends.star, attends.exact_top_k])
def test_all_keys_kept_replaces_dense_attention(real_layers, pool, make):
    for layer in real_layers:
        output = make([1.0], FLOAT, pool)(replace(layer, layer=0))
        np.testing.assert_allclose(output, dense(layer), atol=1e-4)


def test_each_layer_has_its_own_keep_ratio(real_layers, pool):
    layer = first(real_layers[0], 200)
    attend = attends.star([0.05, 1.0], FLOAT, pool)
    few, all_of_them = (attend(replace(layer, layer=number)) for number in (0, 1))
    exact = dense(layer)
    assert np.abs(all_of_them - exact).max() < 1e-4 < np.abs(few - exact).max()
    kept = measure_layer(layer, FLOAT, [0.05], pool)[1][0].tally
    own = attends.exact_top_k([0.05], FLOAT, pool)(layer)
    assert np.linalg.norm(own - exact) < np.linalg.norm(few - exact)
    assert kept.error < np.square(few - exact).sum() * (1 + 1e-6)
