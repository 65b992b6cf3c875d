"""Pictures and tables that people look at."""

import pytest
from typer.testing import CliRunner

from star_watos.cli.star import app

PNG = b"\x89PNG"


@pytest.mark.parametrize(
    ("objectives", "suffix", "magic"),
    [
        ("{throughput_gops: maximize}", "png", PNG),
        ("{throughput_gops: maximize, area_mm2: minimize}", "svg", b"<?xml"),
        ("{latency_s: minimize, area_mm2: minimize, energy_j: minimize}", "pdf", b"%PDF"),
    ],
)
def test_the_front_is_drawn_for_any_number_of_objectives(tmp_path, objectives, suffix, magic):
    picture = tmp_path / f"front.{suffix}"
    options = ["--out", str(tmp_path / "run"), "--plot", str(picture), "--jobs", "1"]
    options += ["--set", f"objectives={objectives}", "--set", "expect=~"]
    result = CliRunner().invoke(app, ["explore", "ci_star", *options])
    assert result.exit_code == 0, result.output
    assert picture.read_bytes().startswith(magic)
    assert all(name.strip() in result.stdout for name in ("bound", "key_tile", "files:"))
