"""`star accuracy`: help, and every mistake before work; on a tiny model."""

import subprocess
import sys
from pathlib import Path

import pytest
from test_cli import LOADED, SEARCH

TINY = ("--model", "tiny.gguf", "--text", "text.txt", "--seq-len", "96", "--jobs", "2")


def names(folder):
    return sorted(path.name for path in Path(folder).iterdir())


def test_help_is_quick():
    heavy = ("numpy", "yaml", *SEARCH, "tokenizers", "safetensors", "threadpoolctl")
    program = LOADED.format(name="star", argv=["star", "accuracy", "--help"], heavy=heavy)
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert (result.returncode, result.stderr) == (0, "\n")
    assert "--save-profile" in result.stdout


# Mistakes: exit code 2, one line on stderr, nothing on stdout, nothing written.

MISTAKES = [
    ("--model gpt2", "gpt2  no model with real weights; known: smollm2, minilm, or a .gguf file"),
    ("--model none.gguf", "none.gguf  no model with real weights; known: smollm2, minilm, or a "),
    ("--model text.txt", "text.txt  no model with real weights; known: smollm2, minilm, or a .g"),
    ("--model wrong.gguf", "wrong.gguf  is not a GGUF file"),
    ("--keep 0,2", "--keep  expected numbers in (0, 1] with commas between them, got '0,2'"),
    ("--keep x", "--keep  expected numbers in (0, 1] with commas between them, got 'x'"),
    ("--keep nan", "--keep  expected numbers in (0, 1] with commas between them, got 'nan'"),
    ("--keep=", "--keep  expected numbers in (0, 1] with commas between them, got ''"),
    ("--keep 0.1,", "--keep  expected numbers in (0, 1] with commas between them, got '0.1,'"),
    (
        "--predictor dlz",
        "--predictor  expected one of dlzs, slzs, int4, exact, got 'dlz'; did you mean dlzs?",
    ),
    ("--snap ceil", "--snap  expected one of floor, nearest, got 'ceil'"),
    (
        "--encode keys",
        "--encode  expected one of query, key, got 'keys'; did you mean key?",
    ),
    ("--sorter bitonic", "--sorter  expected one of sads, full, got 'bitonic'"),
    (
        "--layout stride",
        "--layout  expected one of strided, contiguous, adaptive, got 'stride'; did you mean ",
    ),
    ("--arithmetic int", "--arithmetic  expected one of integer, float, got 'int'"),
    ("--seq-len 0", "--seq-len  expected at least 2 tokens, got 0"),
    ("--seq-len 1", "--seq-len  expected at least 2 tokens, got 1"),
    ("--seq-len 2.5", "--seq-len  expected a whole number of tokens, got '2.5'"),
    ("--seq-len 1e999", "--seq-len  expected a whole number of tokens, got '1e999'"),
    ("--seq-len 4KB", "--seq-len  expected a number and one of k, K, M, G or no unit, got '4KB'"),
    ("--seq-len 1k", "--seq-len  1,024 tokens, but tiny reads 512"),
    ("--seq-len 512", "text.txt  has 168 tokens, fewer than --seq-len 512"),
    ("--text none.txt", "none.txt: No such file or directory"),
    ("--text folder", "folder: Is a directory"),
    ("--text wrong.gguf", "wrong.gguf  is not UTF-8 text (byte 0)"),
    ("--keep 1 --save-profile gone/p.yaml", "gone/p.yaml  there is no folder gone"),
    ("--keep 1 --save-profile held.yaml", "held.yaml  exists already; --force replaces it"),
    ("--keep 1 --save-profile folder --force", "folder  is a folder, not a file"),
    (
        "--keep .1,.2 --save-profile p.yaml",
        "--save-profile  of several --keep ratios, --target-mass says which one each layer takes",
    ),
    (
        "--keep 1 --save-profile p.yaml --extrapolate-with sofa_2pct",
        "sofa_2pct  has 0 layers, but tiny 2",
    ),
    ("--extrapolate-with none", "none  no such file, nor a shipped one (shipped: "),
    ("--out held.yaml", "held.yaml  cannot be written: File exists"),
    ("--out run", "run  holds a run already (accuracy.csv); --force replaces it"),
]


@pytest.mark.parametrize(("arguments", "says"), MISTAKES)
def test_a_mistake_is_one_line_and_2(run_star, monkeypatch, arguments, says):
    def no_work(*_, **__):
        raise AssertionError

    monkeypatch.setattr("star_watos.star.accuracy.run.Run.measure", no_work)
    Path("wrong.gguf").write_bytes(b"\xff\xfe")
    Path("held.yaml").touch()
    Path("folder").mkdir()
    Path("run").mkdir()
    Path("run/accuracy.csv").touch()
    before = names(".")
    code, out, err = run_star("accuracy", *TINY, *arguments.split())
    assert (code, out) == (2, "")
    assert err.startswith(says)
    assert err.count("\n") == 1
    assert names(".") == before


@pytest.mark.parametrize(
    "arguments",
    [
        *("--radius -1", "--radius nan", "--target-mass 1.1", "--target-mass nan", "--segments 0"),
        *("--score-bits 1", "--jobs -1", "--nonsense", "--keep"),
    ],
)
def test_wrong_options_are_2(run_star, arguments):
    code, out, err = run_star("accuracy", *TINY, *arguments.split())
    assert (code, out) == (2, "")
    assert "Error" in err
    assert "Traceback" not in err
