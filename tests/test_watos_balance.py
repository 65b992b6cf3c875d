"""What stages keep, run again and have others keep: against brute force, and on a wafer."""

import itertools
import json
from functools import cache

import numpy as np
import pytest

from star_watos.cli.watos import app as watos
from star_watos.cost import Overflow
from star_watos.watos import Dies, Training, legal_plans, load_hardware, simulate
from star_watos.watos.balance import (
    Operator,
    Options,
    Part,
    Pipeline,
    Stage,
    balance,
    balanced,
    park,
)
from star_watos.watos.balance.layer import operators_of, stages_of
from star_watos.watos.balance.promise import least_bytes
from star_watos.watos.balance.refine import refined
from star_watos.watos.balance.schedule import stage_tables
from star_watos.watos.iteration import evaluate
from star_watos.watos.memory import memory_bytes
from star_watos.watos.placed import Placed
from star_watos.watos.plans import Recompute, plans_of
from star_watos.watos.simulate import Setting, candidates
from star_watos.watos.stages import every_stage, stage_params


def line(n):
    """Return the hops between n stages on a line."""
    place = np.arange(float(n))
    return np.abs(place[:, None] - place)


def random_case(rng, n_stages, n_operators):
    """Return operators and stages whose needs are near what they have."""
    seconds, dropped = rng.integers(-1, 9, n_operators), rng.integers(1, 20, n_operators)
    operators = [
        Operator(f"{i}", *map(float, op)) for i, op in enumerate(zip(seconds, dropped, strict=True))
    ]
    saved = float(dropped.sum() + rng.integers(0, 5))
    stages = [
        Stage(
            busy_s=float(rng.integers(5, 40)),
            layers=float(rng.integers(1, 5)),
            in_flight=float(n_stages - i),
            saved_bytes=saved,
            passing_bytes=float(rng.integers(0, 4)),
            least_bytes=float(rng.integers(0, 30)) if i == n_stages - 1 else 0.0,
            room_bytes=float(rng.integers(20, 90 * n_stages)),
        )
        for i in range(n_stages)
    ]
    return operators, stages


def every_set(operators, stage):
    """Return seconds and bytes of a stage for every set of operators, from their definitions."""
    found = []
    for again in itertools.product((0, 1), repeat=len(operators)):
        dropped = sum(op.dropped_bytes for op, taken in zip(operators, again, strict=True) if taken)
        seconds = sum(op.again_s for op, taken in zip(operators, again, strict=True) if taken)
        kept = stage.in_flight * stage.layers * (stage.saved_bytes - dropped)
        held = kept + max(dropped + stage.passing_bytes, stage.least_bytes)
        found.append((stage.busy_s + stage.layers * seconds, held))
    return np.array(found).T


def brute_force(operators, stages):
    """Return the least time of the slowest stage over all sets of all stages; inf if none fits."""
    tables = [every_set(operators, stage) for stage in stages]
    room, best = sum(stage.room_bytes for stage in stages), np.inf
    for seconds, held in tables[0].T:  # the first stage one set at a time, for memory's sake
        slowest, needed = np.array([seconds]), np.array([held])
        for times, bytes_ in tables[1:]:
            slowest = np.maximum.outer(slowest, times).ravel()
            needed = np.add.outer(needed, bytes_).ravel()
        best = min(best, slowest[needed <= room + 1e-9].min(initial=np.inf))
    return best


@pytest.mark.parametrize("n_stages", [1, 2, 3, 4])
@pytest.mark.parametrize("n_operators", [1, 2, 3, 4, 5, 6])
def test_the_slowest_stage_is_as_fast_as_brute_force_finds(n_stages, n_operators):
    rng, feasible = np.random.default_rng(10 * n_stages + n_operators), 0
    for _ in range(3 if n_stages * n_operators > 20 else 10):
        operators, stages = random_case(rng, n_stages, n_operators)
        found = balanced(stages, Options.of(operators), line(n_stages))
        expected = brute_force(operators, stages)
        assert isinstance(found, Overflow) == np.isinf(expected)
        if not isinstance(found, Overflow):
            assert found.slowest_s == pytest.approx(expected, abs=1e-9)
            feasible += 1
    assert feasible


