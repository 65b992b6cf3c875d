"""The best of a front once more: stages balanced, on one wafer or several."""

import csv

import pytest

from star_watos.cli.watos import app
from star_watos.explore import Source, explore
from star_watos.explore.candidates import load_sweep
from star_watos.explore.refine import Refining, refine
from star_watos.explore.watos import WaferExploration, WaferProblem

SWEEP = """
kind: watos-exploration
hardware: watos_config3
workload: {model: deepseek_v3, global_batch: 64, precision: fp16}
wafers: 4
expert_groups: [1, 8]
refine: 2
space:
  hardware.dram.stacks_per_die: {choices: [4, 5]}
  hardware.d2d.bandwidth: {choices: ["2 TB/s", "4 TB/s"]}
objectives:
  tokens_per_s: maximize
  wafer_cost_usd: minimize
"""


@pytest.fixture
def sweep(tmp_path):
    path = tmp_path / "sweep.yaml"
    path.write_text(SWEEP, encoding="utf-8")
    return path


def test_wafers_of_the_front_are_refined_in_its_order(sweep, tmp_path):
    loaded, folder = load_sweep(WaferExploration, str(sweep))
    problem = WaferProblem(loaded, folder)
    assert isinstance(problem, Refining)
    config = loaded.model_dump(mode="json")
    result = explore(loaded, problem, tmp_path / "out", source=Source(config))
    rows = refine(problem, result, 2)
    axes = list(loaded.space)
    assert len(rows) == 2
    assert [rows[0][axis] for axis in axes] == [result.rows[0][axis] for axis in axes]
    assert rows[0] != rows[1]
    for row in rows:
        assert row["pp"] % 4 == 0
        assert row["ep"] in {1, 8}
        assert row["tokens_per_s"] >= row["uniform_tokens_per_s"]
        assert row["gain"] == pytest.approx(row["tokens_per_s"] / row["uniform_tokens_per_s"] - 1)
    assert max(row["gain"] for row in rows) > 0.05
    with (result.out / "refined.csv").open(encoding="utf-8", newline="") as file:
        written = list(csv.DictReader(file))
    assert [float(row["tokens_per_s"]) for row in written] == [row["tokens_per_s"] for row in rows]


def test_the_command_refines_and_clears(run, sweep):
    code, out, _ = run(app, "explore", sweep, "--out", "found", "--jobs", 1)
    assert code == 0
    assert "stages balanced on 2 wafers of the front" in out
    assert (sweep.parent / "found" / "refined.csv").exists()
    asked = ("--force", "--jobs", 1, "--set", "refine=0")
    code, out, _ = run(app, "explore", sweep, "--out", "found", *asked)
    assert code == 0
    assert "stages balanced" not in out
    assert not (sweep.parent / "found" / "refined.csv").exists()


def test_several_wafers_need_links(run, sweep, closed_wafer):
    text = SWEEP.replace("watos_config3", str(closed_wafer))
    sweep.write_text(text, encoding="utf-8")
    code, _, err = run(app, "explore", sweep)
    assert code == 2
    assert "sweep.yaml:5:" in err
    assert "several wafers need hardware.off_wafer" in err
