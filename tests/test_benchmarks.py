"""The benchmarks still run, and the one that draws a picture of the docs draws it."""

import runpy
from pathlib import Path

import pytest

ROOFLINE = Path(__file__).parents[1] / "benchmarks" / "roofline.py"
PLANS = Path(__file__).parents[1] / "benchmarks" / "plans.py"
POINTS = Path(__file__).parents[1] / "benchmarks" / "points.py"
MEMORY = Path(__file__).parents[1] / "benchmarks" / "memory.py"
FABRIC = Path(__file__).parents[1] / "benchmarks" / "fabric.py"
KILLS = Path(__file__).parents[1] / "benchmarks" / "kills.py"
SAMPLERS = Path(__file__).parents[1] / "benchmarks" / "samplers.py"
VTRAIN = Path(__file__).parents[1] / "benchmarks" / "vtrain_table.py"


def test_the_roofline_is_drawn(tmp_path, capsys):
    pytest.importorskip("matplotlib", reason="the picture needs the extra plot")
    script = runpy.run_path(str(ROOFLINE))
    script["main"](str(tmp_path / "roofs.png"))
    assert (tmp_path / "roofs.png").stat().st_size > 10_000
    assert capsys.readouterr().out.startswith("predict        intensity")


def test_plans_alone_are_those_of_columns(capsys):
    """The script ends with a message where a row alone differs from the columns."""
    script = runpy.run_path(str(PLANS))
    script["rate"].__globals__["SECONDS"] = 0.01
    script["main"](["--only-ours"])
    assert capsys.readouterr().out.startswith("watos, 280,480 plans in columns")


def test_the_fabric_is_measured(capsys):
    script = runpy.run_path(str(FABRIC))
    script["rate"].__globals__["SECONDS"] = 0.01
    script["main"]()
    assert len(capsys.readouterr().out.splitlines()) == 7


def test_killed_explorations_end_with_the_same_bytes(capsys):
    script = runpy.run_path(str(KILLS))
    assert script["main"](["--kills", "5", "--trials", "60"]) == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith("5 kills, ")


def test_the_samplers_are_held_against_the_exact_front(capsys):
    script = runpy.run_path(str(SAMPLERS))
    searches = ["--samplers", "nsga2", "random", "--trials", "64", "--seeds", "1"]
    script["main"](["--sweep", "ci_watos", "--jobs", "1", *searches])
    head, *lines = capsys.readouterr().out.splitlines()
    assert head == "ci_watos: 64 candidates, exact front of 48"
    # As many trials as candidates: every one is asked for.
    assert ["median 100.000%" in line for line in lines] == [True, True]


def test_an_exploration_says_what_fits_and_where_its_time_went(capsys):
    script = runpy.run_path(str(POINTS))
    script["whole"](script["WaferExploration"], script["WaferProblem"], "ci_watos", 1.0)
    rate, fits, outside = capsys.readouterr().out.splitlines()
    assert rate.startswith("ci_watos, whole, 1 job")
    assert fits.endswith(" % of its points fit")
    assert " % of its wall time outside the model: model " in outside


def test_a_million_points_are_those_of_64_wafers(capfd):
    pytest.importorskip("resource", reason="peak memory is what the system says of a process")
    runpy.run_path(str(MEMORY))["main"](["a million"])
    assert capfd.readouterr().out.startswith("      998,652 points of    64 wafers ")


def test_the_single_node_table_is_told_apart(capsys):
    """Its runs are sums; a law fitted to its layers chooses no better than the model."""
    runpy.run_path(str(VTRAIN))["main"]()
    first, *lines, ours, own, law, _ = capsys.readouterr().out.splitlines()
    assert first.startswith("196 runs without a pipeline are sums of 107 parts, to 0.066 of 92 ms")
    assert {"2048 2 12 1 31.8", "2048 2 16 1 30.9"} <= set(lines)  # Adam alone moves 28
    regrets = [float(line.split(": ")[1].split(" %")[0]) for line in (ours, own, law)]
    assert regrets[1] < 1
    assert min(regrets[0], regrets[2]) > 2