def test_nothing_is_worse_than_one_policy_for_all_stages():
    """On 500 random cases: the best set of operators that all stages run again, each for itself."""
    rng, gained = np.random.default_rng(0), 0
    for _ in range(500):
        n = int(rng.integers(2, 12))
        operators, stages = random_case(rng, n, int(rng.integers(1, 7)))
        tables = np.array([every_set(operators, stage) for stage in stages])
        room = np.array([stage.room_bytes for stage in stages])[:, None]
        fits = (tables[:, 1] <= room).all(axis=0)
        uniform = tables[:, 0].max(axis=0)[fits].min(initial=np.inf)
        found = balanced(stages, Options.of(operators), line(n))
        alone = balanced(stages, Options.of(operators), line(n), np.arange(n))
        seconds = [np.inf if isinstance(r, Overflow) else r.slowest_s for r in (found, alone)]
        assert seconds[0] <= seconds[1] <= uniform
        gained += seconds[0] < uniform
    assert gained > 100


def test_without_a_choice_of_its_own_every_stage_runs_the_same_again():
    """On random cases: the best one set of operators, each stage for itself or all together."""
    rng, tried = np.random.default_rng(3), 0
    for _ in range(200):
        n = int(rng.integers(2, 8))
        operators, stages = random_case(rng, n, int(rng.integers(1, 5)))
        tables = np.array([every_set(operators, stage) for stage in stages])
        over = tables[:, 1] - np.array([[stage.room_bytes] for stage in stages])
        slowest = tables[:, 0].max(axis=0)
        for pools, fits in ((np.arange(n), over.max(axis=0) <= 0), (None, over.sum(axis=0) <= 0)):
            options = Options.of(operators)
            found = balanced(stages, options, line(n), pools, uniform=True)
            assert isinstance(found, Overflow) == (not fits.any())
            if fits.any():
                assert found.slowest_s == pytest.approx(slowest[fits].min())
                assert len(set(found.option.tolist())) == 1
                tried += 1
    assert tried > 100


def test_pools_keep_to_themselves():
    """Stages of two wafers: nobody keeps anything for the other wafer."""
    rng, parked = np.random.default_rng(4), 0.0
    for _ in range(100):
        n = 2 * int(rng.integers(2, 5))
        operators, stages = random_case(rng, n, 3)
        pools = np.arange(n) // (n // 2)
        found = balanced(stages, Options.of(operators), line(n), pools)
        if not isinstance(found, Overflow):
            across = pools[:, None] != pools
            assert found.parked_bytes[across].sum() == 0
            parked += found.parked_bytes.sum()
            together = balanced(stages, Options.of(operators), line(n))
            assert together.slowest_s <= found.slowest_s
    assert parked > 0


def test_what_is_held_fits_and_what_is_sent_is_kept():
    rng = np.random.default_rng(1)
    for _ in range(100):
        n = int(rng.integers(2, 9))
        operators, stages = random_case(rng, n, 4)
        options = Options.of(operators)
        found = balanced(stages, options, line(n))
        if isinstance(found, Overflow):
            continue
        seconds, held = (
            table[np.arange(n), found.option] for table in stage_tables(stages, options)
        )
        sent, kept = found.parked_bytes.sum(axis=1), found.parked_bytes.sum(axis=0)
        room = np.array([stage.room_bytes for stage in stages])
        assert (held - sent + kept <= room * (1 + 1e-9) + 1e-6).all()
        assert not (np.minimum(sent, kept) > 1e-6).any()
        assert seconds.max() <= found.slowest_s + 1e-9


def cheapest(sent, spare, hops):
    """Return the least bytes times hops of all ways to park whole bytes."""

    @cache
    def rest(sender, left, room):
        if sender == len(sent):
            return 0.0
        if left == 0:
            ahead = sent[sender + 1] if sender + 1 < len(sent) else 0
            return rest(sender + 1, ahead, room)
        ways = [
            hops[sender][h] + rest(sender, left - 1, (*room[:h], room[h] - 1, *room[h + 1 :]))
            for h in range(len(room))
            if room[h]
        ]
        return min(ways, default=np.inf)

    return rest(0, sent[0], tuple(spare))


def test_parking_takes_the_fewest_bytes_times_hops():
    rng = np.random.default_rng(2)
    for _ in range(150):
        n = int(rng.integers(2, 5))
        sends = rng.random(n) < 0.5
        sent, spare = rng.integers(0, 4, n) * sends, rng.integers(0, 5, n) * ~sends
        if sent.sum() > spare.sum():
            continue
        place = rng.integers(0, 5, (n, 2))
        hops = np.abs(place[:, None] - place).sum(axis=-1).astype(float)
        found = park(sent.astype(float), spare.astype(float), hops)
        assert found.sum(axis=1) == pytest.approx(sent)
        assert (found.sum(axis=0) <= spare + 1e-9).all()
        expected = cheapest(tuple(sent.tolist()), spare.tolist(), hops.tolist())
        assert float((found * hops).sum()) == pytest.approx(expected)


