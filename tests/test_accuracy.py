"""What `star accuracy` measures, on three layers of a real model that ship with the tests."""

import csv
import io
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
import pytest
from gguf_files import TEXT, tiny_llama

from star_watos.spec import InputError
from star_watos.star.accuracy import Run, Setting, attends, measure
from star_watos.star.accuracy.measure import least_ratio, measure_layer, tiles_of
from star_watos.star.accuracy.rows import RATIOS, row
from star_watos.star.accuracy.run import read_tokens
from star_watos.star.accuracy.tile import heads_of
from star_watos.star.algorithms import Layout, Method, Predictor, Sads
from star_watos.tensors import Llama, Rotation, Text, dense

FLOAT = Setting(arithmetic=None)
CLIPPED = Setting(sorter=Sads(8, radius=1.0))
ROW = {"layer", "keep_ratio", "predictor", "sorter", "recall", "mass_kept", "rel_l2", "cosine"}
"""Of every row, beside `ops`."""


def first(layer, tokens, number=0):
    """Return a layer over its first tokens."""
    rotation = Rotation(layer.rotation.cos[:tokens], layer.rotation.sin[:tokens])
    short = {name: getattr(layer, name)[:, :tokens] for name in ("q", "k", "v")}
    return replace(layer, layer=number, x=layer.x[:tokens], rotation=rotation, **short)


@dataclass(frozen=True)
class Slice:
    """A model that shows the real layers, whatever it reads."""

    layers: list
    name: str = "slice"
    source: str = "three layers of SmolLM2"
    causal: bool = True
    max_tokens: int = 1024

    @property
    def n_layers(self):
        return len(self.layers)

    def encode(self, text):
        return np.zeros(len(text.split()), np.int64)

    def forward(self, tokens, attend):
        for number, layer in enumerate(self.layers):
            attend(first(layer, len(tokens), number))


@pytest.fixture
def pool():
    with ThreadPoolExecutor(2) as pool:
        yield pool


@pytest.fixture
def run_of(real_layers):
    """Return a run over the slice's first tokens."""

    def make(setting=FLOAT, tokens=200, jobs=2, told=None):
        told = [] if told is None else told
        text = Text("made up", "nowhere")
        model = Slice(real_layers)
        return Run(
            model, text, np.zeros(tokens, int), setting, jobs, lambda *what: told.append(what)
        )

    return make


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


# A run.


def test_the_number_of_threads_changes_nothing(run_of):
    one, three = (measure(run_of(Setting(), jobs=jobs), [0.1, 0.3]).rows for jobs in (1, 3))
    assert one == three
    assert [(each["layer"], each["keep_ratio"]) for each in one] == [
        (layer, ratio) for layer in range(3) for ratio in (0.1, 0.3)
    ]


def test_progress_is_told_layer_by_layer(run_of):
    told = []
    measure(run_of(told=told), [0.1])
    assert told == [("layers measured", done, 3) for done in (1, 2, 3)]


def test_a_target_takes_the_least_ratio_that_serves(run_of, real_layers, pool):
    ratios = [0.02, 0.1, 0.3]
    everything = measure(run_of(), ratios).rows
    for target in (0.5, 0.8, 0.95, 1.0):
        result = measure(run_of(), ratios, target)
        assert [each["layer"] for each in result.rows] == [0, 1, 2]
        for chosen in result.rows:
            own = [each for each in everything if each["layer"] == chosen["layer"]]
            assert chosen in own
            serve = [each for each in own if each["mass_kept"] >= target] or own[-1:]
            assert chosen == serve[0]
        means = [each["keep_ratio"] for each in result.means]
        assert means == [sum(each["keep_ratio"] for each in result.rows) / 3]
    assert least_ratio(first(real_layers[0], 200), FLOAT, ratios, 0.0, pool) == 0.02


def test_an_error_ends_the_threads(run_of, real_layers):
    broken = replace(real_layers[0], v=real_layers[0].v[:, :, :0])
    run = replace(run_of(), model=Slice([broken]))
    with pytest.raises(ValueError, match="shape"):
        run.measure([0.1])


