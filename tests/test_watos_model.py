"""The wafer's model: arithmetic by hand, identities, and what physics does not allow."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from star_watos.cost import Overflow
from star_watos.errors import InputError
from star_watos.fabric import Links, all_reduce, reduce_scatter
from star_watos.spec import load
from star_watos.watos import (
    Dies,
    Plans,
    Recompute,
    Training,
    Wafer,
    document,
    evaluate,
    legal_plans,
    metrics,
    plans_of,
    simulate,
    wafer_overflow,
)
from star_watos.watos.columns import layer_columns
from star_watos.watos.stages import every_stage, stage_kinds

WAFER = load(Wafer, "watos_config3", "configs/wafers")
TRAINING = Training(model="llama2_7b", seq_len=2048, global_batch=64)
MODEL = TRAINING.load()
PLANS = legal_plans(MODEL, WAFER.grid, TRAINING.global_batch)


def wafer(*overrides):
    return load(Wafer, "watos_config3", "configs/wafers", overrides)


def plan(**columns):
    return plans_of(**columns)


def run(plans, hardware=WAFER, training=TRAINING):
    return evaluate(Dies(hardware), training.load(), training, plans)


def figure(name, plans, hardware=WAFER, training=TRAINING):
    return metrics(Dies(hardware), training, run(plans, hardware, training))[name].item()


def test_config3_is_the_published_wafer():
    """56 dies of 708 TFLOP/s and 70 GB: 39,648 TFLOP/s and 3,920 GB (WATOS, section 3)."""
    assert WAFER.n_dies == 56
    assert WAFER.die.peak_flops_per_s == pytest.approx(708e12, rel=1e-3)
    assert WAFER.peak_flops_per_s == pytest.approx(39_648e12, rel=1e-3)
    assert WAFER.n_dies * WAFER.dram.capacity_bytes == 3920e9
    assert WAFER.dram.bandwidth_bytes_per_s == 2e12
    assert wafer_overflow(WAFER) is None


def test_rings_by_hand():
    """S = 8 B, B = 1 B/s, a = 1 s.

    2 x 2, cycle both ways: 2 x 3 x 1 + 3/4 x 8 = 12.
    Line of 4, folded: 2 x 3 x 2 + 2 x 3/4 x 8 = 24.
    3 x 3 has no cycle: 2 x 8 x 2 + 2 x 8/9 x 8.
    """
    ones = Links(1.0, 1.0)
    assert reduce_scatter(2, 2, 8.0, ones).seconds == 3 + 3
    assert reduce_scatter(1, 3, 9.0, ones).seconds == 4 + 6
    assert all_reduce(1, 1, 8.0, ones).seconds == 0
    assert all_reduce(1, 2, 8.0, ones).byte_hops == 16


@given(
    rows=st.integers(1, 30),
    cols=st.integers(1, 30),
    size=st.floats(0, 1e12),
    more=st.floats(1, 10),
)
def test_more_bandwidth_is_never_slower(rows, cols, size, more):
    slow, fast = (all_reduce(rows, cols, size, Links(bw, 1e-6)).seconds for bw in (1e9, 1e9 * more))
    assert fast <= slow * (1 + 1e-12)


def test_no_ring_beats_the_links_of_the_mesh():
    """Byte-hops over the mesh's links bound any all-reduce: 2 (n - 1) S / (2 (2 n - R - C) B)."""
    for rows in range(1, 9):
        for cols in range(1, 9):
            n = rows * cols
            if n > 1:
                bound = (n - 1) / (2 * n - rows - cols)
                assert all_reduce(rows, cols, 1.0, Links(1.0, 0.0)).seconds >= bound - 1e-12


def test_stages_of_an_uneven_pipeline():
    """80 layers on 14 stages: 5 each, the 10 before the last have 6; 60 + 4 x 5 = 80."""
    llama = Training(model="llama3_70b").load()
    layers = every_stage(llama, 14).layers
    assert layers.tolist() == [5, 5, 5, *[6] * 10, 5]
    first, heavy, last = stage_kinds(llama, np.array([14]), np.array([1]))
    assert (first.layers, heavy.index, heavy.layers, last.layers) == (5, 3, 6, 5)


@given(pp=st.integers(1, 32))
def test_every_layer_is_on_a_stage(pp):
    stages = every_stage(MODEL, pp)
    assert stages.layers.sum() == MODEL.n_layers
    assert stages.has_embedding.sum() == stages.has_head.sum() == 1


