"""Decoding and chunks, by hand and beside a prefill; unions of what queries keep."""

import dataclasses
import json
import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from star_watos.cli.star import app as star
from star_watos.spec import load
from star_watos.star import AttentionTask, AttentionWork, Core, Resources, Sparsity, Tile
from star_watos.star.layer import Layer
from star_watos.star.stages import all_stages
from star_watos.workload import load_model

UNION = load(Sparsity, "sofa_2pct_union", "configs/sparsity")
LLAMA = load_model("llama2_7b")
TINY = load(
    Core,
    "star_28nm",
    "configs/cores",
    ["queries=8", "dlzs.columns=4", "dram.burst=1", "dram.page=64"],
)
STEP = AttentionWork(
    d_model=64.0,
    n_layers=1.0,
    n_heads=2.0,
    n_kv_heads=1.0,
    head_dim=16.0,
    seq_len=100.0,
    q_len=1.0,
    keep_ratio=0.1,
    kv_ratio=0.3,
    load_ratio=0.5,
    cached=99.0,
)


def task(seq_len, **fields):
    return AttentionTask(model="llama2_7b", seq_len=seq_len, sparsity=UNION, **fields)


# Decoding.


def test_cycles_of_one_decoded_token_by_hand():
    """100 keys, 99 cached, in tiles of 40, 40 and 20; P = 8, D = 64, d = 16, r = 2.

    predict: one group x ceil(16 / 8) blocks x 64 / 2 = 64; 2 heads x (10 + 10 + 5) x 16 = 800
    sort: k = 10, quotas floor(4), floor(8) - 4, 10 - 8 = 4, 4, 2: one pass each, of
      ceil(36 / 12) = 3 steps twice and ceil(16 / 12) = 2: 2 heads x 8
    K/V: ceil(0.3 x 1) = 1 token: one step x ceil(32 / 8) x 64
    attention: two keys a step: 2 + 2 + 1 steps of 16, three joins of 17 / 4, and 16 to divide:
      2 heads x (80 + 12.75 + 16)
    """
    layer = Layer.of(Resources.of(TINY), STEP, Tile(40.0))
    cycles = [float(stage.cycles) for stage in all_stages(layer)]
    assert cycles == [64 + 800, 16, 256, 217.5]


def test_bytes_of_one_decoded_token_by_hand():
    """As above, in bursts of a byte. K^ and Q take 2 bytes a value, a K and V row 64 bytes.

    predict: K^ of the 99 old tokens for pass 0 and of all 100 for pass 1: 199 x 32; Q: 2 x 32;
      the token, for each of 2 blocks: 2 x 64; codes of 2 blocks: 2 x 64 x 8 x 5/8; K^ stored: 32
    sort: identifiers 2 heads x 10 x 2
    K/V: the token 64, weights 2 x 16 x 64 x 2, its row 64
    attention: identifiers again, as many rows as a query keeps for each head: 2 x 10 x 64, and
      outputs 2 x 32
    """
    layer = Layer.of(Resources.of(TINY), STEP, Tile(40.0))
    moved = [float(stage.moved_bytes) for stage in all_stages(layer)]
    predict = 199 * 32 + 64 + 128 + 640 + 32
    assert moved == pytest.approx([predict, 40, 64 + 4096 + 64, 40 + 1280 + 64], rel=1e-12)


def test_operations_of_one_decoded_token_by_hand():
    """A MAC is two: K^ of one token and 100 scores of each head; K and V of it; 10 keys kept."""
    layer = Layer.of(Resources.of(TINY), STEP, Tile(40.0))
    predict, _, kv_generation, attention = all_stages(layer)
    assert predict.ops == 2 * (64 * 16 + 2 * 100 * 16)
    assert kv_generation.ops == 2 * 64 * 2 * 16
    assert attention.ops == 2 * 2 * 10 * 2 * 16


