"""What users type after `star compare`, and what comes back."""

import json
import subprocess
import sys

import pytest

from star_watos.cli.star import app as star

HEAVY = ("numpy", "yaml", "optuna", "pandas", "moocore", "matplotlib")
CELLS = {"core_gops_per_w", "device_gops_per_w", "gops_per_mm2", "latency_ms"}


@pytest.fixture
def report(run):
    def call(*options):
        code, out, err = run(star, "compare", *options, "--json")
        assert code == 0, err
        return json.loads(out), err

    return call


def test_compare_prints_one_json_document(report):
    document, err = report()
    assert err == ""
    assert document["schema"] == "star-compare/1"
    assert document["normalize"] == "chip"
    assert document["workload"]["seq_len"] == 4096
    assert set(document["headline"]) == {
        "speedup_vs_a100",
        "energy_efficiency_vs_a100",
        "energy_vs_sota",
        "area_vs_sota",
        "spatial_throughput",
    }
    for headline in document["headline"].values():
        assert set(headline) >= {"ours", "paper", "why"}
        assert headline["ours"] > 0
    for row in document["rows"]:
        assert set(row) >= {"name", "paper", "ours"}
        assert set(row["paper"]) == CELLS
        assert row["ours"] is None or set(row["ours"]) == CELLS | {"physical"}
    for step in document["ladder"]:
        assert set(step) >= {"step", "ours", "paper"}
    names = [row["name"] for row in document["rows"]]
    assert names[:3] == ["A3", "ELSA", "Sanger"]
    assert names[-1] == "star_28nm"
    assert [n["normalize"] for n in document["normalizations"]] == [
        "chip",
        "area",
        "power",
        "multipliers",
    ]


def test_rates_outside_what_was_measured_are_noted_on_stderr_and_in_the_document(report):
    document, err = report("--seq-len", "32k")
    held = [n for n in document["notes"] if n.startswith("A100")]
    assert len(held) == 2
    assert all(f"note: {note}\n" in err for note in held)


def test_options_reach_the_model(report):
    document, _ = report(
        *("--model", "llama3_8b", "--sparsity", "sofa_0pct", "--normalize", "area"),
        *("--seq-len", "2k", "--set", "dram.bandwidth=256 GB/s"),
    )
    assert document["workload"]["model"] == "llama3_8b"
    assert document["workload"]["sparsity"] == "sofa_0pct"
    assert document["normalize"] == "area"
    assert document["design"]["dram"]["bandwidth"] == 256e9
    chosen = next(n for n in document["normalizations"] if n["normalize"] == "area")
    assert chosen["speedup"]["unfused"] == document["headline"]["speedup_vs_a100"]["ours"]


def test_the_a100_does_the_same_whatever_layers_keep(report):
    document, _ = report("--sparsity", "smollm2_2k")
    other, _ = report()
    assert document["a100"]["runs"] == other["a100"]["runs"]


def test_a_person_reads_tables(run):
    code, out, err = run(star, "compare")
    assert (code, err) == (0, "")
    for text in ("SpAtten", "7,183 (7,183)", "FlashAttention-2", "multipliers", "SADS engine"):
        assert text in out


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            ["--normalize", "foo"],
            "--normalize  expected one of chip, area, power, multipliers, got 'foo'\n",
        ),
        (
            ["--normalize", "aera"],
            "got 'aera'; did you mean area?\n",
        ),
        (["--model", "llama2_7"], "did you mean llama2_7b"),
        (["--model", "deepseek_v3"], "latent attention"),
        (["--seq-len", "4 KB"], "--seq-len"),
        (["--sparsity", "sofa_3pct"], "did you mean sofa_2pct"),
        (["--set", "qeries=1"], "did you mean queries"),
        (["--noc", "noc_64"], "did you mean noc_64b"),
        (["--set", "noc.prots=edges"], "did you mean ports"),
    ],
)
def test_mistakes_end_with_2_and_name_the_option(run, options, said):
    code, out, err = run(star, "compare", *options)
    assert (code, out) == (2, "")
    assert said in err


def test_what_does_not_fit_ends_with_4(run):
    code, out, err = run(star, "compare", "--set", "sram.temp.capacity=1 KiB")
    assert (code, out) == (4, "")
    assert err.startswith("does not fit: ")


def test_help_is_quick():
    program = (
        "import sys\n"
        "from star_watos.cli import common\n"
        "from star_watos.cli.star import app\n"
        "sys.argv = ['star', 'compare', '--help']\n"
        "try:\n    common.guard(app)\nexcept SystemExit as end:\n    assert not end.code\n"
        f"print(*sorted(set({HEAVY}) & set(sys.modules)), file=sys.stderr)\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert (result.returncode, result.stderr) == (0, "\n")
    assert "--normalize" in result.stdout