def test_lengths_that_cannot_be_are_named(real_layers):
    model, text = Slice(real_layers), Text("three short words", "a file")
    assert len(read_tokens(model, text, 3)) == 3
    for tokens, says in (
        (0, "--seq-len  expected at least 2 tokens, got 0"),
        (1, "--seq-len  expected at least 2 tokens, got 1"),
        (4, "a file  has 3 tokens, fewer than --seq-len 4"),
        (1025, "--seq-len  1,025 tokens, but slice reads 1,024"),
    ):
        with pytest.raises(InputError) as caught:
            read_tokens(model, text, tokens)
        assert str(caught.value) == says


def test_perplexity_of_an_encoder_is_refused_before_work(run_of):
    told = []
    with pytest.raises(InputError) as caught:
        measure(run_of(told=told), [0.1], perplexity=True)
    assert str(caught.value) == (
        "slice  is an encoder: perplexity needs a model that predicts the next token"
    )
    assert told == []


# The document.


def test_the_document_is_that_of_the_schema(run_of):
    document = json.loads(json.dumps(measure(run_of(), [0.1, 0.3]).document(), allow_nan=False))
    assert document["schema"] == "star-accuracy/1"
    assert (document["model"], document["seq_len"]) == ("slice", 200)
    assert "perplexity" not in document
    assert len(document["rows"]) == 6
    for each in document["rows"]:
        assert set(each) >= ROW | {"ops"}
        assert set(each["ratios"]) == set(RATIOS)
        assert (each["predictor"], each["sorter"]) == ("dlzs", "sads")
    assert [each["keep_ratio"] for each in document["summary"]] == [0.1, 0.3]
    for mean in document["summary"]:
        of_layers = [r for r in document["rows"] if r["keep_ratio"] == mean["keep_ratio"]]
        assert mean["recall"] == pytest.approx(sum(r["recall"] for r in of_layers) / 3)
        worst = of_layers[mean["least_mass_layer"]]
        assert (
            mean["least_mass_kept"] == worst["mass_kept"] == min(r["mass_kept"] for r in of_layers)
        )


def test_the_table_reads_back_as_the_rows(run_of):
    result = measure(run_of(), [0.1, 1.0])
    table = list(csv.DictReader(io.StringIO(result.csv())))
    assert len(table) == len(result.rows)
    for line, each in zip(table, result.rows, strict=True):
        for name in ("recall", "mass_kept", "rel_l2", "cosine", "keep_ratio", "load_ratio"):
            assert float(line[name]) == each[name]
        assert float(line["ops.sufa.exp"]) == each["ops"]["sufa"]["exp"]
        assert [float(line[f"segments.{i}"]) for i in range(8)] == each["segments"]
        assert float(line["ratios.star_to_dense"]) == each["ratios"]["star_to_dense"]


# End to end.


@pytest.fixture
def tiny_run(tmp_path):
    model = Llama("tiny", tiny_llama(tmp_path / "tiny.gguf"))
    text = Text(TEXT * 8, "nursery rhyme")
    tokens = model.encode(text.text)[:96]
    return Run(model, text, tokens, FLOAT, 2, lambda *_: None)


def test_perplexity_with_all_keys_is_that_of_the_model(tiny_run):
    found = tiny_run.perplexities([1.0, 1.0])
    assert found.dense == pytest.approx(tiny_run.model.perplexity(tiny_run.tokens), rel=1e-6)
    assert found.star == pytest.approx(found.dense, rel=1e-5)
    assert found.exact_topk == pytest.approx(found.dense, rel=1e-5)
    assert found.loss == pytest.approx(0, abs=1e-5)


def test_each_mean_has_its_own_perplexity(tiny_run):
    document = measure(tiny_run, [0.1, 1.0], perplexity=True).document()
    low, high = (mean["perplexity"] for mean in document["summary"])
    assert {"dense", "exact_topk", "star", "keep_ratio", "loss"} == set(low)
    assert low["dense"] == high["dense"]
    assert low["star"] != high["star"]
    assert document["perplexity"] == high


def test_with_a_target_the_perplexity_is_that_of_the_layers_ratios(tiny_run):
    result = measure(tiny_run, [0.05, 0.5, 1.0], 0.9, perplexity=True)
    ratios = [each["keep_ratio"] for each in result.rows]
    assert list(result.perplexities.values()) == [tiny_run.perplexities(ratios)]
    document = result.document()
    assert document["summary"][0]["perplexity"] == document["perplexity"]
