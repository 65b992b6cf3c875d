"""Switched clusters: kernels and collectives against their tables and by hand, and identities."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from star_watos.errors import InputError
from star_watos.fabric import switched
from star_watos.watos import (
    Choices,
    Recompute,
    Schedule,
    Training,
    cluster_plans,
    evaluate,
    load_hardware,
    machine_of,
    metrics,
    plans_of,
    simulate,
)
from star_watos.watos.columns import layer_columns
from star_watos.watos.kernels import backward_s, flash_flops_per_s, forward_s, gemm_s
from star_watos.watos.memory import in_flight
from star_watos.watos.outside import kernels_outside
from star_watos.watos.stages import every_stage
from star_watos.workload import Attention, Kind, Microbatch, layer_kinds, layer_ops, load_model

A100 = load_hardware("dgx_a100")
ALL = Choices(zero=(0, 1, 2, 3), schedule=tuple(Schedule))
TRAINING = Training(model="gpt3_175b", seq_len=2048, global_batch=256, precision="fp16")
MODEL = TRAINING.load()
MACHINE = machine_of(A100, TRAINING, 512)
PLANS = cluster_plans(MODEL, 8, 512, 256, ALL)


def run(plans, training=TRAINING, machine=MACHINE):
    return evaluate(machine, training.load(), training, plans)


def test_a_measured_product_takes_what_was_measured():
    """The table: 8,192 x 16,384 x 8,192 in 8.413 ms, whichever side is called m."""
    assert gemm_s(A100, 1, 8192, 16384, 8192) == pytest.approx(8.413081e-3, rel=1e-6)
    assert gemm_s(A100, 1, 16384, 8192, 8192) == pytest.approx(8.413081e-3, rel=1e-6)


def test_memory_twice_as_fast_halves_what_it_limits():
    """Element-wise kernels, norms and unfused attention each reach a share of the bandwidth."""
    fast = load_hardware("dgx_a100", ["gpu.memory_bandwidth.value=4.078 TB/s"])
    shape = Microbatch(tokens=4096.0, seq_len=2048, attention=Attention.UNFUSED)
    limited = [
        op
        for op in layer_ops(MODEL, shape, layer_kinds(MODEL)[0][0])
        if op.kind is Kind.VECTOR or op.unfused
    ]
    assert {op.kind for op in limited} == {Kind.VECTOR, Kind.ATTENTION}
    for op in limited:
        assert forward_s(fast, op) == pytest.approx(forward_s(A100, op) / 2)
        assert backward_s(fast, op, 4.0) == pytest.approx(backward_s(A100, op, 4.0) / 2)


@given(m=st.integers(1, 40_000), n=st.integers(32, 100_000), k=st.integers(32, 60_000))
def test_no_product_beats_the_peak_or_the_memory(m, n, k):
    seconds = gemm_s(A100, 1, m, n, k)
    assert 2.0 * m * n * k / seconds <= 312e12
    assert 2.0 * (m * k + k * n + m * n) / seconds <= 2.039e12


def test_a_narrow_product_has_the_rate_of_as_many_tiles():
    """512 x 512 has the area of 256 x 1,024, the narrowest entry; k = 512 has the rate of 1,024."""
    narrow, entry = gemm_s(A100, 1, 512, 512, 4096), gemm_s(A100, 1, 256, 1024, 4096)
    assert narrow == pytest.approx(entry)
    short, least = gemm_s(A100, 1, 4096, 4096, 512), gemm_s(A100, 1, 4096, 4096, 1024)
    assert short == pytest.approx(least / 2)


def test_waves_of_tiles_by_hand():
    """B200: 256 x 256 tiles on 148 multiprocessors. 149 tiles take the time of 296."""
    b200 = load_hardware("b200_nvl")
    one, two = (gemm_s(b200, 1, 256, 256 * tiles, 65_536) for tiles in (148, 149))
    assert two == pytest.approx(2 * one)
    rate = 2.0 * 256 * 256 * 148 * 65_536 / one
    assert rate == pytest.approx(0.488 * 2250e12)


def test_what_lies_outside_of_the_table_is_said():
    """Llama-2 7B: split over 64 GPUs, attention's heads leave an inner dimension of 64."""
    training = Training(model="llama2_7b", seq_len=2048)
    plans = plans_of(2, tp_cols=[1, 32])
    outside = kernels_outside(A100, training.load(), training, plans)
    assert outside["attention_out"].tolist() == [False, True]
    assert "attention" not in outside
    everything = kernels_outside(load_hardware("b200_nvl"), training.load(), training, plans)
    assert np.all(everything["mlp_up"])


