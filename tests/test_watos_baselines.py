"""Megatron-LM row by row, GPUs worth a wafer, weight streaming: by hand and by their limits."""

import json
from dataclasses import replace

import numpy as np
import pytest

from star_watos.cli.watos import app
from star_watos.cost import Overflow
from star_watos.errors import InputError
from star_watos.fabric import Mesh
from star_watos.spec import load
from star_watos.watos import Choices, Dies, Recompute, Training, Wafer, plans_of, plans_on
from star_watos.watos.baselines import (
    RowMajor,
    megatron_gpu,
    megatron_plans,
    weight_streaming,
    worth,
)
from star_watos.watos.baselines.streaming import entry_bytes_per_s, every_way
from star_watos.watos.layout import Layout, Ways
from star_watos.watos.placed import Degrees, Order, Placed, Transfer, placed, ways
from star_watos.watos.simulate import Simulation, fastest

WAFER = load(Wafer, "watos_config3", "configs/wafers")
TRAINING = Training(model="llama2_13b", global_batch=256)
MODEL = TRAINING.load()
LINK, LATENCY = WAFER.d2d.link_bytes_per_s, WAFER.d2d.latency_s


def fed(bytes_per_s):
    """Return the wafer with other links into it."""
    off_wafer = WAFER.off_wafer.model_copy(update={"bandwidth_bytes_per_s": bytes_per_s})
    return WAFER.model_copy(update={"off_wafer": off_wafer})


def test_ways_are_counted_on_the_mesh():
    """Three dies of a row send two to the right: ways of 2 hops, the middle links carry two."""
    found = Ways.of(Mesh(1, 5), np.arange(3), np.arange(3) + 2)
    assert (found.hops, found.load, found.moved) == (2, 2.0, 6)
    assert found.seconds(10.0, 5.0, 0.1) == pytest.approx(2 * 0.1 + 2 * 10 / 5)
    assert Ways.of(Mesh(1, 2), np.array([], dtype=int), np.array([], dtype=int)).load == 0


def test_stages_of_megatron_stand_row_by_row():
    """TP 4 on 8 columns: to the next group 4 hops, 4 abreast; to the next row 4 back and 1 down.

    Of 13 sends 7 go to the next group.
    """
    found = ways(Transfer.STAGE, Order.ROWS, WAFER.grid, Degrees(1, 4, 14, 1))
    assert (found.hops, found.load) == (pytest.approx((7 * 4 + 6 * 5) / 13), 4.0)
    whole_rows = ways(Transfer.STAGE, Order.ROWS, WAFER.grid, Degrees(1, 8, 7, 1))
    assert (whole_rows.hops, whole_rows.load, whole_rows.moved) == (1, 1.0, 48)


def test_replicas_are_a_pipeline_apart():
    """Two replicas of 3 rows each: 3 hops down and back, three rows' dies on a link of a column."""
    found = ways(Transfer.REPLICA, Order.ROWS, WAFER.grid, Degrees(1, 8, 3, 2))
    assert (found.hops, found.load) == (3, 3.0)
    layout = placed(Order.ROWS, WAFER.grid, Degrees(1, 8, 3, 2))
    assert layout.dies[:, 1, 0].tolist() == [24, 32, 40]
    assert layout.to_others(2) == found


def test_a_ring_on_a_row_is_megatrons_all_reduce():
    """2 (n - 1) steps of n - 1 hops, for the last die's chunk has to go all the way back."""
    taken = RowMajor(WAFER).all_reduce(1.0, 4.0, 8e9)
    assert taken.time_s == pytest.approx(2 * 3 * 3 * LATENCY + 2 * 3 / 4 * 8e9 / LINK)
    assert Dies(WAFER).all_reduce(1.0, 4.0, 8e9).time_s <= taken.time_s


@pytest.mark.parametrize("order", list(Order))
def test_one_pipeline_sends_as_the_snake_formula_says(order):
    """Rectangles as wide as the wafer stand one below the other in every order."""
    plans = plans_of(1, tp_cols=8, pp=7)
    sends = [machine.send_s(plans, 1e6) for machine in (Dies(WAFER), Placed(WAFER, order=order))]
    formula, counted = sends
    assert formula[0] == counted[0] == pytest.approx(LATENCY + 1e6 / LINK)