def test_without_room_parking_is_refused():
    with pytest.raises(ValueError, match="have no room"):
        park(np.array([2.0, 0.0]), np.array([0.0, 1.0]), line(2))


@pytest.fixture(scope="module")
def gpt3():
    training = Training(model="gpt3_175b")
    return simulate(load_hardware("watos_config3"), training.load(), training, {})


def all_plans(it):
    return candidates(it.hardware, it.machine, it.model, it.training, {})


def test_operators_add_up_to_the_policies_of_plans(gpt3):
    """Running again all that `non-gemm` does costs and saves what that policy does."""
    it = gpt3
    kept, again = (
        evaluate(it.machine, it.model, it.training, plans_of(1, tp_cols=8, pp=7, recompute=policy))
        for policy in (Recompute.NONE, Recompute.NON_GEMM)
    )
    operators = operators_of(it.machine, it.model, it.training, kept.plans)
    cheap = [op for op in operators if op.name not in {"qkv", "attention", "mlp_up"}]
    added = again.layer.work.time_s - kept.layer.work.time_s
    saved = kept.layer.saved_bytes - again.layer.saved_bytes
    assert sum(op.again_s for op in cheap) == pytest.approx(float(added[0]), rel=1e-9)
    assert sum(op.dropped_bytes for op in cheap) == pytest.approx(float(saved[0]), rel=1e-12)


def test_stages_hold_what_plans_do(gpt3):
    it = gpt3
    plans = plans_of(1, tp_cols=4, pp=14)
    run = evaluate(it.machine, it.model, it.training, plans)
    every = every_stage(it.model, 14)
    stages = stages_of(it.machine, it.model, it.training, plans, run, every)
    _, held = stage_tables(stages, Options.of([Operator("none", 1.0, 1.0)]))
    params = stage_params(it.model, every, plans.tp, run.layer)
    whole = memory_bytes(it.training, plans, run.layer, run.n_microbatches, every, params)
    room = np.array([stage.room_bytes for stage in stages])
    assert held[:, 0] + it.machine.memory_bytes - room == pytest.approx(whole, rel=1e-12)


def test_a_wafer_whose_stages_share_memory_is_faster(gpt3):
    """GPT-3 175B on configuration 3: 14 stages of TP 4, which no policy for all makes fit."""
    found = balance(gpt3, all_plans(gpt3))
    best = found.best
    assert best is not None
    assert best.iteration_s < found.uniform_s
    assert (int(best.plans.tp[0]), int(best.plans.pp[0])) == (4, 14)
    scheduled = best.scheduled
    assert scheduled.balance.parked_bytes.sum() > 0
    room = np.array([stage.room_bytes for stage in scheduled.stages])
    assert (scheduled.memory_bytes <= room * (1 + 1e-9)).all()
    assert best.remote_s < scheduled.balance.slowest_s


def test_a_stage_that_runs_much_again_gives_a_layer_away():
    """DeepSeek-V3 on four wafers, 61 layers on 12 stages: five or six each is not the best."""
    training = Training(model="deepseek_v3", precision="fp16")
    model, wafer = training.load(), load_hardware("watos_config3")
    setting = Setting(wafer, Placed(wafer, None, 4), model, training)
    plans = plans_of(1, tp_rows=2, pp=12, dp=8, ep=8, sp=1, zero=1)
    pipeline = Pipeline.of(setting, plans)
    start = pipeline.scheduled()
    found = refined(pipeline, start)
    assert found.balance.slowest_s <= start.balance.slowest_s
    assert found.layers.sum() == start.layers.sum() == model.n_layers
    assert sorted(found.balance.time_s)[::-1] <= sorted(start.balance.time_s)[::-1]