def test_flash_attention_runs_at_its_table():
    """FlashAttention-2 on A100, causal, heads of 128, 2,048 tokens: 155 TFLOP/s both ways."""
    assert flash_flops_per_s(A100, 128.0, 2048.0) == pytest.approx([155e12, 155e12])
    beyond = flash_flops_per_s(A100, 256.0, 65_536.0)
    assert beyond == pytest.approx(flash_flops_per_s(A100, 128.0, 16_384.0))


def switches():
    return MACHINE._switches


def test_a_measured_all_reduce_takes_what_was_measured():
    """vTrain's table: 64 MiB over 8 GPUs 579.9 us out of place; ours are the in-place figures."""
    table = switches().all_reduce_table
    assert table is not None
    seconds = switched.all_reduce_s(switches(), 8, 1, 2.0**26)
    assert seconds == pytest.approx(1e-6 * table.at(8.0, 2.0**26)[0])
    assert 2.0**26 * 2 * 7 / 8 / seconds == pytest.approx(202e9, rel=0.05)


def test_a_ring_between_nodes_uses_the_adapters_of_its_members():
    """32 GPUs in a row: 8 of each node, 200 GB/s x 0.765 a node; every eighth: 25 x 0.765."""
    whole, sparse = (switched.ring_s(switches(), 32, stride, 1e9) for stride in (1, 8))
    assert whole == pytest.approx(31 * (10e-6 + 1e9 / 32 / (8 * 25e9 * 0.765)))
    assert sparse == pytest.approx(31 * (10e-6 + 1e9 / 32 / (25e9 * 0.765)))


@given(n=st.integers(1, 4096), stride=st.integers(1, 64), size=st.floats(1.0, 1e11))
def test_collectives_need_time_and_none_for_one(n, stride, size):
    seconds = switched.all_reduce_s(switches(), n, stride, size)
    assert seconds == 0 if n == 1 else seconds > 0
    more = switched.all_reduce_s(switches(), n, stride, 2 * size)
    assert more >= seconds


def test_the_host_paces_small_kernels():
    """One sequence of 128 tokens: the device waits, so halving its kernels changes nothing."""
    short = TRAINING.model_copy(update={"seq_len": 128, "model": "smollm2_135m"})
    model = short.load()
    one = layer_columns(MACHINE, model, short, plans_of())
    two = layer_columns(MACHINE, model, short, plans_of(microbatch=2))
    assert two.forward.time_s == pytest.approx(one.forward.time_s)
    assert two.backward.time_s == pytest.approx(one.backward.time_s)


def test_full_recomputation_does_the_forward_flops_again():
    plans = plans_of(tp_cols=8, pp=8, recompute=int(Recompute.FULL))
    layer = layer_columns(MACHINE, MODEL, TRAINING, plans)
    assert layer.recompute.ops == layer.forward.ops


def test_utilizations_and_terms():
    result = run(PLANS)
    figures = metrics(MACHINE, TRAINING, result)
    assert np.all(figures["mfu"] <= figures["hfu"] * (1 + 1e-12))
    assert np.all(figures["hfu"] <= 1)
    assert np.all(np.stack([np.broadcast_to(t, len(PLANS)) for t in result.time_s.values()]) >= 0)
    assert np.all(result.time_s["bubble"][PLANS.pp == 1] == 0)
    assert np.all(result.time_s["pp_comm"][PLANS.pp == 1] == 0)
    assert np.all(result.time_s["dp_comm"][PLANS.dp == 1] == 0)


def test_columns_are_their_scalars():
    whole = run(PLANS)
    for row in np.random.default_rng(1).integers(0, len(PLANS), 40):
        alone = run(PLANS.take(np.array([row])))
        assert alone.iteration_s.item() == whole.iteration_s[row]
        assert alone.memory_bytes.item() == whole.memory_bytes[row]