@pytest.mark.parametrize(
    ("fields", "asked", "generated"),
    [({"phase": "decode"}, 1, 1), ({"queries": 1}, 1, 1), ({"queries": 8}, 8, 2)],
)
def test_a_step_of_decoding_has_the_tokens_before_it_cached(fields, asked, generated):
    """ceil(0.241 x 1) = 1 and ceil(0.241 x 8) = ceil(1.928) = 2 tokens are generated."""
    work = task(4096, **fields).work(LLAMA)
    assert (work.q_len, work.cached, work.new_tokens) == (asked, 4096 - asked, asked)
    assert work.generated_tokens == generated
    assert work.kept_per_row == 304


def test_prefill_has_nothing_cached():
    work = task(4096).work(LLAMA)
    assert work == task(4096, phase="prefill").work(LLAMA)
    assert (work.q_len, work.cached, work.new_tokens) == (4096, 0, 4096)


# Chunks.


@given(seq_len=st.integers(1, 20_000), share=st.floats(0.01, 1))
def test_chunks_do_what_the_prefill_does(seq_len, share):
    """Pairs and predicted tokens exactly; of each chunk a token more may be generated."""
    chunk = math.ceil(share * seq_len)
    whole = task(seq_len).work(LLAMA)
    parts = task(seq_len, phase="chunked", queries=chunk).work(LLAMA)
    n_chunks = math.ceil(seq_len / chunk)
    assert np.size(parts.n_layers) == n_chunks
    for name in ("visible_pairs", "kept_pairs", "new_tokens"):
        assert parts.total(getattr(parts, name)) == whole.total(getattr(whole, name)), name
    more = parts.total(parts.generated_tokens) / 32 - whole.generated_tokens
    assert 0 <= more < n_chunks


@pytest.mark.parametrize("chunk", [256, 1000, 1024, 2047])
def test_operations_of_chunks_are_those_of_the_prefill(chunk):
    """Of the generated tokens a chunk may have one more, by rounding up: 2 x 4096 x 8192 each."""
    works = (task(2048).work(LLAMA), task(2048, phase="chunked", queries=chunk).work(LLAMA))
    core = Resources.of(load(Core, "star_28nm", "configs/cores"))
    layers = [Layer.of(core, work, Tile(64.0)) for work in works]
    whole, parts = (
        {name: layer.work.total(s.ops) for name, s in all_stages(layer)._asdict().items()}
        for layer in layers
    )
    assert parts["predict"] == whole["predict"]
    assert parts["attention"] == whole["attention"]
    n_chunks = math.ceil(2048 / chunk)
    more = (parts["kv_generation"] - whole["kv_generation"]) / (32 * 2 * 4096 * 8192)
    assert 0 <= more < n_chunks
    assert more == int(more)


def test_one_chunk_is_the_prefill():
    assert task(4096, phase="chunked", queries=4096).work(LLAMA) == task(4096).work(LLAMA)


def test_chunks_from_end_to_end(run):
    code, out, err = run(
        star, "simulate", "--seq-len", "4k", "--phase", "chunked", "--queries", "1k", "--json"
    )
    assert (code, err) == (0, "")
    report = json.loads(out)
    assert (report["workload"]["phase"], report["workload"]["queries"]) == ("chunked", 1024)
    whole = json.loads(run(star, "simulate", "--seq-len", "4k", "--json")[1])
    for name in ("predict", "attention"):
        assert report["stages"][name]["ops"] == whole["stages"][name]["ops"]