@pytest.mark.parametrize(("model", "stacks"), [("gpt3_175b", 4), ("llama3_70b", 2)])
def test_plans_that_are_left_out_have_no_memory_for_their_stages(model, stacks):
    """Of random plans on random dies: none that can be balanced is thought too large for all."""
    wafer = load_hardware("watos_config3", [f"dram.stacks_per_die={stacks}"])
    training = Training(model=model, global_batch=64)
    setting = Setting(wafer, Dies(wafer), training.load(), training)
    plans = legal_plans(setting.model, wafer.grid, 64)
    plain = plans.take(plans.recompute == Recompute.NONE)
    need = least_bytes(setting, plain)
    near = np.flatnonzero(
        (need > 0.8 * wafer.memory_capacity_bytes) & (need < 1.3 * wafer.memory_capacity_bytes)
    )
    rows = np.random.default_rng(0).permutation(near)[:120]
    fits = [
        Pipeline.of(setting, plain.take(rows[[i]])).scheduled() is not None
        for i in range(len(rows))
    ]
    assert sum(fits) > 10
    assert not any(
        need[row] > wafer.memory_capacity_bytes for row, fit in zip(rows, fits, strict=True) if fit
    )


@pytest.mark.parametrize("part", list(Part))
def test_leaving_a_part_out_is_never_faster(gpt3, part):
    plans = all_plans(gpt3)
    whole = balance(gpt3, plans)
    less = balance(gpt3, plans, frozenset({part}))
    seconds = [
        found.uniform_s if found.best is None else found.best.iteration_s for found in (whole, less)
    ]
    assert seconds[0] <= seconds[1] * (1 + 1e-12)


def test_parts_are_named(run):
    code, _, err = run(watos, "simulate", "--without", "placement")
    assert code == 2
    assert err.startswith("--without  leaves out a part of --balance")
    code, _, err = run(watos, "simulate", "--balance", "--without", "placemnt")
    assert code == 2
    assert "did you mean placement" in err


def test_the_command_prints_both(run):
    code, out, _ = run(watos, "simulate", "--model", "gpt3_175b", "--balance", "--json")
    report = json.loads(out)
    assert code == 0
    found = report["balance"]
    assert found["iteration_s"] < found["uniform_iteration_s"]
    assert len(found["stages"]) == found["plan"]["pp"] == 14
    sent = sum(stage["sent_bytes"] for stage in found["stages"])
    assert sum(pair["bytes"] for pair in found["parked"]) == pytest.approx(sent)
    code, out, _ = run(watos, "simulate", "--model", "gpt3_175b", "--balance")
    assert code == 0
    assert "balanced over the stages" in out
    eight = ("dgx_a100", "--model", "llama2_7b", "--devices", "8", "--global-batch", "64")
    code, out, err = run(watos, "simulate", *eight, "--balance")
    assert (code, out) == (2, "")
    assert err.startswith("--balance  is of a wafer")


def test_where_nothing_is_faster_it_says_so(run):
    code, out, _ = run(watos, "simulate", "--balance")
    assert code == 0
    assert "none of 0 promising plans is faster" in " ".join(out.split())


FOUR_WAFERS = ("--model", "deepseek_v3", "--precision", "fp16", "--devices", "224", "--ep", "4")


def test_stages_that_keep_for_each_other_fit_where_no_policy_does(run):
    code, _, err = run(watos, "simulate", *FOUR_WAFERS)
    assert code == 4
    assert err.startswith("does not fit: memory of the fullest die needs ")
    code, out, err = run(watos, "simulate", *FOUR_WAFERS, "--balance", "--json")
    assert code == 0
    assert err.startswith("note: no plan fits with one policy for all stages")
    report = json.loads(out)
    found, capacity = report["balance"], report["metrics"]["memory_capacity_bytes"]
    assert (report["plans"]["feasible"], found["uniform_iteration_s"]) == (0, None)
    assert all(stage["activation_bytes"] <= stage["room_bytes"] for stage in found["stages"])
    assert report["metrics"]["memory_per_die_bytes"] > capacity / 56
    assert found["iteration_s"] < report["metrics"]["iteration_s"]


def test_what_is_of_one_policy_needs_one_that_fits(run):
    code, out, err = run(watos, "simulate", *FOUR_WAFERS, "--balance", "--fidelity", "event")
    assert (code, out) == (2, "")
    assert "--fidelity event  is of one policy for all stages" in err


def test_what_no_balance_makes_fit_is_said(run):
    code, out, err = run(watos, "simulate", *FOUR_WAFERS[:-4], "--balance")
    assert (code, out) == (4, "")
    assert err.startswith("does not fit: memory of the fullest die needs ")
    code, out, err = run(watos, "simulate", "--balance", "--set", "dram.stacks_per_die=20")
    assert (code, out) == (4, "")
    assert err.startswith("does not fit: ")