def test_model_flops_are_six_a_parameter_and_token_beside_attention():
    """6 N without the embeddings and 6 L s d for causal attention, half of the square."""
    tokens = TRAINING.global_batch * TRAINING.seq_len
    result = run(plans_of(tp_cols=8, pp=8))
    tables = (MODEL.vocab + MODEL.max_seq_len) * MODEL.d_model
    logits = MODEL.vocab * MODEL.d_model
    expected = 6 * (MODEL.n_params - tables + logits) + 6 * 96 * 12_288 * 2048
    assert result.model_flops.item() / tokens == pytest.approx(expected, rel=1e-3)


def test_zero_falls_with_the_replicas():
    """175B on 64 GPUs a replica, fp16: 2 weights, 2 gradients, 12 states; each split as 1 / dp."""

    def held(zero, dp):
        return run(plans_of(tp_cols=8, pp=8, dp=dp, zero=zero)).memory_bytes.item()

    params = {zero: held(0, 8) - held(zero, 8) for zero in (1, 2, 3)}
    states, gradients = params[1], params[2] - params[1]
    assert states / gradients == pytest.approx(12 / 2)
    for dp in (2, 4, 8):
        saved = held(0, dp) - held(1, dp)
        assert saved / states == pytest.approx((1 - 1 / dp) / (1 - 1 / 8))


def gpt(recompute, sp, *, schedule=0, v=1, pp=8, tp=8):
    training = TRAINING.model_copy(update={"attention": "unfused"})
    return training, plans_of(
        tp_cols=tp, pp=pp, recompute=recompute, sp=sp, schedule=schedule, virtual_stages=v
    )


@pytest.mark.parametrize("pp", [1, 4, 8, 16])
def test_the_first_stage_holds_a_whole_models_activations(pp):
    """Korthikanti et al. 2022, eq. 5: s b h L / t (34 + 5 a s / h), whatever p is."""
    training, plans = gpt(0, 1, pp=pp)
    model = training.load()
    layer = layer_columns(machine_of(A100, training, 512), model, training, plans)
    stage = every_stage(model, pp)
    kept = in_flight(plans, np.array([256]), stage) * stage.layers * layer.saved_bytes
    s, h, a, t = 2048, model.d_model, model.n_heads, 8
    assert kept[0] == pytest.approx(s * h * model.n_layers / t * (34 + 5 * a * s / h))


@pytest.mark.parametrize("v", [2, 3, 6])
def test_interleaving_holds_more(v):
    """1 + (p - 1) / (p v) times as much on the first stage (Korthikanti et al. 2022, 4.2.3)."""
    pp = 8
    plans = plans_of(pp=pp, schedule=int(Schedule.INTERLEAVED), virtual_stages=v)
    held = in_flight(plans, np.array([256]), every_stage(MODEL, pp))
    assert held[0] / pp == pytest.approx(1 + (pp - 1) / (pp * v))


def test_schedules_by_hand():
    """p = 8, m = 256, the head on the slowest stage: others' bubbles over 1F1B's: GPipe 1,
    interleaved 1 / v of the layers and all of the embedding, ZB-H1 less."""

    def bubble(schedule, v=1):
        plans = plans_of(tp_cols=8, pp=8, schedule=int(schedule), virtual_stages=v)
        return run(plans).time_s["bubble"].item()

    whole = bubble(Schedule.ONE_F_ONE_B)
    assert bubble(Schedule.GPIPE) == whole
    layer = layer_columns(MACHINE, MODEL, TRAINING, plans_of(tp_cols=8, pp=8))
    embedding = layer.embedding.time_s.item() + layer.ends_comm.time_s.item()
    expected = (whole - embedding) / 4 + embedding
    assert bubble(Schedule.INTERLEAVED, 4) == pytest.approx(expected)
    assert 0 < bubble(Schedule.ZERO_BUBBLE) < whole / 2


def test_every_legal_plan_uses_every_device_once():
    assert np.all(PLANS.devices == 512)
    assert np.all(256 % (PLANS.dp * PLANS.microbatch) == 0)
    assert np.all((PLANS.virtual_stages > 1) == (PLANS.schedule == Schedule.INTERLEAVED))


