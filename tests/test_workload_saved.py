"""Bytes saved for the backward pass: by hand, and against Korthikanti et al. 2022.

Their table 2 (arXiv 2205.05198) is for 2-byte activations, 1-byte masks and a feed-forward network
of 4 h, with s tokens a sequence, b sequences, h the width, a heads and t dies.
"""

import itertools
from dataclasses import replace

import pytest

from star_watos.workload import (
    Attention,
    LayerKind,
    Microbatch,
    Model,
    Norm,
    embedding_ops,
    head_ops,
    layer_input_bytes,
    layer_kinds,
    layer_ops,
    load_model,
)

GRID = list(itertools.product((128, 2048), (1, 4), (1024, 12288), (16, 64), (1, 2, 8)))


def gpt(h, a):
    return Model(
        "gpt",
        n_layers=1,
        d_model=h,
        n_heads=a,
        n_kv_heads=a,
        head_dim=h // a,
        d_ff=4 * h,
        vocab=51200,
        max_seq_len=2048,
        gated=False,
        norm=Norm.LAYER,
        learned_positions=True,
        dropout=0.1,
        attention_dropout=0.1,
    )


def unfused(s, b, t, *, split):
    return Microbatch(
        tokens=s * b, seq_len=s, tp=t, sequence_parallel=split, attention=Attention.UNFUSED
    )


def saved(model, shape):
    return sum(op.saved_bytes for op in layer_ops(model, shape, LayerKind.DENSE))


def core(model, shape):
    return next(op for op in layer_ops(model, shape, LayerKind.DENSE) if op.name == "attention")


@pytest.mark.parametrize(("s", "b", "h", "a", "t"), GRID)
def test_tensor_parallel_layer(s, b, h, a, t):
    """Table 2: s b h (10 + 24/t + 5 a s / (h t)), which at t = 1 is s b h (34 + 5 a s / h)."""
    expected = s * b * h * (10 + 24 / t + 5 * a * s / (h * t))
    assert saved(gpt(h, a), unfused(s, b, t, split=False)) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(("s", "b", "h", "a", "t"), GRID)
def test_sequence_parallel_layer(s, b, h, a, t):
    """Table 2: s b h / t (34 + 5 a s / h)."""
    expected = s * b * h / t * (34 + 5 * a * s / h)
    assert saved(gpt(h, a), unfused(s, b, t, split=True)) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(("s", "b", "h", "a", "t"), GRID)
def test_sequence_parallel_layer_without_the_attention_core(s, b, h, a, t):
    """Table 2: 34 s b h / t when softmax, its mask and its dropped-out product are made again."""
    model, shape = gpt(h, a), unfused(s, b, t, split=True)
    attention = core(model, shape)
    left = saved(model, shape) - attention.saved_bytes + attention.selective_bytes
    assert left == pytest.approx(34 * s * b * h / t, rel=1e-12)


@pytest.mark.parametrize("t", [1, 8])
def test_head(t):
    """Section 4.3: 4 s b h / t (1 + v / h), and s b h / t for the mask of the embedding."""
    s, b, h, v = 2048, 2, 4096, 51200
    model, shape = gpt(h, 32), unfused(s, b, t, split=True)
    head = sum(op.saved_bytes for op in head_ops(model, shape))
    assert head == 4 * s * b * h / t * (1 + v / h)
    assert sum(op.saved_bytes for op in embedding_ops(model, shape)) == s * b * h / t


def test_selective_recomputation_of_a_gpt_layer():
    """Left are both norms' inputs 2 + 2, q, k and v 6, the attention's output 2 and the up
    projection's result 8: 20 s b h of 34 s b h + 5 a s² b."""
    s, b, h = 1024, 2, 2048
    ops = layer_ops(gpt(h, 16), unfused(s, b, 1, split=False), LayerKind.DENSE)
    assert sum(op.selective_bytes for op in ops) == 20 * s * b * h


def test_llama_layer_by_hand():
    """Llama-3 8B, a token: each norm's input and result 2*2*2*4,096 = 32,768; q 4,096, k and v
    1,024 each 2*6,144 = 12,288; attention's output 2*4,096 and 32 sums of 4 bytes 8,320; gate, up
    and their product 2*3*14,336 = 86,016. Together 139,392.

    Without what the vector unit makes again: 139,392 - 2*2*4,096 - 2*14,336 = 94,336.
    """
    shape = Microbatch(tokens=16384, seq_len=8192)
    ops = layer_ops(load_model("llama3_8b"), shape, LayerKind.DENSE)
    assert sum(op.saved_bytes for op in ops) == 139_392 * 16384
    assert sum(op.selective_bytes for op in ops) == 94_336 * 16384


def test_qwen3_saves_normalised_queries_and_keys_too():
    model = load_model("llama3_8b")
    shape = Microbatch(tokens=8, seq_len=8)
    more = saved(replace(model, qk_norm=True), shape) - saved(model, shape)
    assert more == 2 * 8 * (4096 + 1024)


def test_mixtral_layer_by_hand():
    """A token: norms 32,768; q, k, v 12,288; attention 8,320; 8 router scores of 4 bytes 32; two
    copies for the experts 2*2*4,096 = 16,384; gate, up and product of two experts 2*2*3*14,336 =
    172,032. Together 241,824."""
    shape = Microbatch(tokens=64, seq_len=64)
    ops = layer_ops(load_model("mixtral_8x7b"), shape, LayerKind.MOE)
    assert sum(op.saved_bytes for op in ops) == 241_824 * 64


def test_deepseek_dense_layer_by_hand():
    """A token, in elements: norms 4*7,168 = 28,672; query latent before and after its norm 3,072
    and queries 24,576; key-value latent 576, normalised 512, expanded 32,768, keys put together
    24,576; output 16,384; gate, up, product 3*18,432 = 55,296. 2*186,432 bytes, and 128 sums of 4.
    """
    shape = Microbatch(tokens=64, seq_len=64)
    ops = layer_ops(load_model("deepseek_v3"), shape, LayerKind.DENSE)
    assert sum(op.saved_bytes for op in ops) == (2 * 186_432 + 4 * 128) * 64


@pytest.mark.parametrize(("split", "expected"), [(False, 2 * 4096), (True, 2 * 4096 / 8)])
def test_full_recomputation_keeps_the_input_of_a_layer(split, expected):
    """2 s b h, split by tokens with sequence parallelism (table 2: full recomputation)."""
    shape = Microbatch(tokens=2048, seq_len=2048, tp=8, sequence_parallel=split)
    assert layer_input_bytes(load_model("llama2_7b"), shape) == 2048 * expected


@pytest.mark.parametrize(
    "name",
    [
        *("gpt3_175b", "llama3_70b", "mixtral_8x7b", "deepseek_v3"),
        *("falcon_40b", "gemma2_9b", "bloom_176b", "qwen3_30b_a3b"),
    ],
)
@pytest.mark.parametrize("attention", Attention)
def test_recomputation_never_adds_memory(name, attention):
    model = load_model(name)
    shape = Microbatch(tokens=4096, seq_len=2048, tp=8, attention=attention)
    for kind, _ in layer_kinds(model):
        ops = layer_ops(model, shape, kind)
        assert all(0 <= op.kept_bytes <= op.saved_bytes for op in ops)
        full, selective = layer_input_bytes(model, shape), sum(op.selective_bytes for op in ops)
        assert full < selective < sum(op.saved_bytes for op in ops)