def test_as_many_chunks_as_are_allowed():
    assert np.size(task(4096, phase="chunked", queries=1).work(LLAMA).n_layers) == 4096


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ("--phase chunked", "star simulate  phase chunked needs queries, the tokens of a chunk"),
        (
            "--phase chunked --queries 1 --seq-len 4097",
            "star simulate  expected 4,096 chunks at most, got 4,097",
        ),
        (
            "--phase chunked --queries 1k --seq-len 16G",
            "star simulate  expected 4,096 chunks at most, got 16,777,216",
        ),
        (
            "--phase prefill --queries 8 --seq-len 4k",
            "star simulate  phase prefill has all 4096 tokens as queries",
        ),
        (
            "--phase chunked --queries 1k --seq-len 4k --no-causal",
            "star simulate  phase chunked is causal: a chunk cannot see those after it",
        ),
        (
            "--phase chunk",
            "--phase  phase: expected 'prefill', 'chunked' or 'decode', got 'chunk'",
        ),
    ],
)
def test_phases_that_cannot_be(run, options, says):
    assert run(star, "simulate", *options.split()) == (2, "", says + "\n")


# Unions.

ratios = st.floats(1e-6, 1.0)
exponents = st.floats(0.0, 1.0)


def joined(keep, a, rows, b=None, heads=1):
    """Return work whose profile was measured on sets that join with these exponents."""

    def share(power):
        return -math.expm1(math.log1p(-keep) * power)

    load_ratio = share(rows**a)
    group = None if b is None else share(rows**a * heads**b)
    assume(max(load_ratio, group or 0.0) < 1 - 1e-9)
    return dataclasses.replace(
        STEP,
        keep_ratio=keep,
        load_ratio=load_ratio,
        load_rows=float(rows),
        group_load_ratio=group,
        group_heads=float(heads),
    )


@given(keep=st.floats(1e-6, 0.9), a=exponents, rows=st.integers(1, 512))
def test_a_union_of_one_query_is_what_it_keeps(keep, a, rows):
    work = joined(keep, a, rows)
    assert work.loaded_share(1.0) == pytest.approx(keep, rel=1e-9)
    assert work.loaded_share(float(rows)) == pytest.approx(work.load_ratio, rel=1e-6)


@given(
    keep=st.floats(1e-6, 0.9),
    a=exponents,
    b=exponents,
    rows=st.integers(2, 512),
    heads=st.integers(2, 16),
)
def test_a_union_of_a_group_is_what_was_measured(keep, a, b, rows, heads):
    work = joined(keep, a, rows, b, heads)
    share = work.loaded_share(float(rows), float(heads))
    assert share == pytest.approx(work.group_load_ratio, rel=1e-6)


@given(
    keep=ratios,
    more=st.lists(exponents, min_size=2, max_size=2),
    rows=st.lists(st.integers(1, 4096), min_size=2, max_size=2).map(sorted),
    heads=st.lists(st.integers(1, 64), min_size=2, max_size=2).map(sorted),
    measured=st.integers(1, 512),
)
def test_a_union_grows_with_its_sets_to_all_keys(keep, more, rows, heads, measured):
    """Whatever a profile says: unions between what one query keeps and all keys."""
    load_ratio = keep + more[0] * (1 - keep)
    work = dataclasses.replace(
        STEP,
        keep_ratio=keep,
        load_ratio=load_ratio,
        load_rows=float(measured),
        group_load_ratio=load_ratio + more[1] * (1 - load_ratio),
        group_heads=float(measured),
    )
    few, tall, wide = (
        float(work.loaded_share(float(n), float(h)))
        for n, h in ((rows[0], heads[0]), (rows[1], heads[0]), (rows[0], heads[1]))
    )
    assert keep * (1 - 1e-9) <= few <= tall <= 1
    assert few <= wide <= 1


@given(rows=st.integers(1, 4096), heads=st.integers(1, 64), group=st.booleans())
def test_all_keys_together_are_all_keys(rows, heads, group):
    """But for the 10^-12 of the keys by which logarithms are kept finite."""
    dense = dataclasses.replace(
        STEP, keep_ratio=1.0, load_ratio=1.0, group_load_ratio=1.0 if group else None
    )
    share = dense.loaded_share(float(rows), float(heads))
    assert share == pytest.approx(1.0, abs=1.01e-12)
    assert share <= 1
