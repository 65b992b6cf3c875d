"""The core's model: arithmetic by hand, limits, and what physics does not allow."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from star_watos.cost import Bound, Overflow
from star_watos.spec import load
from star_watos.star import AttentionWork, Core, Resources, Tile, legal_tiles, simulate
from star_watos.star import evaluate as evaluate_resources
from star_watos.star.layer import Layer
from star_watos.star.pipeline import latency
from star_watos.star.stages import all_stages

CORE = load(Core, "star_28nm", "configs/cores")
LLAMA_4K = AttentionWork(4096.0, 32.0, 32.0, 32.0, 128.0, 4096.0, 4096.0, 0.074, 0.074)


def work(seq_len=4096, q_len=None, keep=0.074, kv=None, **others):
    kv = keep if kv is None else kv
    q_len = seq_len if q_len is None else q_len
    fields = {"seq_len": float(seq_len), "q_len": float(q_len), "keep_ratio": keep, "kv_ratio": kv}
    return dataclasses.replace(LLAMA_4K, **fields, **others)


def changed(*overrides):
    return load(Core, "star_28nm", "configs/cores", overrides)


def evaluate(core, task, keys):
    return evaluate_resources(Resources.of(core), task, Tile(keys, np.ones(np.shape(keys))))


def layer_of(task, keys, core=CORE):
    return Layer.of(Resources.of(core), task, Tile(keys))


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


def test_visits_of_few_query_tiles_are_exact():
    """S = 512, 128 rows, 64 keys a tile: row tiles reach 128, 256, 384, 512 -> 2 + 4 + 6 + 8."""
    layer = layer_of(work(seq_len=512), 64.0)
    assert layer.tiles.total(layer.visits.count) == 20
    """256 keys a tile: 1 + 1 + 2 + 2."""
    layer = layer_of(work(seq_len=512), 256.0)
    assert layer.tiles.total(layer.visits.count) == 6


@pytest.mark.parametrize("keys", [32.0, 64.0, 96.0, 256.0])
def test_eight_query_tiles_stand_for_all(keys):
    """The sums over 26 query tiles, one by one: keys seen, visits, keys kept by the fullest."""
    seen = np.minimum(128.0 * np.arange(1, 27), 3300)
    layer = layer_of(work(seq_len=3300), keys)
    assert len(layer.tiles.weight) == 8
    assert layer.tiles.total(layer.tiles.seen) == pytest.approx(seen.sum(), rel=1e-12)
    visits = np.ceil(seen / keys).sum()
    assert layer.tiles.total(layer.visits.count) == pytest.approx(visits, rel=0.01)
    k = layer.work.kept_per_row
    kept = layer.tiles.total(layer.visits.kept)
    assert kept == pytest.approx(np.minimum(seen, k).sum(), rel=0.01)


def test_cycles_of_one_layer_by_hand():
    """Llama-2 7B, 1,024 tokens, key tile 64, k = 76 of 1,024, one layer of 32 heads.

    Eight query tiles see 128 t keys in 2 t tiles: 72 visits a head.
    predict: 32 groups x 32 blocks x 4096 / 2 + 32 x 72 x 2 x 128 = 2,097,152 + 589,824
    sort: a query tile's 76 keys over 2 t tiles are quotas of 38 / t: t = 1: 2 x 38 -> 10 passes,
      t = 2: 4 x 19 -> 5, t = 3: 4 x 13, 2 x 12 -> 4 and 3, t = 4: 4 x 10, 4 x 9 -> 3,
      t = 5: 6 x 8, 4 x 7 -> 2, t = 6: 4 x 7, 8 x 6 -> 2, t = 7: 6 x 6, 8 x 5 -> 2, t = 8: 12 x 5,
      4 x 4 -> 2 and 1; each of ceil(60 / 12) = 5 steps:
      (20 + 20 + 22 + 24 + 20 + 24 + 28 + 28) x 5 x 32 = 29,760
    K/V: 76 tokens: batches of 30 and 30 and 16: 8 + 8 + 4 steps x 2 blocks x 4096 x 32
    attention: two keys a step: 2 x 19, 4 x 10, 4 x 7 + 2 x 6, 4 x 5 + 4 x 5, 6 x 4 + 4 x 4,
      4 x 4 + 8 x 3, 6 x 3 + 8 x 3, 12 x 3 + 4 x 2 = 324 steps of 128, 72 joins of 129 / 4, and 8
      divisions of 128: (41,472 + 2,322 + 1,024) x 32
    """
    layer = layer_of(work(1024), 64.0)
    stages = all_stages(layer)
    cycles = {name: stage.cycles for name, stage in stages._asdict().items()}
    assert layer.tiles.total(layer.visits.count) == 72
    assert cycles["predict"] == 2_097_152 + 589_824
    assert cycles["sort"] == pytest.approx(29_760, rel=1e-12)
    assert cycles["kv_generation"] == pytest.approx(20 * 2 * 4096 * 32, rel=1e-12)
    assert cycles["attention"] == pytest.approx((41_472 + 2_322 + 1_024) * 32, rel=1e-12)


def test_operations_are_the_macs_twice():
    stages = all_stages(layer_of(LLAMA_4K, 64.0))
    assert stages.attention.ops == 4 * 32 * LLAMA_4K.kept_pairs * 128
    assert stages.kv_generation.ops == 2 * 304 * 4096 * 2 * 4096
    assert stages.predict.ops == 2 * (4096.0**3 + 32 * 128 * 4096 * 4097 / 2)


def test_the_pipeline_of_one_tile_is_the_sum_of_its_stages():
    """With a single visit nothing overlaps but an array and what feeds it; no port is narrow."""
    one = work(seq_len=32, q_len=32, n_heads=1.0, n_kv_heads=1.0, n_layers=1.0)
    layer = layer_of(one, 32.0, changed("sram.weight.banks=64", "sram.temp.banks=64"))
    stages = all_stages(layer)
    each = [
        max(float(part.layer_cycles) / 1e9, float(part.layer_dram.seconds))
        for stage in stages
        for part in stage.parts
    ]
    assert len(each) == 5
    assert latency(layer, stages).total_s == pytest.approx(sum(each), rel=1e-12)


@pytest.mark.parametrize(
    ("metric", "published"),
    [("throughput_gops", 24_423), ("area_mm2", 5.69), ("core_power_w", 0.95)],
)
def test_sofa_operating_point_within_ten_percent(metric, published):
    """SOFA (MICRO 2024) Tables II and III: Llama-7B, 4k tokens, 2 % loss."""
    result = simulate(CORE, LLAMA_4K)
    assert float(result.metrics[metric]) == pytest.approx(published, rel=0.10)


def test_blocks_and_stages_add_up():
    result = simulate(CORE, LLAMA_4K)
    assert sum(result.areas_mm2.values()) == result.metrics["area_mm2"]
    whole = sum(result.energy.blocks_j.values())
    assert whole == pytest.approx(result.metrics["energy_j"], rel=1e-12)
    moved = sum(result.layer.work.total(s.moved_bytes) for s in result.stages)
    assert moved == pytest.approx(result.metrics["dram_bytes"], rel=1e-12)


def test_a_column_of_tiles_is_its_scalars():
    tiles = np.arange(1, 65) * 32.0
    column = evaluate(CORE, LLAMA_4K, tiles)
    for i in (0, 1, 7, 63):
        single = evaluate(CORE, LLAMA_4K, float(tiles[i]))
        for name, values in column.metrics.items():
            assert np.broadcast_to(values, tiles.shape)[i] == single.metrics[name], name
        assert column.fits[i] == single.fits
        assert column.latency.bound[i] is single.latency.bound


def test_a_column_of_designs_is_its_scalars():
    designs = [CORE, changed("queries=64"), changed("sram.weight.banks=12", "dlzs.columns=16")]
    layered = work(
        2048, keep=np.array([0.1, 0.3]), kv=np.array([0.5, 0.9]), n_layers=np.array([3.0, 5.0])
    )
    for task in (LLAMA_4K, layered):
        columns = Resources.columns([Resources.of(design) for design in designs])
        together = evaluate_resources(columns, task, Tile(64.0))
        for i, design in enumerate(designs):
            single = evaluate(design, task, 64.0)
            assert together.fits[i] == single.fits
            for name, values in together.metrics.items():
                assert values[i] == single.metrics[name], name


def test_designs_beside_tiles_are_their_scalars():
    """Designs down, tiles across: each term is worked out on the axes it depends on."""
    designs = [CORE, changed("queries=64"), changed("sufa.columns=8", "dram.bandwidth=64 GB/s")]
    tiles = np.array([32.0, 64.0, 96.0])
    down = Resources.columns([Resources.of(d) for d in designs]).each(lambda c: c[:, np.newaxis])
    table = evaluate_resources(down, LLAMA_4K, Tile(tiles[np.newaxis], np.ones((1, 3))))
    for i, design in enumerate(designs):
        for j, keys in enumerate(tiles):
            single = evaluate(design, LLAMA_4K, float(keys))
            for name, values in table.metrics.items():
                assert np.broadcast_to(values, (3, 3))[i, j] == single.metrics[name], name


def test_the_chosen_tile_is_the_best_that_fits():
    tiles = legal_tiles(CORE, LLAMA_4K)
    column = evaluate_resources(Resources.of(CORE), LLAMA_4K, tiles)
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
        (["sram.weight.banks=12"], Bound.COMPUTE),
    ],
)
def test_each_resource_can_be_the_bound(overrides, bound):
    assert simulate(changed(*overrides), LLAMA_4K).latency.bound is bound


def test_another_node_scales_area_and_energy_but_not_time():
    small, big = changed("node=7"), CORE
    ours, theirs = simulate(small, LLAMA_4K).metrics, simulate(big, LLAMA_4K).metrics
    assert ours["area_mm2"] < 0.3 * theirs["area_mm2"]
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
    """To a hundredth: what waits for a head's last batch depends on how full that is.

    The event simulation shows the same: 8,192 tokens that keep 1.1 to 1.22 % take 0.6 % less.
    """
    less, greater = (evaluate(CORE, work(seq_len, keep=k), 64.0) for k in (keep, keep * more))
    assert less.metrics["latency_s"] <= greater.metrics["latency_s"] * 1.01


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
    """To a hundredth: a stage that is faster at times takes more of a port from the slowest."""
    room = "sram.token.capacity=64 MiB"
    amount *= 2
    task = work(seq_len, keep=keep, causal=causal)
    less, greater = (
        evaluate(changed(key.format(n), room), task, 64.0).metrics["latency_s"]
        for n in (amount, 2 * amount)
    )
    assert greater <= less * 1.01


@settings(max_examples=30)
@given(
    key=st.sampled_from(["token", "weight", "temp"]),
    kib=st.integers(256, 2048),
    seq_len=lengths,
    keep=keeps,
)
def test_more_memory_is_never_slower(key, kib, seq_len, keep):
    """The best tile of a larger buffer is at least as good.

    But for the token SRAM: it holds a larger batch of K/V generation, which starts later and ends
    in a lump: at the first and at the last of the 32 K/V heads.
    """
    task = work(seq_len, keep=keep)
    less, greater = (
        simulate(changed(f"sram.{key}.capacity={n} KiB"), task) for n in (kib, 2 * kib)
    )
    if not isinstance(less, Overflow):
        slack = 2 / 32 if key == "token" else 1e-9
        assert greater.metrics["latency_s"] <= less.metrics["latency_s"] * (1 + slack)


@settings(max_examples=60)
@given(tiles=st.integers(1, 8192), share=st.floats(0.01, 1.0), keep=keeps)
def test_fewer_queries_take_less(tiles, share, keep):
    """In whole query tiles, to 0.1 %: the first tile of the pipeline is a mean one."""
    some = max(1, int(tiles * share)) * 128
    chunk, prefill = (evaluate(CORE, work(tiles * 128, q, keep), 64.0) for q in (some, tiles * 128))
    assert chunk.metrics["latency_s"] <= prefill.metrics["latency_s"] * 1.001