def test_one_pipeline_by_hand():
    """1F1B with m microbatches and equal stages: (m + p - 1) stage times, beside the ends."""
    plans = plan(pp=8, microbatch=1)
    result = run(plans)
    layer = layer_columns(Dies(WAFER), MODEL, TRAINING, plans)
    per_layer = layer.busy_s.item()
    ends = layer.embedding_s.item() + layer.head_s.item()
    slowest = 4 * per_layer + max(layer.embedding_s.item(), layer.head_s.item())
    expected = 64 * slowest + 32 * per_layer + ends - slowest
    work = sum(result.time_s[k].item() for k in ("compute", "recompute", "tp_comm", "bubble"))
    assert work == pytest.approx(expected, rel=1e-12)


def test_memory_of_a_whole_model_on_one_die_by_hand():
    """Llama-2 7B: 18 B a parameter (2 weight, 4 gradient, 12 Adam) plus one microbatch."""
    plans = plan(recompute=int(Recompute.FULL))
    layer = layer_columns(Dies(WAFER), MODEL, TRAINING, plans)
    kept = 32 * 2 * 2048 * 4096  # layer inputs
    working = np.maximum(layer.working_bytes, layer.head_bytes)
    expected = 18 * 6_738_415_616 + kept + working
    assert run(plans).memory_bytes.item() == pytest.approx(expected.item(), rel=1e-9)


def test_zero_splits_the_optimizer_over_the_replicas():
    """12 of 18 bytes a parameter, over 4 replicas: 2 + 4 + 3 = 9."""
    whole, split = (run(plan(dp=4, zero=z)).memory_bytes.item() for z in (0, 1))
    assert whole - split == pytest.approx(9 * 6_738_415_616, rel=1e-9)


def test_full_recompute_repeats_the_forward_pass():
    plans = plan(recompute=int(Recompute.FULL))
    layer = layer_columns(Dies(WAFER), MODEL, TRAINING, plans)
    assert layer.recompute.ops == layer.forward.ops


def test_model_flops_are_six_a_parameter_and_token_beside_attention():
    """6 N per token without the embedding, plus 6 L s d: causal attention counted as its half.

    Flash attention makes the scores again backward: L s d of hardware FLOPs more.
    """
    tokens = TRAINING.global_batch * TRAINING.seq_len
    result = run(plan())
    expected = 6 * (MODEL.n_params - 32_000 * 4096) + 6 * 32 * 4096 * 2048
    assert result.model_flops.item() / tokens == pytest.approx(expected, rel=1e-3)
    again = (result.hardware_flops - result.model_flops).item() / tokens
    assert again == pytest.approx(32 * 4096 * 2048, rel=1e-9)


def test_exposed_times_sum_to_the_iteration_and_energies_to_the_total():
    result = run(PLANS)
    total = np.sum([np.broadcast_to(t, len(PLANS)) for t in result.time_s.values()], axis=0)
    np.testing.assert_allclose(total, result.iteration_s, rtol=1e-12)
    assert all(np.all(np.asarray(t) >= 0) for t in result.time_s.values())
    figures = metrics(Dies(WAFER), TRAINING, result)
    tokens = TRAINING.global_batch * TRAINING.seq_len
    joules = sum(result.energy_j.values())
    np.testing.assert_allclose(figures["energy_per_token_j"] * tokens, joules, rtol=1e-12)
    np.testing.assert_allclose(figures["power_w"] * figures["iteration_s"], joules, rtol=1e-12)


def test_mfu_is_at_most_hfu_and_one():
    figures = metrics(Dies(WAFER), TRAINING, run(PLANS))
    assert np.all(figures["mfu"] <= figures["hfu"] * (1 + 1e-12))
    assert np.all(figures["hfu"] <= 1)


def test_without_recomputation_mfu_is_hfu():
    """With attention that keeps its scores; flash attention recomputes them."""
    unfused = TRAINING.model_copy(update={"attention": "unfused"})
    kept = PLANS.take(PLANS.recompute == Recompute.NONE)
    figures = metrics(Dies(WAFER), unfused, run(kept, training=unfused))
    np.testing.assert_allclose(figures["mfu"], figures["hfu"], rtol=1e-12)


def test_one_stage_has_no_bubble():
    result = run(PLANS)
    assert np.all(result.time_s["bubble"][PLANS.pp == 1] == 0)
    assert np.all(result.time_s["bubble"][PLANS.pp > 1] > 0)


def test_columns_are_their_scalars():
    """Any row alone gives exactly what it gives among all others."""
    whole = run(PLANS)
    figures = metrics(Dies(WAFER), TRAINING, whole)
    for row in np.random.default_rng(0).integers(0, len(PLANS), 40):
        alone = metrics(Dies(WAFER), TRAINING, run(PLANS.take(np.array([row]))))
        for name, column in figures.items():
            assert alone[name].item() == column[row], name


