"""Models in NumPy: a decoder written here, its parts by hand, and the texts they read."""

import platform

import numpy as np
import pytest
from gguf_files import STRING, TEXT, byte_pairs, tiny_llama, write_gguf
from hypothesis import given
from hypothesis import strategies as st

from star_watos.spec import InputError
from star_watos.star.algorithms import softmax_attention
from star_watos.tensors import AttentionInput, Llama, Rotation, dense, read_text
from star_watos.tensors.bert import gelu, layer_norm
from star_watos.tensors.llama import rms_norm, silu
from star_watos.tensors.text import prose
from star_watos.tensors.tokenizer import byte_pair_tokenizer


def refuse(path, call):
    """Return what is said of `path`."""
    with pytest.raises(InputError) as caught:
        call()
    return str(caught.value).removeprefix(f"{path}  ")


# A decoder, small enough to be written here.


def test_a_decoder_without_logits_is_as_uncertain_as_its_vocabulary_is_large(tmp_path):
    model = Llama("tiny", tiny_llama(tmp_path / "tiny.gguf", blank=True))
    tokens = model.encode(TEXT * 12)
    assert len(tokens) > 256, "more than one block of logits"
    assert model.perplexity(tokens) == pytest.approx(len(byte_pairs()[0]), rel=1e-6)


def test_a_decoder_sees_only_what_came_before(tmp_path):
    model = Llama("tiny", tiny_llama(tmp_path / "tiny.gguf"))
    tokens = model.encode(TEXT)
    assert (model.n_layers, model.max_tokens, model.source) == (2, 512, "Tiny (tiny.gguf)")
    whole, start = model.forward(tokens), model.forward(tokens[:10])
    assert whole.shape == (len(tokens), 64)
    np.testing.assert_allclose(whole[:10], start, rtol=1e-3, atol=1e-4)


def test_attention_is_shown_layer_by_layer(tmp_path):
    model, seen = Llama("tiny", tiny_llama(tmp_path / "tiny.gguf")), []
    tokens = model.encode(TEXT)

    def attend(given):
        seen.append(given)
        return dense(given)

    np.testing.assert_array_equal(model.forward(tokens, attend), model.forward(tokens))
    assert [layer.layer for layer in seen] == [0, 1]
    for layer in seen:
        n = len(tokens)
        assert (layer.q.shape, layer.k.shape, layer.v.shape) == ((4, n, 16), (2, n, 16), (2, n, 16))
        assert (layer.group, layer.causal) == (2, True)
        for head in range(2):
            np.testing.assert_allclose(
                layer.rotation(layer.x @ layer.w_k[head].T), layer.k[head], rtol=1e-4, atol=1e-5
            )


@pytest.mark.parametrize(
    ("key", "call"),
    [
        ("llama.block_count", lambda model: model.n_layers),
        ("llama.rope.freq_base", lambda model: model.forward(np.zeros(4, int))),
        ("tokenizer.ggml.merges", lambda model: model.encode("a")),
    ],
)
def test_a_model_that_lacks_a_number_says_which(tmp_path, key, call):
    path = tiny_llama(tmp_path / "tiny.gguf", without={key})
    assert refuse(path, lambda: call(Llama("tiny", path))) == f"has no {key} in its metadata"


def test_a_model_of_another_family_is_named(tmp_path):
    write_gguf(tmp_path / "g.gguf", {"general.architecture": (STRING, "gpt2")}, {})
    says = refuse(tmp_path / "g.gguf", lambda: Llama("g", tmp_path / "g.gguf").n_layers)
    assert says == "holds a model of family 'gpt2', not 'llama'"


def test_digits_are_tokens_of_their_own():
    tokens, merges = [*byte_pairs()[0], "12"], [*byte_pairs()[1], "1 2"]
    tokenizer = byte_pair_tokenizer(tokens, merges)
    assert tokenizer.encode("the 12").tokens == ["the", "Ġ", "1", "2"]


# Parts, by hand.


