"""What each choice of the dataflow costs or saves, by hand and by limits."""

import dataclasses

import numpy as np
import pytest

from star_watos.compare import Variant, ladder, on_core
from star_watos.spec import load
from star_watos.star import (
    Attention,
    AttentionWork,
    Core,
    Dataflow,
    Predictor,
    Resources,
    Schedule,
    Sorter,
    Tile,
    Tiling,
    evaluate,
)
from star_watos.star.fit import spilled_rows, spilled_scores
from star_watos.star.layer import Layer
from star_watos.star.stages.stage import over_layer

CORE = load(Core, "star_28nm", "configs/cores")
ISOLATED = Dataflow(tiling=Tiling.STAGE_ISOLATED)


def work(seq_len=4096.0, **others):
    n = seq_len + 0.0
    base = AttentionWork(4096.0, 1.0, 32.0, 32.0, 128.0, n, n, 0.074, 0.074)
    return dataclasses.replace(base, in_order_distinct=0.69, **others)


def run(flow, seq_len=4096, *overrides, keys=64.0, **others):
    core = load(Core, "star_28nm", "configs/cores", overrides)
    return evaluate(Resources.of(core), work(seq_len, **others), Tile(keys), flow)


def spilled(flow, seq_len, *overrides):
    core = Resources.of(load(Core, "star_28nm", "configs/cores", overrides))
    layer = Layer.of(core, work(seq_len), Tile(64.0), flow)
    return float(over_layer(layer, spilled_scores(layer) + 0.0 * layer.tiles.rows))


def test_whole_rows_spill_once_two_of_them_leave_the_sram():
    """2 x 128 rows x S bytes beside 18,432 + 2,048: 2 MiB hold rows of 8,112 keys.

    4,096 keys stay. At 16,384 the query tiles that see more than 8,112 keys go to DRAM: tiles 63
    (8,192 keys) to 127 (16,384), 128 rows x the mean of 12,288 keys x 65 tiles x 32 heads, a byte
    each; where tiles begin to spill inside a stretch that one tile stands for, within a tenth.
    """
    assert spilled(ISOLATED, 4096, "sram.temp.capacity=2 MiB") == 0
    by_hand = 65 * 128 * 12_288 * 32
    assert spilled(ISOLATED, 16_384, "sram.temp.capacity=2 MiB") == pytest.approx(by_hand, rel=0.1)
    assert spilled(ISOLATED, 4096) == pytest.approx(32 * 128 * 128 * 32 * 33 / 2, rel=1e-3)


@pytest.mark.parametrize("seq_len", [1024, 4096, 16_384, 131_072])
def test_a_tile_at_a_time_never_spills(seq_len):
    assert spilled(Dataflow(), seq_len) == 0
    assert float(run(Dataflow(), seq_len).metrics["dram_bytes"]) < float(
        run(ISOLATED, seq_len).metrics["dram_bytes"]
    )


def test_a_softmax_waits_for_its_row_in_dram():
    """128 rows x 2 x 304 scores of 2 bytes, twice, are 156 kB: not beside the rest in 28 KiB."""
    flow = Dataflow(attention=Attention.SOFTMAX)
    layer = Layer.of(Resources.of(CORE), work(), Tile(64.0), flow)
    kept = 128 * 128 + 128 * 256 + 30 * 128 * 304
    assert layer.tiles.total(spilled_rows(layer)) == pytest.approx(kept * 2, rel=0.01)


def test_without_prediction_every_key_is_attended_to():
    """S = 1,024, causal: 8 query tiles of 128, 128 i keys each; half of four columns a key."""
    dense = Dataflow(Predictor.NONE, Sorter.NONE, Attention.FA2)
    found = run(dense, 1024)
    pairs = 1024 * 1025 / 2
    assert found.stages.attention.ops == 4 * 32 * pairs * 128
    assert found.stages.kv_generation.ops == 2 * 1024 * 4096 * 2 * 4096
    tiles = sum(range(1, 9)) * 2  # key tiles of 64
    cycles = 32 * (tiles * (32 * 128 + 129 / 4) + 8 * 128)
    assert found.stages.attention.cycles == pytest.approx(cycles)
    assert "dlzs" in found.areas_mm2
    assert found.areas_mm2["dlzs"] == found.areas_mm2["sads"] == 0


def test_loading_in_order_loads_what_each_query_keeps():
    """0.69 x 128 rows x 304 keys x 512 B a query tile from the third on, of 32 tiles and heads."""
    ordered = Dataflow(schedule=Schedule.IN_ORDER)
    more = run(ordered).metrics["dram_bytes"] - run(Dataflow()).metrics["dram_bytes"]
    kept = 128 * 128 + 128 * 256 + 30 * 128 * 304
    shared = sum(max(0.074 * 128 * i, min(128 * i, 304)) for i in range(1, 33))
    assert float(more) == pytest.approx((0.69 * kept - shared) * 512 * 32, rel=0.02)


def test_int4_reads_narrow_keys_and_burns_more_in_the_array():
    int4 = run(Dataflow(predictor=Predictor.INT4))
    dlzs = run(Dataflow())
    assert int4.metrics["dram_bytes"] < dlzs.metrics["dram_bytes"]
    assert int4.energy.blocks_j["dlzs"] > 5 * dlzs.energy.blocks_j["dlzs"]
    assert int4.latency.stage_s["predict"] == dlzs.latency.stage_s["predict"]


def test_a_full_sort_takes_a_merge_of_the_row():
    """A query tile that sees S = 4,096 keys: 342 steps a round, 1 + log2(256) = 9 rounds."""
    full = run(Dataflow(sorter=Sorter.FULL, tiling=Tiling.STAGE_ISOLATED))
    assert full.stages.sort.parts[0].cycles[-1] == 342 * 9


def test_the_ladder_has_a_figure_for_every_step_of_the_hardware():
    steps = ladder(on_core(CORE, work()))
    assert all(step.ours is not None for step in steps if "software" not in step.step)
    memory = {step.step: step.ours for step in steps if step.quantity.value == "memory access"}
    assert memory["full pipeline"] < -50
    assert set(Variant) >= {Variant.VANILLA, Variant.FULL}


def test_chunks_count_as_many_dense_operations_as_the_prefill():
    """Four chunks of 1,024 against 4,096 keys each: what throughput is counted in."""
    ends = np.array([1024.0, 2048.0, 3072.0, 4096.0])
    chunks = work(
        seq_len=ends, q_len=1024.0, cached=ends - 1024, whole_len=4096.0, n_layers=np.ones(4)
    )
    assert chunks.dense_ops == work().dense_ops