@pytest.mark.parametrize("shape", [(1, 4), (2, 2), (2, 4)])
def test_a_pipeline_alone_on_the_snake_sends_as_its_formula_says(shape):
    rows, cols = shape
    pp = (7 // rows) * (8 // cols)
    plans = plans_of(1, tp_rows=rows, tp_cols=cols, pp=pp)
    counted = Placed(WAFER).send_s(plans, 1e8)
    assert Dies(WAFER).send_s(plans, 1e8) == pytest.approx(counted)


def test_dies_of_a_layout_are_distinct():
    for order in Order:
        layout = placed(order, WAFER.grid, Degrees(2, 2, 3, 4))
        assert isinstance(layout, Layout)
        assert layout.dies.shape == (3, 4, 4)
        assert len(np.unique(layout.dies)) == 48


def test_megatrons_plans_are_rows_of_a_node():
    choices = Choices(recompute=(Recompute.NONE, Recompute.SELECTIVE, Recompute.FULL))
    plans = megatron_plans(WAFER, MODEL, TRAINING, choices)
    assert set(plans.tp_rows.tolist()) == {1}
    assert set(plans.tp_cols.tolist()) == {1, 2, 4, 8}
    assert plans.devices.max() <= WAFER.n_dies
    found = fastest(WAFER, RowMajor(WAFER), MODEL, TRAINING, plans)
    assert isinstance(found, Simulation)
    assert found.n_legal == len(plans)


def test_gpus_are_worth_the_wafer():
    cluster = worth(WAFER, 2)
    assert cluster.devices == 16
    assert 16 * cluster.gpu.peak_flops_per_s.value == pytest.approx(2 * WAFER.peak_flops_per_s)
    memory = 2 * WAFER.n_dies * WAFER.dram.capacity_bytes
    assert 16 * cluster.gpu.memory_bytes.value == pytest.approx(memory)
    slow = worth(WAFER, 1, ["gpu.memory_bandwidth.value=2e12"])
    assert slow.gpu.memory_bandwidth_bytes_per_s.value == 2e12
    found = megatron_gpu(worth(WAFER), MODEL, TRAINING, Choices())
    assert isinstance(found, Simulation)
    assert found.machine.n_devices == 8


def test_weights_enter_at_the_slower_of_both():
    assert entry_bytes_per_s(WAFER) == 1.8e12
    assert entry_bytes_per_s(fed(9e12)) == 2 * LINK == 2e12


def test_streaming_takes_the_longer_of_work_and_weights():
    """By hand: with slow links every layer waits for its weights twice, gradients go out beside."""
    slow = every_way(fed(1e6), MODEL, TRAINING, 1)
    layers = MODEL.n_params - 2 * MODEL.vocab * MODEL.d_model - MODEL.d_model
    table, head = MODEL.vocab * MODEL.d_model, MODEL.vocab * MODEL.d_model + MODEL.d_model
    # In twice, 2 bytes each; out once, 4 bytes: backward waits for the longer. Ends: in and out.
    each = layers * (2 + 4) + (table + head) * (2 + 4)
    expected = (slow.passes * each + 2 * layers / MODEL.n_layers) / 1e6
    assert slow.iteration_s == pytest.approx(expected, rel=1e-9)


def test_streaming_is_never_faster_than_its_work_nor_for_slower_links():
    fast, usual = (weight_streaming(fed(rate), MODEL, TRAINING) for rate in (1e15, 1e11))
    assert fast.iteration_s[0] < usual.iteration_s[0]
    peak = WAFER.peak_flops_per_s
    assert (fast.model_flops / fast.iteration_s / peak)[0] < 1
    assert fast.memory_bytes[0] <= WAFER.dram.capacity_bytes
    flops = 6 * MODEL.n_params * TRAINING.global_batch * TRAINING.seq_len
    assert 1.0 < fast.model_flops[0] / flops < 1.1


def test_streaming_splits_the_batch_over_wafers():
    one, two = (weight_streaming(WAFER, MODEL, TRAINING, n) for n in (1, 2))
    assert one.iteration_s[0] / 2.2 < two.iteration_s[0] < one.iteration_s[0] / 1.6


def test_streaming_says_what_it_lacks():
    with pytest.raises(InputError, match="off_wafer"):
        weight_streaming(WAFER.model_copy(update={"off_wafer": None}), MODEL, TRAINING)
    tiny = WAFER.dram.model_copy(update={"stack_capacity_bytes": 1e6})
    found = weight_streaming(WAFER.model_copy(update={"dram": tiny}), MODEL, TRAINING)
    assert isinstance(found, Overflow)


def test_wafers_share_the_stages_equally():
    plans = plans_on(WAFER, 3 * WAFER.n_dies, MODEL, 256, Choices())
    assert set((plans.pp % 3).tolist()) == {0}
    assert plans.devices.max() == 3 * WAFER.n_dies
    one = Dies(WAFER, None, 3).on_one(plans)
    room = (WAFER.grid.rows // one.tp_rows) * (WAFER.grid.cols // one.tp_cols)
    assert (one.pp * one.replicas <= room).all()


def test_the_next_wafer_is_reached_over_its_links():
    plans = plans_of(1, tp_cols=8, pp=14)
    one, two = Dies(WAFER), Dies(WAFER, None, 2)
    between = WAFER.off_wafer.latency_s + 8 * 1e9 / WAFER.off_wafer.bandwidth_bytes_per_s
    assert two.to_next_wafer_s(plans, 1e9)[0] == pytest.approx(between)
    here = one.send_s(replace(plans, pp=plans.pp // 2), 1e9)[0]
    assert two.send_s(plans, 1e9)[0] == max(here, between)
    assert one.to_next_wafer_s(plans, 1e9) == 0.0


def test_devices_of_several_wafers(run, closed_wafer):
    code, out, _ = run(app, "simulate", "--devices", "112", "--json", "--model", "gpt3_175b")
    assert code == 0
    report = json.loads(out)
    assert report["metrics"]["devices"] == 112
    assert report["plan"]["pp"] % 2 == 0
    places = {tuple(place) for place in report["plan"]["placement"]}
    assert len(places) == report["plan"]["pp"]
    assert max(col for _, col in places) >= WAFER.grid.cols
    code, _, err = run(app, "simulate", "--devices", "60")
    assert code == 2
    assert "those of several, 112" in err
    code, _, err = run(app, "simulate", closed_wafer, "--devices", "112")
    assert code == 2
    assert "off_wafer.bandwidth" in err
