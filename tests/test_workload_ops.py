"""FLOPs and bytes of the operators: sums against parameter counts, splits, columns, growth."""

from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from star_watos.workload import (
    Attention,
    Kind,
    LayerKind,
    Microbatch,
    Op,
    embedding_ops,
    embedding_params,
    head_ops,
    head_params,
    layer_kinds,
    layer_ops,
    layer_params,
    load_model,
    scored_pairs,
    share_of_heads,
)

NAMES = [
    *("gpt3_175b", "llama3_8b", "llama3_70b", "mixtral_8x7b", "deepseek_v3"),
    *("falcon_40b", "gemma2_9b", "bloom_176b", "deepseek_v2"),
]
MODELS = {name: load_model(name) for name in NAMES}
QUANTITIES = [f.name for f in fields(Op) if f.name not in ("name", "kind", "recomputed")]
COSTS = [name for name in QUANTITIES if name.endswith(("flops", "bytes"))]
names = st.sampled_from(NAMES)
attentions = st.sampled_from(list(Attention))
seq_lens = st.sampled_from([1, 128, 1000, 4096])


def every_op(model, shape):
    layers = [op for kind, _ in layer_kinds(model) for op in layer_ops(model, shape, kind)]
    return [*embedding_ops(model, shape), *layers, *head_ops(model, shape)]


def total(ops, quantity):
    return sum(getattr(op, quantity) for op in ops)


def named(model, shape, name, layer=LayerKind.DENSE):
    return next(op for op in layer_ops(model, shape, layer) if op.name == name)


def test_llama2_layer_by_hand():
    """Llama-2 7B, 4,096 tokens: qkv and output 2*4,096*4*4,096² = 549,755,813,888; attention
    4*4,096²*4,096 / 2 = 137,438,953,472; gate, up and down 2*4,096*3*4,096*11,008 =
    1,108,101,562,368."""
    ops = layer_ops(load_model("llama2_7b"), Microbatch(4096, 4096), LayerKind.DENSE)
    assert total(ops, "forward_flops") == 549_755_813_888 + 137_438_953_472 + 1_108_101_562_368


@pytest.mark.parametrize("name", NAMES)
def test_gemms_do_two_flops_per_active_parameter_and_token(name):
    """Forward GEMMs = 2 tokens (active parameters - embedding - vectors); a tied head multiplies
    the table once. The vectors are what is no matrix: norms, biases, the router's bias."""
    model, tokens = MODELS[name], 4096
    shape = Microbatch(tokens=tokens, seq_len=2048)
    layers = [
        count * total([op for op in layer_ops(model, shape, kind) if op.kind is Kind.GEMM], FLOPS)
        for kind, count in layer_kinds(model)
    ]
    vectors = (model.norms_per_layer * model.n_layers + 1) * model.norm_params
    if model.qkv_bias:  # GPT-3 and BLOOM: 3 h + h + 4 h + h
        vectors += model.n_layers * 9 * model.d_model
    if model.mla and model.moe:
        vectors += model.n_layers * (1536 + 512) + model.moe.router_bias * 58 * 256
    matrices = model.n_active_params - embedding_params(model) - vectors
    matrices += model.vocab * model.d_model if model.tied_embeddings else 0
    assert sum(layers) + total(head_ops(model, shape), FLOPS) == 2 * tokens * matrices


FLOPS = "forward_flops"


@pytest.mark.parametrize("name", NAMES)
def test_operators_read_all_parameters_of_their_layer(name):
    model, shape = MODELS[name], Microbatch(tokens=64, seq_len=64)
    for kind, _ in layer_kinds(model):
        read = total(layer_ops(model, shape, kind), "weight_bytes")
        assert read == 2 * layer_params(model, kind)
    table = model.vocab * model.d_model if model.tied_embeddings else 0
    assert total(head_ops(model, shape), "weight_bytes") == 2 * (head_params(model) + table)


def test_vector_operators_count_no_flops():
    for model in MODELS.values():
        ops = every_op(model, Microbatch(tokens=64, seq_len=64))
        assert all(op.forward_flops == 0 for op in ops if op.kind is Kind.VECTOR)


@pytest.mark.parametrize(("attention", "ratio"), [(Attention.FLASH, 2.5), (Attention.UNFUSED, 2)])
def test_backward_flops(attention, ratio):
    """Two products for each of a GEMM's; flash attention also makes the scores again: 5 for 2."""
    shape = Microbatch(tokens=4096, seq_len=4096, attention=attention)
    for op in every_op(MODELS["llama3_70b"], shape):
        expected = ratio if op.kind is Kind.ATTENTION else 2
        assert op.backward_flops == expected * op.forward_flops


def test_attention_of_mla_is_wider_in_keys_than_in_values():
    """DeepSeek-V3: 128 heads of 2 * 4,096² / 2 * (192 + 128) FLOPs."""
    op = named(MODELS["deepseek_v3"], Microbatch(4096, 4096), "attention")
    assert op.forward_flops == 128 * 4096**2 * (192 + 128)
    assert (op.m, op.n, op.k, op.batch) == (4096, 4096, 192, 128)


