"""The benchmark that draws a picture of the docs still draws it."""

import runpy
from pathlib import Path

import pytest

ROOFLINE = Path(__file__).parents[1] / "benchmarks" / "roofline.py"


def test_the_roofline_is_drawn(tmp_path, capsys):
    pytest.importorskip("matplotlib", reason="the picture needs the extra plot")
    script = runpy.run_path(str(ROOFLINE))
    script["main"](str(tmp_path / "roofs.png"))
    assert (tmp_path / "roofs.png").stat().st_size > 10_000
    assert capsys.readouterr().out.startswith("predict        intensity")
