"""Inference on wafers and GPUs: operators by hand, phases, and the two ways played out."""

import heapq
import json
from dataclasses import fields

import numpy as np
import pytest

from star_watos.cli.watos import app
from star_watos.cost import Overflow
from star_watos.explore import explore, non_dominated
from star_watos.explore.candidates import load_sweep
from star_watos.explore.serving import ServingExploration, ServingProblem
from star_watos.spec import load
from star_watos.watos import Dies, Wafer, load_hardware, plans_of
from star_watos.watos.serving import Limits, Search, Serving, Way, document, serve
from star_watos.watos.serving.phases import decode_phase, prefill_phase
from star_watos.watos.serving.pools import region, sequences_tried
from star_watos.watos.wafer import Grid
from star_watos.workload import (
    Kind,
    LayerKind,
    Microbatch,
    cached_bytes,
    decode_ops,
    load_model,
    prefill_ops,
)

WAFER = load(Wafer, "watos_config3", "configs/wafers")
SERVING = Serving(model="llama3_8b", prompt_len=512, output_len=64)
MODEL = SERVING.load()


def total(ops, name):
    return sum(getattr(op, name) for op in ops)


@pytest.mark.parametrize("name", ["llama3_8b", "gpt3_175b"])
def test_a_token_reads_all_weights_and_its_cache(name):
    """2 FLOPs a weight, and 4 a cached token, head and element: scores and weighted sum."""
    model, shape = load_model(name), Microbatch(tokens=3.0, seq_len=1)
    ops = decode_ops(model, shape, 1000.0, LayerKind.DENSE)
    products = [op for op in ops if op.kind is Kind.GEMM]
    (attention,) = (op for op in ops if op.kind is Kind.ATTENTION)
    weights = sum(op.n * op.k * op.batch for op in products)
    assert total(products, "forward_flops") == pytest.approx(3 * 2 * weights)
    heads = model.n_heads * model.head_dim
    assert attention.forward_flops == pytest.approx(3 * 4 * 1000 * heads)
    cache = 2 * 2 * model.n_kv_heads * model.head_dim
    assert attention.weight_bytes == pytest.approx(3 * 1000 * cache)
    assert cached_bytes(model, shape) == cache


def test_heads_of_a_key_value_head_go_together():
    """Llama-3 8B: 32 query heads on 8; on 16 dies a die has 2 queries and a copy of a key head."""
    for tp, group, kv_heads in ((1.0, 4, 8), (8.0, 4, 1), (16.0, 2, 1)):
        shape = Microbatch(tokens=1.0, seq_len=1, tp=tp)
        ops = decode_ops(MODEL, shape, 100.0, LayerKind.DENSE)
        (attention,) = (op for op in ops if op.kind is Kind.ATTENTION)
        assert (attention.m, attention.batch) == (group, kv_heads)


def test_latent_attention_caches_a_latent_for_all_heads():
    """DeepSeek-V3: 512 + 64 numbers a token, 128 heads of queries against them."""
    model = load_model("deepseek_v3")
    shape = Microbatch(tokens=2.0, seq_len=1, tp=4.0)
    ops = decode_ops(model, shape, 1000.0, LayerKind.MOE)
    (attention,) = (op for op in ops if op.kind is Kind.ATTENTION)
    assert cached_bytes(model, shape) == 2 * (512 + 64)
    assert attention.forward_flops == 2 * 2 * 32 * 1000 * ((512 + 64) + 512)
    assert (attention.m, attention.k) == (32, 576)


def test_only_visited_experts_are_read():
    """256 experts, 8 a token: of one token 8, of many all."""
    model = load_model("deepseek_v3")
    for tokens, experts in ((1.0, 256 * (1 - (255 / 256) ** 8)), (1e4, 256.0)):
        ops = decode_ops(model, Microbatch(tokens=tokens, seq_len=1), 10.0, LayerKind.MOE)
        (up,) = (op for op in ops if op.name == "experts_up")
        assert up.batch == pytest.approx(experts)
        assert up.weight_bytes == pytest.approx(2 * experts * 7168 * 2 * 2048)
        assert up.forward_flops == pytest.approx(tokens * 8 * 2 * 7168 * 2 * 2048)


