"""What every test starts from."""

import signal
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from gguf_files import TEXT, tiny_llama
from hypothesis import settings

from star_watos.cli import common
from star_watos.cli.star import app as star
from star_watos.spec import root
from star_watos.tensors import AttentionInput, Rotation

settings.register_profile("untimed", deadline=None)  # machines are shared: no test is timed
settings.load_profile("untimed")

SLICE = Path(__file__).parent / "data" / "smollm2_slice.npz"


@pytest.fixture(scope="session", autouse=True)
def _ctrl_c_works():
    """Take Ctrl-C, which a shell makes its background jobs, and all they start, ignore."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="session")
def real_layers():
    """Three layers of SmolLM2 as `make_slice.py` left them: one K/V head, three query heads."""
    layers = []
    with np.load(SLICE) as held:
        base = float(held["rope_base"])
        for layer in held["layers"].tolist():
            tensors = {
                name: (held[f"{layer}.{name}"] * held[f"{layer}.{name}.scale"]).astype(np.float32)
                for name in ("x", "w_k", "q", "k", "v")
            }
            _, seq_len, head_dim = tensors["q"].shape
            rotation = Rotation.of(seq_len, head_dim, base)
            layers.append(AttentionInput(layer, **tensors, rotation=rotation, causal=True))
    return layers


@pytest.fixture
def run(monkeypatch, capsys, tmp_path):
    """Run a command as its script does, in an empty folder: exit code, stdout, stderr."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")

    def call(app, *arguments):
        monkeypatch.setattr(sys, "argv", ["command", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            common.guard(app)
        said = capsys.readouterr()
        return end.value.code or 0, said.out, said.err

    return call


@pytest.fixture
def closed_wafer(tmp_path):
    """Return the path of a wafer's template that says nothing of what leaves the wafer."""
    text = (root() / "configs/wafers/watos_config3.yaml").read_text(encoding="utf-8")
    path = tmp_path / "closed.yaml"
    path.write_text(text[: text.index("off_wafer:")], encoding="utf-8")
    return path


@pytest.fixture
def run_star(run, tmp_path):
    """Run `star` beside a tiny model and its text: exit code, stdout, stderr."""
    tiny_llama(tmp_path / "tiny.gguf")
    (tmp_path / "text.txt").write_text(TEXT * 4)
    return partial(run, star)
