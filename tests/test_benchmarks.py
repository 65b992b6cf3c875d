"""The benchmark that draws a picture of the docs still draws it."""

import runpy
from pathlib import Path

import pytest

ROOFLINE = Path(__file__).parents[1] / "benchmarks" / "roofline.py"
PLANS = Path(__file__).parents[1] / "benchmarks" / "plans.py"
FABRIC = Path(__file__).parents[1] / "benchmarks" / "fabric.py"
KILLS = Path(__file__).parents[1] / "benchmarks" / "kills.py"


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
    assert script["main"](["--kills", "5"]) == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith("5 kills, ")