def test_shares_scale_attention_only():
    shape = Microbatch(tokens=512.0, seq_len=512)
    whole, half = (prefill_ops(MODEL, shape, LayerKind.DENSE, keep) for keep in (1.0, 0.5))
    for one, other in zip(whole, half, strict=True):
        share = 0.5 if one.kind is Kind.ATTENTION else 1.0
        assert other.forward_flops == share * one.forward_flops
    token = Microbatch(tokens=1.0, seq_len=1)
    ops = decode_ops(MODEL, token, 1000.0, LayerKind.DENSE, 0.5, 0.25)
    (attention,) = (op for op in ops if op.kind is Kind.ATTENTION)
    assert attention.weight_bytes == 0.25 * 1000 * cached_bytes(MODEL, token)


def test_prefill_of_one_die_by_hand():
    """All layers one after the other, no sends: as many FLOPs as 2 a weight, near the peak."""
    phase = prefill_phase(Dies(WAFER), MODEL, SERVING, plans_of(1))
    assert phase.latency_s[0] == phase.stage_s[0]
    layers = MODEL.n_params - 2 * MODEL.vocab * MODEL.d_model
    least = 2 * layers * SERVING.prompt_len / WAFER.die.peak_flops_per_s
    assert least < phase.latency_s[0] < 2 * least


def test_decode_of_few_sequences_takes_as_long_as_reading_the_weights():
    phase = decode_phase(Dies(WAFER), MODEL, SERVING, plans_of(1))
    read = 2 * (MODEL.n_params - MODEL.vocab * MODEL.d_model) / WAFER.memory_bytes_per_s
    starts = 12 * MODEL.n_layers * WAFER.die.operator_overhead_s
    assert read < phase.latency_s[0] < read + 2 * starts


def test_stages_hold_their_layers_and_all_sequences():
    plans = plans_of(2, pp=[1, 4], microbatch=[8, 2])
    held = decode_phase(Dies(WAFER), MODEL, SERVING, plans).memory_bytes
    cache = 8 * 576 * 4096 * MODEL.n_layers
    ends = MODEL.vocab * MODEL.d_model + MODEL.d_model
    body = MODEL.n_params - ends - MODEL.vocab * MODEL.d_model
    assert held[0] == pytest.approx(2 * (body + ends) + cache)
    assert held[1] == pytest.approx(2 * (body / 4 + ends) + cache / 4)


