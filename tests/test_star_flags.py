"""`star simulate`: every ablation, and input that no core or text can have."""

import json
import time
from pathlib import Path

import pytest

from star_watos.cli.star import app as star

# Ablations.

NO_ORDER = "--sorter none: keys are in no order, so --attention fa2"
IMPLIED = {
    "--predictor none": (
        f"--predictor none: there are no scores to sort, so --sorter none; {NO_ORDER}"
    ),
    "--sorter none": NO_ORDER,
    "--sorter full": "--sorter full: whole rows are sorted, so --tiling stage-isolated",
}
STARS = {
    "predictor": "dlzs",
    "sorter": "sads",
    "attention": "sufa",
    "schedule": "rass",
    "tiling": "cross-stage",
}
FOLLOWS = {
    "--predictor none": {"sorter": "none", "attention": "fa2"},
    "--sorter none": {"attention": "fa2"},
    "--sorter full": {"tiling": "stage-isolated"},
}


@pytest.mark.parametrize("phase", ["prefill", "decode"])
@pytest.mark.parametrize(
    "options",
    [
        *(f"--predictor {name}" for name in ("dlzs", "slzs", "int4", "none")),
        *(f"--sorter {name}" for name in ("sads", "full", "none")),
        *(f"--attention {name}" for name in ("sufa", "fa2", "softmax")),
        *(f"--schedule {name}" for name in ("rass", "in-order")),
        *(f"--tiling {name}" for name in ("cross-stage", "stage-isolated")),
        "--predictor none --tiling stage-isolated",
    ],
)
def test_every_ablation_runs(run, options, phase):
    code, out, err = run(
        star, "simulate", "--seq-len", "4k", "--phase", phase, "--json", *options.split()
    )
    flags = options.split()
    first = " ".join(flags[:2])
    assert code == 0
    assert err == (f"note: {IMPLIED[first]}\n" if first in IMPLIED else "")
    report = json.loads(out)
    assert all(value > 0 for value in report["metrics"].values())
    given = {flag[2:]: name for flag, name in zip(flags[::2], flags[1::2], strict=True)}
    assert report["design"]["dataflow"] == STARS | FOLLOWS.get(first, {}) | given
    chooses = "--predictor none" not in options
    assert (report["area_mm2"]["sads"] > 0) is chooses
    assert (report["stages"]["sort"]["ops"] > 0) is chooses


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (
            "--predictor none --sorter sads",
            "--sorter  sads has no scores to sort with --predictor none; use none",
        ),
        (
            "--sorter none --attention sufa",
            "--attention  sufa needs sorted keys; with --sorter none use fa2 or softmax",
        ),
        (
            "--sorter full --tiling cross-stage",
            (
                "--tiling  cross-stage never has the whole rows that --sorter full sorts; use "
                "stage-isolated"
            ),
        ),
        ("--predictor x", "--predictor  expected one of dlzs, slzs, int4, none, got 'x'"),
        ("--tiling none", "--tiling  expected one of cross-stage, stage-isolated, got 'none'"),
    ],
)
def test_dataflows_that_cannot_be(run, options, says):
    assert run(star, "simulate", *options.split()) == (2, "", says + "\n")


# Bad input.


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (
            "--set dlzs.columns=0",
            "--set dlzs.columns  dlzs.columns: expected greater than or equal to 1, got 0",
        ),
        ("--keep-ratio 0", "--keep-ratio  sparsity.keep_ratio: expected greater than 0, got 0.0"),
        (
            "--keep-ratio 2",
            "--keep-ratio  sparsity.keep_ratio: expected less than or equal to 1, got 2.0",
        ),
        ("--seq-len 0", "--seq-len  seq_len: expected 1 to 1024G, got '0'"),
        (
            "--seq-len 1000000000000",
            (
                "--seq-len  seq_len: expected less than or equal to 17,179,869,184, got "
                "'1000000000000'"
            ),
        ),
        (
            "--set frequency=-1GHz",
            "--set frequency  frequency: expected 1 Hz to 1 THz, got '-1GHz'",
        ),
    ],
)
def test_what_no_core_and_no_text_can_be(run, options, says):
    assert run(star, "simulate", *options.split()) == (2, "", says + "\n")


def test_a_tile_wider_than_the_buffer(run):
    """Two tiles of 1,000,000 one-byte scores and 4 identifiers, of 128 rows: 256,002,048 B.

    And rows for two steps of two keys: 2 x 2 x 512 B.
    """
    code, out, err = run(star, "simulate", "--seq-len", "4k", "--tile", 1_000_000)
    assert (code, out) == (4, "")
    assert err.startswith("does not fit: score tile in temp SRAM needs 256 MB, has 28.67 kB (over ")
    assert err.count("\n") == 1


@pytest.mark.parametrize("option", [[], ["--sparsity"]])
def test_a_file_of_three_megabytes(run, option):
    text = "".join(f"key_{i:06}: {{a: 1, b: 2}}\n" for i in range(125_000))
    Path("big.yaml").write_text(text)
    began = time.process_time()
    code, out, err = run(star, "simulate", *option, "big.yaml")
    assert time.process_time() - began < 5  # reading it as YAML would take a minute
    says = f"big.yaml  file of {len(text):,} bytes; at most 2,000,000 are read\n"
    assert (code, out, err) == (2, "", says)
    assert [path.name for path in Path().iterdir()] == ["big.yaml"]
