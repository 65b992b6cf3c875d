"""The core's model: arithmetic by hand, limits, and what physics does not allow."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from star_watos.cost import Bound, Overflow
from star_watos.spec import load
from star_watos.star import AttentionWork, Core, Resources, area_mm2, document, evaluate, simulate
from star_watos.star.pipeline import latency
from star_watos.star.stages import all_stages, mean_quota, visits

CORE = load(Core, "star_28nm", "configs/cores")
LLAMA_4K = AttentionWork(4096.0, 32.0, 32.0, 32.0, 128.0, 4096.0, 4096.0, 0.074, 0.074)


def work(seq_len=4096, q_len=None, keep=0.074, kv=None, **others):
    kv = keep if kv is None else kv
    q_len = seq_len if q_len is None else q_len
    fields = {"seq_len": float(seq_len), "q_len": float(q_len), "keep_ratio": keep, "kv_ratio": kv}
    return dataclasses.replace(LLAMA_4K, **fields, **others)


def changed(*overrides):
    return load(Core, "star_28nm", "configs/cores", overrides)


def test_pairs_of_a_small_causal_attention_by_hand():
    """S = q = 4, keep 0.5 -> k = 2. Rows see 1, 2, 3, 4 keys and keep 1, 2, 2, 2."""
    small = work(seq_len=4, keep=0.5)
    assert small.visible_pairs == 10
    assert small.kept_pairs == 7


def test_a_chunk_at_the_end_sees_the_whole_past():
    """q = 2 of S = 4: rows see 3 and 4 keys; dense attention keeps them all."""
    chunk = work(seq_len=4, q_len=2, keep=1.0)
    assert chunk.visible_pairs == chunk.kept_pairs == 7
    assert dataclasses.replace(chunk, causal=False).visible_pairs == 8


def test_tile_visits_are_exact_over_whole_periods():
    """S = 512, 128 rows, 64 keys a tile: row tiles reach 128, 256, 384, 512 -> 2 + 4 + 6 + 8."""
    assert work(seq_len=512).tile_visits(128.0, 64.0) == 20
    """256 keys a tile: 1 + 1 + 2 + 2."""
    assert work(seq_len=512).tile_visits(128.0, 256.0) == 6


def test_cycles_of_one_layer_by_hand():
    """Llama-2 7B at 4k, key tile 64, k = 304 of 4096, one layer of 32 heads.

    visits = 32 heads x sum over 32 row tiles of 2 t = 32 x 1056 = 33,792
    kept pairs = 304 x 4096 - 304 x 303 / 2 = 1,199,128 a head
    fullest rows keep 128 + 256 + 30 x 304 = 9,504 keys; quota = 9,504 / 1056 = 9
    predict = 128 x 32 x 4096 / 2 + 33,792 x 2 x 128 = 8,388,608 + 8,650,752
    sort = 33,792 x ceil(9 / 4) x ceil(60 / 12) = 506,880
    K/V = ceil(304 / 4) x 64 x 4096 = 19,922,944
    attention = 33,792 x 5 x 128 + 33,792 x 129 / 4 + 32 x 32 x 128 = 22,847,744... + 131,072
    """
    core, tile = Resources.of(CORE), 64.0
    assert visits(core, LLAMA_4K, tile) == 33_792
    assert LLAMA_4K.kept_pairs == 1_199_128
    assert mean_quota(core, LLAMA_4K, tile) == 9
    stages = all_stages(core, LLAMA_4K, tile)
    assert stages.predict.cycles == 8_388_608 + 8_650_752
    assert stages.sort.cycles == 506_880
    assert stages.kv_generation.cycles == 19_922_944
    assert stages.attention.cycles == 33_792 * 640 + 33_792 * 129 / 4 + 131_072


def test_operations_are_the_macs_twice():
    stages = all_stages(Resources.of(CORE), LLAMA_4K, 64.0)
    assert stages.attention.ops == 4 * 32 * LLAMA_4K.kept_pairs * 128
    assert stages.kv_generation.ops == 2 * 304 * 4096 * 2 * 4096
    assert stages.predict.ops == 2 * (4096.0**3 + 32 * 128 * 4096 * 4097 / 2)


def test_the_pipeline_of_one_tile_is_the_sum_of_its_stages():
    """With a single visit nothing overlaps."""
    one = work(seq_len=32, q_len=32, n_heads=1.0, n_kv_heads=1.0, n_layers=1.0)
    core = Resources.of(CORE)
    time = latency(core, one, 32.0, all_stages(core, one, 32.0))
    total = sum(time.stage_s.values()) + time.memory_s["dram"]
    assert visits(core, one, 32.0) == 1
    assert time.total_s == pytest.approx(total, rel=1e-12)


@pytest.mark.parametrize(
    ("metric", "published"),
    [("throughput_gops", 24_423), ("area_mm2", 5.69), ("core_power_w", 0.95)],
)
def test_sofa_operating_point_within_ten_percent(metric, published):
    """SOFA (MICRO 2024) Tables II and III: Llama-7B, 4k tokens, 2 % loss."""
    result = simulate(CORE, LLAMA_4K)
    assert float(result.metrics[metric]) == pytest.approx(published, rel=0.10)


def test_blocks_and_stages_add_up():
    report = document(CORE, {}, LLAMA_4K, simulate(CORE, LLAMA_4K))
    metrics = report["metrics"]
    assert sum(report["area_mm2"].values()) == pytest.approx(metrics["area_mm2"], rel=1e-12)
    assert sum(report["energy_j"].values()) == pytest.approx(metrics["energy_j"], rel=1e-12)
    assert sum(report["power_w"].values()) == pytest.approx(metrics["power_w"], rel=1e-12)
    dram = sum(stage["dram_bytes"] for stage in report["stages"].values())
    assert dram == pytest.approx(metrics["dram_bytes"], rel=1e-12)


def test_a_column_of_tiles_is_its_scalars():
    tiles = np.arange(1, 65) * 32.0
    column = evaluate(CORE, LLAMA_4K, tiles)
    for i in (0, 1, 7, 63):
        single = evaluate(CORE, LLAMA_4K, float(tiles[i]))
        for name, values in column.metrics.items():
            assert np.broadcast_to(values, tiles.shape)[i] == single.metrics[name], name
        assert column.fits[i] == single.fits
        assert column.latency.bound[i] is single.latency.bound


def test_the_chosen_tile_is_the_best_that_fits():
    tiles = np.arange(1, 129) * 32.0
    column = evaluate(CORE, LLAMA_4K, tiles)
    best = np.where(column.fits, column.metrics["latency_s"], np.inf).min()
    assert simulate(CORE, LLAMA_4K).metrics["latency_s"] == best


def test_what_does_not_fit_says_what_and_by_how_much():
    overflow = simulate(changed("sram.temp.capacity=2 KiB"), LLAMA_4K)
    assert isinstance(overflow, Overflow)
    assert "score tile in temp SRAM needs" in str(overflow)
    assert overflow.excess > 0


@pytest.mark.parametrize(
    ("overrides", "bound"),
    [
        (["dram.bandwidth=1 GB/s"], Bound.DRAM),
        (["dlzs.columns=2"], Bound.PREDICT),
        (
            [
                "sads.inputs=5",
                "sufa.columns=64",
                "kv_generation.columns=64",
                "dlzs.columns=128",
                "sram.temp.word_bits=8192",
                "sram.token.capacity=8 MiB",
                "sram.temp.capacity=8 MiB",
                "sram.weight.word_bits=8192",
            ],
            Bound.SORT,
        ),
        (["sram.weight.word_bits=16"], Bound.SRAM),
        ([], Bound.COMPUTE),
    ],
)
def test_each_resource_can_be_the_bound(overrides, bound):
    assert simulate(changed(*overrides), LLAMA_4K).latency.bound is bound


def test_another_node_scales_area_and_energy_but_not_time():
    small, big = changed("node=7"), CORE
    assert sum(area_mm2(small).values()) < 0.3 * sum(area_mm2(big).values())
    ours, theirs = simulate(small, LLAMA_4K).metrics, simulate(big, LLAMA_4K).metrics
    assert ours["latency_s"] == theirs["latency_s"]
    assert ours["core_power_w"] < theirs["core_power_w"]


lengths = st.sampled_from([64, 128, 200, 1000, 4096, 10_000, 131_072, 2**20])
keeps = st.floats(0.01, 1.0)


@settings(max_examples=60)
@given(seq_len=st.integers(64, 2**21), keep=keeps, factor=st.floats(1.25, 8.0))
def test_a_longer_sequence_takes_longer(seq_len, keep, factor):
    """By a quarter or more: token by token, whole tiles and quotas can pack better by chance."""
    longer = int(seq_len * factor) + 1
    less, greater = (evaluate(CORE, work(s, keep=keep), 64.0) for s in (seq_len, longer))
    slack = 1 + 1e-9
    assert less.metrics["latency_s"] <= greater.metrics["latency_s"] * slack
    assert less.metrics["energy_j"] <= greater.metrics["energy_j"] * slack
    assert less.metrics["dram_bytes"] <= greater.metrics["dram_bytes"] * slack


@settings(max_examples=60)
@given(seq_len=lengths, keep=st.floats(0.01, 0.9), more=st.floats(1.0, 1.1))
def test_keeping_more_takes_longer(seq_len, keep, more):
    less, greater = (evaluate(CORE, work(seq_len, keep=k), 64.0) for k in (keep, keep * more))
    assert less.metrics["latency_s"] <= greater.metrics["latency_s"] * (1 + 1e-9)


MORE = (
    "dram.bandwidth={} GB/s",
    "dlzs.columns={}",
    "sads.inputs={}",
    "kv_generation.columns={}",
    "sufa.columns={}",
    "frequency={}00 MHz",
)


@settings(max_examples=100)
@given(
    key=st.sampled_from(MORE),
    amount=st.integers(5, 64),
    seq_len=lengths,
    keep=keeps,
    causal=st.booleans(),
)
def test_more_of_a_resource_is_never_slower(key, amount, seq_len, keep, causal):
    """With room for whole tokens on every column; a wide array without it reads tokens again."""
    room = "sram.token.capacity=64 MiB"
    amount *= 2
    task = work(seq_len, keep=keep, causal=causal)
    less, greater = (
        evaluate(changed(key.format(n), room), task, 64.0).metrics["latency_s"]
        for n in (amount, 2 * amount)
    )
    assert greater <= less * (1 + 1e-9)


@settings(max_examples=30)
@given(
    key=st.sampled_from(["token", "weight", "temp"]),
    kib=st.integers(256, 2048),
    seq_len=lengths,
    keep=keeps,
)
def test_more_memory_is_never_slower(key, kib, seq_len, keep):
    """The best tile of a larger buffer is at least as good."""
    task = work(seq_len, keep=keep)
    less, greater = (
        simulate(changed(f"sram.{key}.capacity={n} KiB"), task) for n in (kib, 2 * kib)
    )
    if not isinstance(less, Overflow):
        assert greater.metrics["latency_s"] <= less.metrics["latency_s"] * (1 + 1e-9)


@settings(max_examples=60)
@given(tiles=st.integers(1, 8192), share=st.floats(0.01, 1.0), keep=keeps)
def test_fewer_queries_take_less(tiles, share, keep):
    """In whole query tiles, to 0.1 %: the first tile of the pipeline is a mean one."""
    some = max(1, int(tiles * share)) * 128
    chunk, prefill = (evaluate(CORE, work(tiles * 128, q, keep), 64.0) for q in (some, tiles * 128))
    assert chunk.metrics["latency_s"] <= prefill.metrics["latency_s"] * 1.001