def played(stage_p, stage_d, pp, b, answer, until):
    """Return tokens a second of one replica, passes queueing at each stage in order of arrival.

    pp groups go round, each with room for b answers and the prompts of a pass. Who is done is
    replaced by a prompt that waits in its group; a pass takes b / O prompts' work along at most.
    """
    free, piece = [0.0] * pp, b / answer
    left = [[1 + (answer * i) // b for i in range(b)] for _ in range(pp)]
    waiting = [float(-(-b // answer)) for _ in range(pp)]
    ready, tokens = [(0.0, group) for group in range(pp)], 0
    while ready[0][0] <= until:
        now, group = heapq.heappop(ready)
        before = waiting[group]
        done = min(before, piece)
        waiting[group] = before - done
        joined = int(np.ceil(before - 1e-9) - np.ceil(waiting[group] - 1e-9))
        tokens += len(left[group])
        left[group] = [n - 1 for n in left[group] if n > 1] + [answer] * joined
        waiting[group] += b + -(-b // answer) - len(left[group]) - np.ceil(waiting[group] - 1e-9)
        at = now
        for stage in range(pp):
            at = free[stage] = max(at, free[stage]) + stage_d + done * stage_p
        heapq.heappush(ready, (at, group))
    return tokens / ready[0][0]


@pytest.mark.parametrize(("pp", "b", "answer"), [(1, 8, 64), (4, 8, 64), (4, 32, 128), (7, 16, 32)])
def test_the_rate_of_both_phases_on_a_replica_is_what_playing_them_gives(pp, b, answer):
    """b / (d + b p / O) tokens a second, passes waiting for each other at every stage."""
    for stage_p, stage_d in ((10.0, 1.0), (2.0, 1.0), (1.0, 3.0)):
        formula = b / (stage_d + b * stage_p / answer)
        assert played(stage_p, stage_d, pp, b, answer, 40_000.0) == pytest.approx(formula, rel=0.03)


@pytest.fixture(scope="module")
def service():
    return serve(WAFER, MODEL, SERVING)


def test_both_ways_fit(service):
    assert set(service.ways) == set(Way)
    for way in service.ways.values():
        for part in (way.prefill, way.decode):
            used = int(part.pool.plans.devices[0] * part.pool.replicas[0])
            assert used <= part.pool.devices
            assert part.phase.memory_bytes[0] <= WAFER.memory_capacity_bytes
    apart = service.ways[Way.APART]
    assert apart.prefill.pool.devices + apart.decode.pool.devices == WAFER.n_dies


def test_the_best_is_the_best_of_all_plans(service):
    """Every row of the pool once more, by what a request keeps a stage for."""
    pool = region(WAFER.grid, MODEL, sequences_tried())
    first = prefill_phase(Dies(WAFER), MODEL, SERVING, pool.plans)
    b, answer = pool.plans.microbatch, SERVING.output_len
    then = decode_phase(Dies(WAFER), MODEL, SERVING, pool.plans, -(-b // answer))
    turn = then.latency_s / pool.plans.pp + b / answer * first.stage_s
    fits = then.memory_bytes <= WAFER.memory_capacity_bytes
    best = service.ways[Way.TOGETHER].requests_per_s
    assert best == pytest.approx((pool.replicas * b / answer / turn)[fits].max(), rel=1e-12)


def test_no_way_beats_the_peak(service):
    flops = 2 * (MODEL.n_params - MODEL.vocab * MODEL.d_model)
    flops *= SERVING.prompt_len + SERVING.output_len
    for way in service.ways.values():
        assert way.requests_per_s * flops < 1.05 * WAFER.peak_flops_per_s


def test_limits_are_kept(service):
    free = service.ways[Way.TOGETHER]
    limits = Limits(tpot_s=free.tpot_s / 4, ttft_s=free.ttft_s * 2)
    bound = serve(WAFER, MODEL, SERVING, limits)
    for way in bound.ways.values():
        assert way.tpot_s <= limits.tpot_s
        assert way.ttft_s <= limits.ttft_s
    assert bound.ways[Way.TOGETHER].requests_per_s <= free.requests_per_s
    missed = serve(WAFER, MODEL, SERVING, Limits(tpot_s=1e-6))
    assert isinstance(missed, Overflow)
    assert missed.name == "time per token"


@pytest.mark.parametrize("change", ["dram.stack_bandwidth=1 TB/s", "d2d.bandwidth=5 TB/s"])
def test_more_bandwidth_is_never_slower(service, change):
    better = serve(
        load_hardware("watos_config3", [change, "die.edge_bandwidth=20 TB/s"]), MODEL, SERVING
    )
    for way, served in service.ways.items():
        assert better.ways[way].requests_per_s >= served.requests_per_s * (1 - 1e-12)


def test_attending_to_fewer_keys_is_faster():
    long = Serving(model="llama3_8b", prompt_len=131_072, output_len=1024)
    sparse = long.model_copy(update={"keep_ratio": 0.2, "load_ratio": 0.5})
    rates = [serve(WAFER, MODEL, it).ways[Way.TOGETHER].requests_per_s for it in (long, sparse)]
    assert rates[1] > 1.3 * rates[0]


def test_gpus_serve_together_only():
    found = serve(load_hardware("dgx_h100"), MODEL, SERVING, devices=8)
    assert set(found.ways) == {Way.TOGETHER}
    assert document(found)["devices"] == 8


def test_a_region_has_every_depth():
    pool = region(Grid(rows=2, cols=2), MODEL, np.array([1, 2]))
    assert pool.plans.pp.max() == 4
    assert ((pool.plans.devices * pool.replicas) <= 4).all()
    assert (pool.replicas >= 1).all()


@pytest.mark.parametrize("side", [(1, 8), (3, 8), (7, 5), (7, 8)])
def test_a_part_of_a_wafer_has_the_plans_of_its_region(side):
    grid = Grid(rows=side[0], cols=side[1])
    whole, part = (region(g, MODEL, sequences_tried()) for g in (WAFER.grid, grid))
    rows, replicas = whole.inside(grid)
    np.testing.assert_array_equal(replicas, part.replicas)
    for column in fields(part.plans):
        found = getattr(whole.plans.take(rows), column.name)
        np.testing.assert_array_equal(found, getattr(part.plans, column.name))


def test_the_command(run):
    code, out, _ = run(app, "serve", "--model", "llama3_8b", "--json")
    assert code == 0
    report = json.loads(out)
    assert report["schema"] == "watos-serve/1"
    assert report["best"] in report["ways"]
    code, out, _ = run(app, "serve", "--model", "llama3_8b", "--tpot", "20ms")
    assert code == 0
    assert "then a token every" in out
    code, _, err = run(app, "serve", "--tpot", "1us")
    assert code == 4
    assert "time per token needs" in err
    code, _, err = run(app, "serve", "--ttft", "3x")
    assert code == 2
    assert err.startswith("--ttft  expected a number and one of s, ms, us")
    code, _, err = run(app, "serve", "--keep-ratio", "2")
    assert code == 2
    assert "--keep-ratio" in err


SWEEP = """
kind: watos-serving-exploration
hardware: watos_config3
workload: {model: llama3_8b, prompt_len: 512, output_len: 64}
space:
  hardware.grid.rows: {choices: [2, 3]}
  hardware.dram.stacks_per_die: {choices: [2, 4]}
objectives:
  tokens_per_s: maximize
  tpot_s: minimize
constraints:
  tpot_s: {max: 0.05}
search: {sampler: exhaustive}
"""


def test_the_front_of_wafers_that_serve_is_that_of_every_way(tmp_path):
    path = tmp_path / "sweep.yaml"
    path.write_text(SWEEP, encoding="utf-8")
    sweep, folder = load_sweep(ServingExploration, str(path))
    result = explore(sweep, ServingProblem(sweep, folder), tmp_path / "out")
    points = []
    for rows in (2, 3):
        for stacks in (2, 4):
            changes = [f"grid.rows={rows}", f"dram.stacks_per_die={stacks}"]
            wafer = load_hardware("watos_config3", changes)
            search = Search(wafer, Dies(wafer), MODEL, SERVING)
            every = search.every_together()
            fits = np.asarray(every.decode.memory_bytes <= wafer.memory_capacity_bytes)
            columns = (64 * every.requests_per_s, every.tpot_s)
            points += np.stack(columns, axis=1)[fits].tolist()
            points += [(64 * way.requests_per_s, way.tpot_s) for way in search.splits()]
    table = np.array([point for point in points if point[1] <= 0.05])
    best = np.unique(table[non_dominated(table, np.array([-1.0, 1.0]))], axis=0)
    found = np.unique([[row["tokens_per_s"], row["tpot_s"]] for row in result.rows], axis=0)
    np.testing.assert_allclose(found, best, rtol=1e-12)
    assert {row["way"] for row in result.rows} == {"together", "apart"}