def test_experts_are_shared_and_cost_an_all_to_all():
    """Mixtral over 8 replicas: 8 experts each to one; dense weights stay, tokens travel."""
    training = Training(model="mixtral_8x7b", seq_len=4096, global_batch=64)
    model = training.load()
    machine = machine_of(A100, training, 8)
    whole, shared = (
        evaluate(machine, model, training, plans_of(dp=8, ep=ep, zero=1)) for ep in (1, 8)
    )
    assert whole.time_s["ep_comm"].item() == 0 < shared.time_s["ep_comm"].item()
    experts = 32 * 8 * 3 * 4096 * 14_336
    assert shared.layer.expert_params.item() * 32 * 8 == pytest.approx(experts)
    assert shared.memory_bytes.item() < whole.memory_bytes.item() / 2
    assert whole.model_flops.item() == pytest.approx(shared.model_flops.item())


def test_a_shared_sequence_needs_less_memory_and_more_traffic():
    training = Training(model="llama3_8b", seq_len=32_768, global_batch=8, overlap=False)
    machine = machine_of(A100, training, 8)
    alone, shared = (
        evaluate(machine, training.load(), training, plans_of(tp_cols=2, cp=cp, dp=4 // cp))
        for cp in (1, 4)
    )
    assert shared.time_s["cp_comm"].item() > 0 == alone.time_s["cp_comm"].item()
    assert shared.layer.saved_bytes.item() == pytest.approx(alone.layer.saved_bytes.item() / 4)
    assert shared.model_flops.item() == pytest.approx(alone.model_flops.item())
    hidden = training.model_copy(update={"overlap": True})
    beside = evaluate(machine, training.load(), hidden, plans_of(tp_cols=2, cp=4, dp=1))
    assert beside.time_s["cp_comm"].item() < shared.time_s["cp_comm"].item()


def test_overlap_slows_hardly_any_plan():
    """Where nothing hides them, pieces cost a latency each: events say so too.

    Sends under ZB-H1 are charged up to 1 % of the iteration more than events see exposed.
    """
    apart = TRAINING.model_copy(update={"overlap": False})
    slower = run(PLANS).iteration_s / run(PLANS, apart).iteration_s - 1
    assert np.max(slower) < 0.01
    assert np.mean(slower > 1e-12) < 0.01


def test_the_chosen_plan_is_the_fastest_that_fits():
    training = Training(model="llama3_8b", seq_len=4096, global_batch=64)
    chosen = simulate(A100, training.load(), training, {}, devices=16)
    plans = cluster_plans(training.load(), 8, 16, 64)
    result = run(plans, training, machine_of(A100, training, 16))
    fits = result.memory_bytes <= A100.gpu.memory_bytes.value
    assert chosen.iteration.iteration_s.item() == result.iteration_s[fits].min()


def test_what_no_plan_can_be_is_said():
    training = Training(model="llama3_8b", global_batch=64)
    with pytest.raises(InputError, match=r"--cp 3  no legal plan"):
        simulate(A100, load_model("llama3_8b"), training, {"cp": 3}, devices=16)


def test_products_of_8_bits_need_casts():
    """H100, twice the rate: 4 bytes an element cast, and gradients added up as fast as ever."""
    h100 = load_hardware("dgx_h100", ["software.adds_gradients.value=false"])
    shape = Microbatch(tokens=4096.0, seq_len=2048)
    op = next(op for op in layer_ops(MODEL, shape, layer_kinds(MODEL)[0][0]) if op.name == "mlp_up")
    rate = 0.765 * 3.35e12
    cast = 4 * (op.m * op.k + op.k * op.n) / rate
    assert forward_s(h100, op, fp8=True) == pytest.approx(forward_s(h100, op) / 2 + cast)
    added = 2 * 4 * op.weight_bytes / 2 / rate
    products = backward_s(h100, op, 4.0) - added
    expected = products / 2 + 4 * op.m * op.n / rate + added
    assert backward_s(h100, op, 4.0, fp8=True) == pytest.approx(expected)


def test_a_step_moves_what_the_software_does_beside_adam():
    """Llama-2 7B on one A100: 34 bytes of copies, norm and clipping for 6.738 billion weights."""
    training = Training(model="llama2_7b", seq_len=2048, global_batch=4, precision="fp16")

    def time_s(moved):
        hardware = load_hardware("dgx_a100", [f"software.step_bytes.value={moved}"])
        machine = machine_of(hardware, training, 1)
        return run(plans_of(), training, machine).time_s["optimizer"].item()

    more_s = 34 * 6.738e9 / MACHINE.memory_bytes_per_s
    assert time_s(34) - time_s(0) == pytest.approx(more_s, rel=1e-3)
