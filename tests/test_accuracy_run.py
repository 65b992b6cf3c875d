"""Runs of `star accuracy` over three real layers, and end to end over a tiny model."""

import csv
import io
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
import pytest
from gguf_files import TEXT, tiny_llama
from test_accuracy import FLOAT, first

from star_watos.spec import InputError
from star_watos.star.accuracy import Run, Setting, measure
from star_watos.star.accuracy.measure import least_ratio
from star_watos.star.accuracy.rows import RATIOS
from star_watos.star.accuracy.run import read_tokens
from star_watos.tensors import Llama, Text

ROW = {"layer", "keep_ratio", "predictor", "sorter", "recall", "mass_kept", "rel_l2", "cosine"}
"""Of every row, beside `ops`."""


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


def test_a_target_takes_the_least_ratio_that_serves(run_of, real_layers):
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
    with ThreadPoolExecutor(1) as pool:
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
