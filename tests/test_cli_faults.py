"""`watos faults`, and `watos simulate --faults`: tables, documents, files and mistakes."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from star_watos.cli.watos import app as watos

SMALL = ("--set", "grid.rows=3", "--set", "grid.cols=4")
WORK = ("--model", "llama2_7b", "--global-batch", "16", "--seq-len", "2k")
CURVE = ("faults", *WORK, *SMALL, "--rates", "0,0.2", "--seeds", "3", "--jobs", "1")


def test_a_curve_has_a_row_a_rate(run, tmp_path):
    code, out, err = run(watos, *CURVE, "--out", str(tmp_path / "x" / "draws.csv"), "--json")
    assert (code, err) == (0, "")
    report = json.loads(out)
    assert report["schema"] == "watos-faults/1"
    assert (report["of"], report["seeds"]) == ("dies", 3)
    nothing, some = report["rates"]
    assert (nothing["rate"], some["rate"]) == (0.0, 0.2)
    assert nothing["non_robust"] == {"mean": 1.0, "p10": 1.0, "p90": 1.0, "fits": 1.0}
    assert nothing["dies"] == 12
    for row in report["rates"]:
        assert row["robust"]["mean"] >= row["replanned"]["mean"] >= row["non_robust"]["mean"]
        assert row["robust"]["p10"] <= row["robust"]["p90"]
    with (tmp_path / "x" / "draws.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["rate"], row["seed"]) for row in rows] == [
        ("0.0", "0"), ("0.2", "0"), ("0.2", "1"), ("0.2", "2")
    ]  # fmt: skip
    means = [float(row["robust_tokens_per_s"]) for row in rows[1:]]
    assert some["robust"]["mean"] == pytest.approx(sum(means) / 3 / report["healthy_tokens_per_s"])
    assert report["draws"][1]["dies"] == int(rows[1]["dies"])


@pytest.mark.parametrize("kind", ["dies", "links", "cores"])
def test_the_table_fits_a_terminal(run, kind):
    code, out, err = run(watos, *CURVE, "--of", kind)
    assert (code, err) == (0, "")
    assert f"{kind}  left" in out
    assert "not robust" in out
    assert "…" not in out


def test_a_curve_is_drawn(run, tmp_path):
    pytest.importorskip("matplotlib", reason="the picture needs the extra plot")
    picture = tmp_path / "curve.png"
    code, _, err = run(watos, *CURVE, "--plot", str(picture))
    assert (code, err) == (0, "")
    assert picture.stat().st_size > 5_000


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--rates", "0,x,1"), "--rates  expected a share from 0 to below 1, got 'x'"),
        (("--of", "link"), "--of  expected one of dies, links, cores, got 'link'; did you mean"),
        (("--plot", "x.gif"), "expected a file name that ends in one of .pdf, .png, .svg"),
        (("--seq-len", "many"), "--seq-len  "),
    ],
)
def test_mistakes_of_a_curve(run, options, said):
    code, out, err = run(watos, *CURVE, *options)
    assert (code, out) == (2, "")
    assert said in err


def test_a_cluster_has_no_mesh(run):
    for arguments in (("faults", "dgx_a100"), ("simulate", "dgx_a100", "--faults", "dies=0.1")):
        code, out, err = run(watos, *arguments)
        assert (code, out) == (2, "")
        assert "expected a wafer, whose dies stand in a mesh; dgx_a100 is a cluster" in err


def test_what_no_whole_wafer_fits_is_said(run):
    code, out, err = run(watos, "faults", "--model", "deepseek_v3", "--seeds", "1")
    assert (code, out) == (4, "")
    assert err.startswith("does not fit: memory of the fullest die needs")


def test_ctrl_c_leaves_nothing(tmp_path):
    watos_command = [Path(sys.executable).parent / "watos", "faults", "--seeds", "1000"]
    options = ["--jobs", "2", "--out", "x.csv"]
    with subprocess.Popen(
        [*watos_command, *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        start_new_session=True,
    ) as process:
        time.sleep(4)
        assert process.poll() is None
        os.killpg(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=30)
    assert (process.returncode, out, err) == (130, "", "interrupted: nothing was written\n")
    assert list(tmp_path.iterdir()) == []


def simulated(run, *options):
    code, out, err = run(watos, "simulate", *options, "--json")
    assert (code, err) == (0, "")
    return json.loads(out)


def test_one_wafer_with_listed_faults(run):
    report = simulated(run, "--faults", "die=0:0,die=3:4,link=6:6-6:7")
    faults = report["faults"]
    assert (faults["broken_dies"], faults["broken_links"], faults["dies"]) == (2, 1, 54)
    dies = [tuple(die) for group in faults["groups"] for die in group]
    assert len(set(dies)) == len(dies)
    assert not {(0, 0), (3, 4)} & set(dies)
    assert len(dies) == report["plan"]["tp"] * report["plan"]["pp"] * report["plan"]["dp"]
    robust, fixed = faults["robust_tokens_per_s"], faults["non_robust_tokens_per_s"]
    assert faults["gain"] == pytest.approx(robust / fixed - 1)
    assert report["metrics"]["tokens_per_s"] == pytest.approx(robust)
    assert faults["healthy_tokens_per_s"] >= robust >= fixed


def test_a_whole_wafer_has_no_faults(run):
    assert simulated(run, *WORK, *SMALL)["faults"] is None


def test_the_table_says_what_schedules_reach(run):
    code, out, err = run(watos, "simulate", "--faults", "dies=0.1,cores=0.05,seed=2")
    assert (code, err) == (0, "")
    for text in ("broken", "cores of a die", "robust schedule", "not robust schedule", "gain"):
        assert text in out


def test_events_play_a_wafer_with_faults(run):
    options = ("--faults", "dies=0.1,links=0.05,seed=1")
    formulas, events = simulated(run, *options), simulated(run, *options, "--fidelity", "event")
    ratio = events["event"]["iteration_s"] / formulas["metrics"]["iteration_s"]
    assert ratio == pytest.approx(1, abs=0.03)


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (("--faults", "dies=2,sed=1"), 2, "--faults  dies: expected a share from 0 to below 1"),
        (("--faults", "dies=0.1", "--balance"), 2, "--faults  cannot be combined with --balance"),
        (("--faults", "dies=0.1", "--devices", "9"), 2, "cannot be combined with --devices"),
        (("--faults", "dies=0.1", "--tp", "5"), 2, "--tp 5"),
        (("--faults", "dies=0.2", "--tp", "4", "--pp", "11"), 4, "for, in TP groups of"),
        (("--faults", "dies=0.2", "--model", "gpt3_175b"), 4, "needs 48 dies, has"),
    ],
)
def test_mistakes_of_a_simulation(run, options, code, said):
    found, out, err = run(watos, "simulate", *options)
    assert (found, out) == (code, "")
    assert said in err


def test_no_die_left(run):
    every = ",".join(f"die={row}:{col}" for row in range(3) for col in range(4))
    code, out, err = run(watos, "simulate", *WORK, *SMALL, "--faults", every)
    assert (code, out, err) == (2, "", "--faults  leaves no die\n")