def test_every_legal_plan_is_legal_and_there_once():
    rows = np.stack([getattr(PLANS, f.name) for f in dataclasses.fields(Plans)], axis=1)
    assert len(np.unique(rows, axis=0)) == len(PLANS)
    assert np.all(PLANS.devices <= WAFER.n_dies)
    assert np.all(TRAINING.global_batch % (PLANS.dp * PLANS.microbatch) == 0)
    assert np.all(MODEL.n_heads % PLANS.tp == 0)


def test_stages_stand_on_distinct_rectangles_inside_the_grid():
    layout = Dies(WAFER).layout(plans_of(1, tp_rows=2, tp_cols=2, pp=6, dp=2))
    assert layout.dies.shape == (6, 2, 4)
    assert len(np.unique(layout.dies)) == 48
    assert layout.dies.min() >= 0
    assert layout.dies.max() < WAFER.n_dies


def test_the_chosen_plan_is_the_fastest_that_fits():
    chosen = simulate(WAFER, MODEL, TRAINING, {})
    result = run(PLANS)
    fits = result.memory_bytes <= WAFER.dram.capacity_bytes
    assert chosen.n_feasible == fits.sum()
    assert chosen.iteration.iteration_s.item() == result.iteration_s[fits].min()


def test_a_wish_that_no_plan_has_names_what_is_possible():
    with pytest.raises(InputError, match=r"--tp 3  no legal plan .* possible: 1, 2, 4, 8, 16, 32"):
        simulate(WAFER, MODEL, TRAINING, {"tp": 3})


def test_what_does_not_fit_is_a_value():
    small = simulate(wafer("dram.stack_capacity=0.1 GB"), MODEL, TRAINING, {})
    assert isinstance(small, Overflow)
    assert "memory of the fullest die needs" in str(small)
    assert "dies and DRAM" in str(simulate(wafer("grid.rows=9"), MODEL, TRAINING, {}))
    assert "edges" in str(simulate(wafer("d2d.bandwidth=6 TB/s"), MODEL, TRAINING, {}))


def test_the_document_keeps_the_contract():
    report = document(simulate(WAFER, MODEL, TRAINING, {}))
    assert sum(report["time_s"].values()) == pytest.approx(report["metrics"]["iteration_s"])
    assert sum(report["area_mm2"].values()) == pytest.approx(report["metrics"]["area_mm2"])
    assert len(report["stages"]) == report["plan"]["pp"] == len(report["plan"]["placement"])
    fullest = max(stage["memory_bytes"] for stage in report["stages"])
    assert fullest == pytest.approx(report["metrics"]["memory_per_die_bytes"], rel=1e-12)


BETTER = {
    "d2d.bandwidth={} TB/s": 2.0,
    "dram.stack_bandwidth={} TB/s": 0.2,
    "die.frequency={} GHz": 1.0,
    "die.core.sram={} MB": 1.0,
    "die.core.sram_bandwidth={} GB/s": 300.0,
    "die.core.mac_rows={}": 16,
    "die.cores.rows={}": 12,
}
ROOM = ("usable_area=1e6", "die.edge_bandwidth=1e6 TB/s")


@settings(max_examples=40)
@given(key=st.sampled_from(sorted(BETTER)), factor=st.integers(2, 5))
def test_more_hardware_slows_no_plan(key, factor):
    base = BETTER[key]
    less, more = (run(PLANS, wafer(key.format(n), *ROOM)) for n in (base, base * factor))
    assert np.all(more.iteration_s <= less.iteration_s * (1 + 1e-9))


def test_more_memory_never_slows_the_best_plan():
    llama = Training(model="llama3_70b", global_batch=64)
    sizes = [
        simulate(wafer(f"dram.stack_capacity={n} GB"), llama.load(), llama, {})
        for n in (9, 12, 17.5, 30)
    ]
    times = [s.iteration.iteration_s.item() for s in sizes if not isinstance(s, Overflow)]
    assert len(times) >= 3
    assert times == sorted(times, reverse=True)


def test_doubling_the_batch_never_lowers_throughput():
    twice = Training(model="llama2_7b", seq_len=2048, global_batch=128)
    small = metrics(Dies(WAFER), TRAINING, run(PLANS))["tokens_per_s"]
    large = metrics(Dies(WAFER), twice, run(PLANS, training=twice))["tokens_per_s"]
    assert np.all(large >= small * (1 - 1e-9))


@pytest.mark.parametrize("name", ["gpt3_175b", "mixtral_8x7b", "deepseek_v3", "llama3_405b"])
def test_every_shipped_model_evaluates(name):
    training = Training(model=name, seq_len=2048, global_batch=8)
    result = run(legal_plans(training.load(), WAFER.grid, 8), training=training)
    assert np.all(np.isfinite(result.iteration_s))
    assert np.all(result.memory_bytes > 0)