def test_scored_pairs():
    """8 tokens: 64 in full, 32 under the causal mask, 8*4 - 4²/2 = 24 with a window of 4."""
    model, shape = MODELS["llama3_8b"], Microbatch(tokens=8, seq_len=8)
    windowed = replace(model, window=4)
    assert scored_pairs(model, shape) == 32
    assert scored_pairs(windowed, shape) == 24
    assert scored_pairs(replace(model, window=100), shape) == 32
    assert scored_pairs(replace(model, causal=False), shape) == 64
    assert scored_pairs(windowed, replace(shape, attention=Attention.UNFUSED)) == 64


def test_key_value_heads_are_copied_when_there_are_fewer_than_dies():
    """Llama-3 70B on 16 dies: 4 query heads and 1 key-value head each, 4 + 1 + 1 of width 128."""
    model = MODELS["llama3_70b"]
    assert named(model, Microbatch(64, 64, tp=16), "qkv").n == 6 * 128
    assert named(model, Microbatch(64, 64, tp=8), "qkv").n == (8 + 1 + 1) * 128


def test_heads_that_do_not_divide_fill_one_die_more():
    assert [share_of_heads(96, tp) for tp in (7, 8, 96, 128)] == [14, 12, 1, 1]


def test_experts_are_shared_by_the_dies_of_an_expert_group():
    """Mixtral on 4 groups: 2 experts each, and 4 times the tokens to each expert."""
    model, shape = MODELS["mixtral_8x7b"], Microbatch(64, 64)
    alone = named(model, shape, "experts_up", LayerKind.MOE)
    grouped = named(model, replace(shape, ep=4.0), "experts_up", LayerKind.MOE)
    assert (alone.batch, alone.m) == (8, 16)
    assert (grouped.batch, grouped.m) == (2, 64)
    assert grouped.forward_flops == alone.forward_flops
    assert grouped.weight_bytes == alone.weight_bytes / 4


def test_unfused_attention_writes_its_squares():
    """GPT-3, one head and sequence of 8 tokens has 64 scores of 2 bytes: written are scores,
    softmax, mask of 1 byte and dropped-out softmax, read the three squares of 2 bytes."""
    model = MODELS["gpt3_175b"]
    unfused = named(model, Microbatch(8, 8, attention=Attention.UNFUSED), "attention")
    context, squares = 2 * 8 * 12288, 96 * 64
    assert unfused.output_bytes == context + 7 * squares
    assert unfused.input_bytes == 3 * context + 6 * squares


@given(name=names, tp=st.sampled_from([2, 4, 8]), seq_len=seq_lens, attention=attentions)
def test_what_is_split_adds_to_the_whole(name, tp, seq_len, attention):
    """With sequence parallelism every GEMM's FLOPs and every saved byte are split; only the copies
    of tokens for the experts are on each die."""
    model = MODELS[name]
    whole = Microbatch(tokens=tp * seq_len, seq_len=seq_len, attention=attention)
    split = replace(whole, tp=tp, sequence_parallel=True)
    for one, part in zip(every_op(model, whole), every_op(model, split), strict=True):
        assert tp * part.forward_flops == pytest.approx(one.forward_flops)
        assert tp * part.backward_flops == pytest.approx(one.backward_flops)
        if one.name != "dispatch":
            assert tp * part.saved_bytes == pytest.approx(one.saved_bytes)


@given(
    name=names,
    sizes=st.lists(st.tuples(st.integers(1, 64), st.sampled_from([1, 2, 7, 8, 128])), min_size=1),
    split=st.booleans(),
    attention=attentions,
)
def test_a_column_is_its_scalars(name, sizes, split, attention):
    counts, degrees = (np.array(column) for column in zip(*sizes, strict=True))
    flags = (np.arange(len(sizes)) % 2 == 0) ^ split
    columns = Microbatch(counts * 512, 512, degrees, flags, attention)
    ops = every_op(MODELS[name], columns)
    for row, (count, tp) in enumerate(sizes):
        scalars = Microbatch(count * 512, 512, tp, bool(flags[row]), attention)
        for column, scalar in zip(ops, every_op(MODELS[name], scalars), strict=True):
            for quantity in QUANTITIES:
                here = np.broadcast_to(getattr(column, quantity), len(sizes))[row]
                assert here == getattr(scalar, quantity), (column.name, quantity)


@given(
    name=names,
    fewer=st.integers(1, 64),
    more=st.integers(1, 64),
    seq_len=seq_lens,
    tp=st.sampled_from([1, 3, 8]),
    attention=attentions,
)
def test_more_tokens_never_cost_less(name, fewer, more, seq_len, tp, attention):
    small, large = (
        every_op(MODELS[name], Microbatch(n * seq_len, seq_len, tp, attention=attention))
        for n in (fewer, fewer + more)
    )
    for a, b in zip(small, large, strict=True):
        assert all(getattr(a, cost) <= getattr(b, cost) for cost in COSTS)


@given(name=names, tp=st.integers(1, 64), attention=attentions)
def test_more_dies_never_cost_a_die_more(name, tp, attention):
    few, many = (
        every_op(MODELS[name], Microbatch(4096, 4096, degree, attention=attention))
        for degree in (tp, tp + 1)
    )
    for a, b in zip(few, many, strict=True):
        assert all(getattr(a, cost) >= getattr(b, cost) for cost in COSTS)


def test_large_columns_of_integers_do_not_overflow():
    model = MODELS["llama3_70b"]
    tokens, tp = np.array([2**40]), np.array([1])
    assert named(model, Microbatch(tokens, 2**20, tp), "mlp_up").forward_flops[0] > 2**63
