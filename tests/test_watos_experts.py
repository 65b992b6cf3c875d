"""Experts on GPUs: products in one kernel, tokens sorted by them, and what frameworks hold."""

import numpy as np
import pytest

from star_watos.tables import table
from star_watos.watos import Cluster, Recompute, Training, evaluate, load_hardware, machine_of
from star_watos.watos.experts import grouped_rates
from star_watos.watos.framework import PLAIN, Framework
from star_watos.watos.kernels import backward_s, forward_s, gemm_s
from star_watos.watos.memory import plan_bytes
from star_watos.watos.plans import plans_of
from star_watos.watos.sizes import sizes_of
from star_watos.workload import LayerKind, Microbatch, layer_ops, load_model

B200 = load_hardware("b200_nvl")
DEEPSEEK = load_model("deepseek_v3")


def ops(ep):
    shape = Microbatch(tokens=4096.0, seq_len=4096, ep=float(ep))
    return {op.name: op for op in layer_ops(DEEPSEEK, shape, LayerKind.MOE)}


def test_experts_have_the_measured_rate():
    """EP 8: 32 experts of 4,096 x 8 x 8 / 256 = 1,024 rows: 0.430 of the peak, 0.488 plain."""
    up = ops(8)["experts_up"]
    assert (up.batch, up.m) == (32, 1024)
    measured = table("configs/kernels/grouped_b200.csv", ("rows",), ("forward", "data", "weights"))
    assert measured.at(1024)[0] == pytest.approx(0.4299)
    plain = gemm_s(B200, up.batch, up.m, up.n, up.k)
    assert forward_s(B200, up) == pytest.approx(plain * 0.488 / 0.4299)
    both = gemm_s(B200, 32, 1024, up.k, up.n) * 0.488 / 0.4337
    weights = gemm_s(B200, 32, up.k, up.n, 1024) * 0.488 / 0.2838
    assert backward_s(B200, up, 4.0) == pytest.approx(both + weights)


@pytest.mark.parametrize("ep", [1, 2, 8, 64, 128])
def test_fewer_rows_an_expert_are_slower(ep):
    """Twice the groups bring each expert twice the rows."""
    few, many = (np.array(grouped_rates(B200, ops(n)["experts_up"])) for n in (ep, 2 * ep))
    assert np.all(few <= many * 1.2)
    assert np.all(few <= 1.05)


def test_a_single_expert_is_a_product():
    assert grouped_rates(B200, ops(256)["experts_up"]) == (1.0, 1.0, 1.0)
    assert grouped_rates(B200, ops(8)["shared_experts_up"]) == (1.0, 1.0, 1.0)
    columns = layer_ops(
        DEEPSEEK, Microbatch(4096.0, 4096, ep=np.array([8.0, 256.0])), LayerKind.MOE
    )
    up = next(op for op in columns if op.name == "experts_up")
    assert grouped_rates(B200, up)[0] == pytest.approx([0.4299 / 0.488, 1.0])


def test_tokens_are_copied_and_sorted():
    """A token of 7,168 x 2 bytes and its 8 copies: 1 + 8, and 8 in and out in another order."""
    dispatch = ops(8)["dispatch"]
    seconds = 4096 * 7168 * 2 * (9 + 16) / (0.506 * 8e12)
    assert forward_s(B200, dispatch) == backward_s(B200, dispatch, 4.0) == pytest.approx(seconds)


def test_a_cluster_that_says_nothing_of_experts_has_plain_products():
    """As files written before there was such a part do."""
    silent = B200.model_copy(update={"experts": None})
    up, dispatch = ops(8)["experts_up"], ops(8)["dispatch"]
    assert isinstance(silent, Cluster)
    assert forward_s(silent, up) == pytest.approx(gemm_s(B200, 32, 1024, up.n, up.k))
    once = 4096 * 7168 * 2 * 9 / (0.666 * 8e12)
    assert forward_s(silent, dispatch) == pytest.approx(once)
    assert backward_s(silent, dispatch, 4.0) == pytest.approx(2 * once)


def test_placeholders_of_a_layer_by_hand():
    """Llama-3 405B: qkv, out, up and down, 2 bytes each; the head while it goes backward."""
    model, shape = load_model("llama3_405b"), Microbatch(tokens=4096.0, seq_len=4096)
    plain, held = (sizes_of(model, shape, f) for f in (PLAIN, Framework(placeholders=True)))
    h, kv, ffn = 16_384, 8 * 128, 53_248
    weights = h * (h + 2 * kv) + h * h + h * 2 * ffn + ffn * h
    assert plain.layers[0].placeholder_bytes == 0
    assert held.layers[0].placeholder_bytes == 2 * weights
    assert held.head_bytes - plain.head_bytes == 2 * 128_256 * h


def test_weights_of_one_shape_share_a_placeholder():
    """DeepSeek-V3: a shared expert is as wide as a routed one, and 256 of these are alike."""
    shape = Microbatch(tokens=4096.0, seq_len=4096, ep=8.0)
    _, experts = sizes_of(DEEPSEEK, shape, Framework(placeholders=True)).layers
    h = 7168
    attention = h * 1536 + 1536 * 128 * 192 + h * 576 + 512 * 128 * 256 + 128 * 128 * h
    network = h * 4096 + 2048 * h + h * 256
    assert experts.placeholder_bytes == 2 * (attention + network)


def test_weights_of_one_shape_are_found_plan_by_plan():
    """GPT-3 175B: at TP 4 both weights of the network are 12,288 squared."""
    tp = np.array([2.0, 4.0, 8.0])
    shape = Microbatch(tokens=2048.0, seq_len=2048, tp=tp)
    (layer,) = sizes_of(load_model("gpt3_175b"), shape, Framework(placeholders=True)).layers
    expected = 2 * (4 + 8 - 4 * (tp == 4)) * 12_288**2 / tp
    np.testing.assert_array_equal(layer.placeholder_bytes, expected)


def test_a_loss_in_place_keeps_no_softmax():
    """4 bytes a logit less: 4,096 x 128,256 of them."""
    model, shape = load_model("llama3_405b"), Microbatch(tokens=4096.0, seq_len=4096)
    kept, gone = (sizes_of(model, shape, f) for f in (PLAIN, Framework(loss_in_place=True)))
    assert kept.head_bytes - gone.head_bytes == 4 * 4096 * 128_256


def test_what_a_plan_holds_is_known_before_its_time():
    training = Training(model="llama3_70b", seq_len=4096, global_batch=64)
    machine = machine_of(B200, training, 64)
    plans = plans_of(2, tp_cols=8, pp=[1, 4], dp=[8, 2], zero=1, recompute=int(Recompute.NONE))
    result = evaluate(machine, training.load(), training, plans)
    held = plan_bytes(training.load(), training, plans, machine.framework)
    np.testing.assert_array_equal(held, result.memory_bytes)
    assert np.all(held > plan_bytes(training.load(), training, plans))