def test_activations_by_hand():
    x = np.array([-1e4, -1.0, 0.0, 1.0, 50.0], np.float32)
    np.testing.assert_allclose(silu(x), [0, -0.26894142, 0, 0.73105858, 50], atol=1e-6)
    np.testing.assert_allclose(gelu(x), [0, -0.15865525, 0, 0.84134475, 50], atol=1e-6)


def test_norms_by_hand():
    """(3, 4): root mean square sqrt(12.5); mean 3.5, standard deviation 0.5."""
    x, weight, bias = np.array([[3.0, 4.0]], np.float32), np.array([1.0, 2.0]), np.array([0.0, 1.0])
    np.testing.assert_allclose(rms_norm(x, weight, 0.0), [[3 / 12.5**0.5, 8 / 12.5**0.5]], 1e-6)
    np.testing.assert_allclose(layer_norm(x, weight, bias, 0.0), [[-1.0, 3.0]], rtol=1e-6)
    zeros = np.zeros((1, 2), np.float32)
    assert not rms_norm(zeros, weight, 1e-5).any()
    np.testing.assert_array_equal(layer_norm(zeros, weight, bias, 1e-5), [bias])


@given(st.integers(0, 99), st.integers(0, 80), st.integers(0, 19))
def test_rotation_keeps_lengths_and_sees_only_distances(seed, shift, distance):
    q, k = np.random.default_rng(seed).normal(size=(2, 1, 16))
    rotation = Rotation.of(100, 16, 10_000.0)
    turned_q, turned_k = (rotation(np.repeat(x, 100, axis=0)) for x in (q, k))
    lengths = np.linalg.norm(turned_q, axis=1)
    np.testing.assert_allclose(lengths, np.linalg.norm(q), rtol=1e-5)
    score = turned_q[distance] @ turned_k[0]
    assert turned_q[shift + distance] @ turned_k[shift] == pytest.approx(score, abs=1e-4)


@pytest.mark.parametrize("causal", [True, False])
def test_dense_attention_is_softmax_attention(causal):
    """300 queries are two blocks; 4 query heads on 2 K/V heads."""
    rng = np.random.default_rng(3)
    q, k, v = (rng.normal(size=(heads, 300, 8)).astype(np.float32) for heads in (4, 2, 2))
    given = AttentionInput(0, q[0], k, q, k, v, None, causal=causal)
    kept = np.tri(300, dtype=bool) if causal else np.ones((300, 300), dtype=bool)
    expected = softmax_attention(q, k.repeat(2, axis=0), v.repeat(2, axis=0), kept).output
    np.testing.assert_allclose(dense(given), expected, rtol=1e-4, atol=1e-5)


# Text.


def test_prose_is_paragraphs_that_are_sentences():
    text = "Title\n*****\n\nOne\nsentence.\n  \n   Indented.\n\nrule ::= x.\n\nNo stop\n\nTwo."
    assert prose(text) == ["One sentence.", "Two."]
    assert prose("") == []


def test_the_default_text_is_the_same_each_time():
    text = read_text(None)
    assert text == read_text(None)
    assert text.source == f"prose of pydoc_data.topics, Python {platform.python_version()}"
    assert len(text.text) > 100_000
    assert "::=" not in text.text


def test_a_text_is_read_with_its_name(tmp_path):
    (tmp_path / "é.txt").write_text("naïve", encoding="utf-8")
    read = read_text(tmp_path / "é.txt")
    assert (read.text, read.source) == ("naïve", "é.txt")


def test_texts_that_cannot_be_read_are_named(tmp_path):
    path = tmp_path / "latin.txt"
    path.write_bytes(b"na" + "ï".encode("latin-1") + b"ve")
    assert refuse(path, lambda: read_text(path)) == "is not UTF-8 text (byte 2)"
    with pytest.raises(FileNotFoundError):
        read_text(tmp_path / "none.txt")
    with pytest.raises(IsADirectoryError):
        read_text(tmp_path)
