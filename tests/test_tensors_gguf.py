"""GGUF files, written here in every type and format, and in every way they can be wrong."""

import struct

import numpy as np
import pytest
from gguf_files import (
    ARRAY,
    F16,
    F32,
    Q4_1,
    Q8_0,
    SCALARS,
    STRING,
    packed,
    tiny_llama,
    write_gguf,
)
from hypothesis import given
from hypothesis import strategies as st

from star_watos.spec import InputError
from star_watos.tensors.gguf import Gguf

NUMBERS = {0: 200, 1: -100, 2: 60_000, 3: -30_000, 4: 2**32 - 1, 5: -(2**31), 6: 0.5, 7: True}
NUMBERS |= {10: 2**64 - 1, 11: -(2**63), 12: 0.1}


def refuse(path, call):
    """Return what is said of `path`."""
    with pytest.raises(InputError) as caught:
        call()
    return str(caught.value).removeprefix(f"{path}  ")


def test_metadata_of_every_type_is_read(tmp_path):
    assert set(NUMBERS) == set(SCALARS)
    metadata = {f"number.{code}": (code, number) for code, number in NUMBERS.items()}
    lists = {f"list.{code}": (ARRAY, (code, [number] * 2)) for code, number in NUMBERS.items()}
    metadata |= lists | {
        "text": (STRING, "a é 漢"),
        "empty": (ARRAY, (STRING, [])),
        "nested": (ARRAY, (ARRAY, [(STRING, ["a", ""]), (4, [1, 2, 3])])),
    }
    write_gguf(tmp_path / "m.gguf", metadata, {})
    found = Gguf(tmp_path / "m.gguf").metadata
    assert found == {f"number.{code}": number for code, number in NUMBERS.items()} | {
        f"list.{code}": [number] * 2 for code, number in NUMBERS.items()
    } | {"text": "a é 漢", "empty": [], "nested": [["a", ""], [1, 2, 3]]}


def test_tensors_of_every_format_are_read(tmp_path):
    rng = np.random.default_rng(0)
    tensors = {
        "plain": (F32, rng.normal(size=(3, 5))),
        "half": (F16, rng.normal(size=(7,))),
        "four": (Q4_1, rng.normal(size=(2, 3, 64))),
        "eight": (Q8_0, rng.normal(size=(4, 32))),
    }
    written = write_gguf(tmp_path / "t.gguf", {}, tensors)
    file = Gguf(tmp_path / "t.gguf")
    for name, (_, exact) in tensors.items():
        tensor = file.tensor(name)
        assert tensor.dtype == np.float32
        np.testing.assert_array_equal(tensor, written[name])
        np.testing.assert_allclose(tensor, exact, atol={"four": 0.3, "eight": 0.03}.get(name, 2e-3))


def test_a_file_may_choose_its_alignment(tmp_path):
    data, held = packed(F32, np.arange(4.0))
    key, name = b"general.alignment", b"w"
    head = b"GGUF" + struct.pack("<IQQ", 3, 1, 1) + struct.pack("<Q", len(key)) + key
    head += struct.pack("<III", 4, 256, 0)[:8] + struct.pack("<Q", 1) + name
    head += struct.pack("<IQIQ", 1, 4, F32, 0)
    (tmp_path / "a.gguf").write_bytes(head.ljust(256, b"\0") + data)
    np.testing.assert_array_equal(Gguf(tmp_path / "a.gguf").tensor("w"), held)


@pytest.mark.parametrize("content", [b"", b"GG", b"GGML and more", b"\0" * 64])
def test_what_is_no_gguf_is_named(tmp_path, content):
    path = tmp_path / "x.gguf"
    path.write_bytes(content)
    assert refuse(path, lambda: Gguf(path)) == "is not a GGUF file"


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return tiny_llama(tmp_path_factory.mktemp("whole") / "whole.gguf", layers=1)


@given(share=st.floats(0, 1))
def test_a_cut_file_is_named_wherever_it_ends(whole, share):
    data, path = whole.read_bytes(), whole.with_name("cut.gguf")
    path.unlink(missing_ok=True)  # the last one may still be mapped
    path.write_bytes(data[: 4 + int(share * (len(data) - 68))])
    names = ("token_embd.weight", "blk.0.attn_q.weight", "blk.0.ffn_norm.weight")

    def read():
        for name in names:
            Gguf(path).tensor(name)

    assert refuse(path, read).startswith("GGUF file is cut or damaged (")


def test_a_type_that_does_not_exist_is_named(tmp_path):
    path = tmp_path / "x.gguf"
    path.write_bytes(b"GGUF" + struct.pack("<IQQQ", 3, 0, 1, 1) + b"k" + struct.pack("<I", 99))
    assert refuse(path, lambda: Gguf(path)) == (
        "GGUF file is cut or damaged (no type has number 99)"
    )


def test_a_tensor_that_cannot_be_read_is_named(tmp_path):
    path = tmp_path / "x.gguf"
    write_gguf(path, {}, {"w": (F32, np.ones(4))})
    data = path.read_bytes()
    known = "(F32, F16, Q4_1 and Q8_0 are read)"
    assert refuse(path, lambda: Gguf(path).tensor("v")) == f"tensor v is not in the file {known}"
    axes = struct.pack("<IQ", 1, 4)
    for code, says in ((2, f"tensor w has format 2 {known}"), (Q8_0, "GGUF file is cut or damag")):
        path.write_bytes(
            data.replace(axes + struct.pack("<I", F32), axes + struct.pack("<I", code))
        )
        assert refuse(path, lambda: Gguf(path).tensor("w")).startswith(says)
