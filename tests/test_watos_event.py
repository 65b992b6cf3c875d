"""Iterations played out task by task: closed forms by hand, memory from orders, and the model."""

import json
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from star_watos.report.trace import write_trace
from star_watos.validate.schedules import Setting, gaps, playable
from star_watos.watos import (
    Schedule,
    Training,
    document,
    evaluate,
    load_hardware,
    machine_of,
    plans_of,
    simulate,
)
from star_watos.watos.event import (
    Graph,
    Kind,
    Piece,
    PlanWork,
    Resource,
    StageWork,
    Task,
    order_of,
    play,
    play_iteration,
    play_work,
    played,
    trace_events,
)
from star_watos.watos.memory import in_flight
from star_watos.watos.stages import every_stage

F, B, W, X = 1.0, 2.0, 0.75, 0.0625
"""Seconds of a stage's passes, W of B for gradients of weights, and of a send; exact in binary."""
POINTS = given(p=st.integers(1, 9), m=st.integers(1, 30))


def equal_stages(schedule, p, m, v=1, weights_s=0.0, **more):
    chunk = (Piece("chunk", F / v, (B - weights_s) / v, weights_s / v),)
    return PlanWork(schedule, m, (StageWork((chunk,) * v),) * p, **more)


def seconds(*args, **kwargs):
    return play_work(equal_stages(*args, **kwargs)).makespan_s


@POINTS
def test_one_forward_one_backward_waits_for_the_other_stages_once(p, m):
    """(m + p - 1) (f + b): the last stage begins p - 1 forwards late, is never idle, and p - 1
    backwards follow its last."""
    assert seconds(Schedule.ONE_F_ONE_B, p, m) == (m + p - 1) * (F + B)


@POINTS
def test_gpipe_waits_as_long(p, m):
    """(m + p - 1) f until the last stage's last forward, and as many backwards from there."""
    assert seconds(Schedule.GPIPE, p, m) == (m + p - 1) * (F + B)


@given(p=st.integers(2, 8), groups=st.integers(1, 4), v=st.sampled_from([2, 4, 8]))
def test_chunks_divide_the_bubble(p, groups, v):
    """m (f + b) + (p - 1) (f + b) / v: the last stage begins p - 1 forwards of a chunk late."""
    m = groups * p
    assert seconds(Schedule.INTERLEAVED, p, m, v) == (m + (p - 1) / v) * (F + B)


@POINTS
def test_gradients_of_weights_fill_the_bubble(p, m):
    """m (f + b) + (p - 1) (F + B - W), B without W, where m >= p.

    The last stage begins p - 1 forwards late and puts off p - 1 gradients of weights, so that its
    last B is at (p - 1) F + m (F + B + W) - p W; p - 1 B and the first stage's last W follow. Of
    fewer microbatches than stages it can put off m - 1 only: (p - 1) (F + B) - (m - 1) W.
    """
    bubble = (p - 1) * (F + B - W) - (min(m, p) - 1) * W
    assert seconds(Schedule.ZERO_BUBBLE, p, m, weights_s=W) == m * (F + B) + bubble


@pytest.mark.parametrize("w", [1.5, 2.0, 4.0])
@pytest.mark.parametrize("b", [0.5, 1.0, 3.0])
def test_long_gradients_of_weights_fill_no_more_than_there_is(w, b):
    """The bubble shrinks by min(W, F, B) a stage: p = 4, m = 8, F = 1: 3 (1 + B) - 3 min(1, B)."""
    stage = StageWork(((Piece("chunk", F, b, w),),))
    played = play_work(PlanWork(Schedule.ZERO_BUBBLE, 8, (stage,) * 4))
    assert played.makespan_s == 8 * (F + b + w) + 3 * (F + b) - 3 * min(F, b, w)


@POINTS
def test_overlapped_sends_delay_1f1b_all_the_same(p, m):
    """A stage has p - s microbatches at most on their way, and p go there and back in
    p (f + b) + 2 (p - 1) x: only one of p waits less. Fill and drain: 2 (p - 1) x."""
    sends = 2 * (p - 1) + 2 * (m - 1 - -(-(m - 1) // p))
    together = seconds(Schedule.ONE_F_ONE_B, p, m, send_s=X)
    assert together == (m + p - 1) * (F + B) + (p > 1) * sends * X


@POINTS
def test_overlapped_sends_delay_gpipe_at_its_ends_only(p, m):
    """Results follow each other; the first goes through p - 1 sends forward, the last back."""
    assert seconds(Schedule.GPIPE, p, m, send_s=X) == (m + p - 1) * (F + B) + 2 * (p - 1) * X


@POINTS
def test_put_off_gradients_of_weights_hide_sends(p, m):
    """As under 1F1B for the first p + 1 microbatches; later ones find gradients to do: 2 x < W."""
    late = min(m - 1, p)
    sends = 2 * (p - 1) + 2 * (late - -(-late // p))
    without = seconds(Schedule.ZERO_BUBBLE, p, m, weights_s=W)
    together = seconds(Schedule.ZERO_BUBBLE, p, m, weights_s=W, send_s=X)
    assert together == without + (p > 1) * sends * X


@given(p=st.integers(2, 8), groups=st.integers(1, 3), v=st.sampled_from([2, 4, 8]))
def test_chunks_send_more_often(p, groups, v):
    """The first microbatch passes p v chunks there and back: 2 (p v - 1) x, while x <= f / v."""
    without = seconds(Schedule.INTERLEAVED, p, groups * p, v)
    together = seconds(Schedule.INTERLEAVED, p, groups * p, v, send_s=X)
    assert together == without + 2 * (p * v - 1) * X


@given(p=st.integers(3, 9), m=st.integers(2, 30))
def test_a_stage_waits_for_its_own_sends_without_overlap(p, m):
    """A stage between others takes f + b + 2 x; the first and the last x less, so one is saved."""
    sends = 2 * (p - 1) + 2 * (m - 1) - 1
    alone = seconds(Schedule.ONE_F_ONE_B, p, m, send_s=X, overlap=False)
    assert alone == (m + p - 1) * (F + B) + sends * X


@given(m=st.integers(1, 30))
def test_two_stages_have_one_send_each(m):
    """The first sends forward only, the last backward only: x a microbatch, and one to drain."""
    alone = seconds(Schedule.ONE_F_ONE_B, 2, m, send_s=X, overlap=False)
    assert alone == (m + 1) * (F + B) + (m + 1) * X


@settings(max_examples=200)
@given(seed=st.integers(0, 2**32 - 1), p=st.integers(2, 10), m=st.integers(10, 40))
def test_uneven_stages_are_bounded_from_above(seed, p, m):
    """m max(t) + sum(t) - max(t) is never too fast; with a third of difference 10 % slow at most.

    A slow stage in the middle hides part of what the ends wait for.
    """
    forward = 1 + np.random.default_rng(seed).random(p) / 3
    stages = tuple(StageWork(((Piece("chunk", f, 2 * f),),)) for f in forward)
    played = play_work(PlanWork(Schedule.ONE_F_ONE_B, m, stages)).makespan_s
    closed = 3 * (m * forward.max() + forward.sum() - forward.max())
    assert played * (1 - 1e-12) <= closed <= 1.1 * played


def replicas(zero, n=4, **more):
    """One stage, `n` layers that pass in 1 and 2 s, whose weights take 3/4 s and gradients 5/4."""
    layers = tuple(Piece(f"layer {i}", F, B, 0.0, 0.75, 1.25) for i in range(n))
    stage = StageWork((layers,), gather_s=n * 0.75, reduce_s=n * 1.25, optimizer_s=0.5)
    return play_work(
        PlanWork(Schedule.ONE_F_ONE_B, 3, (stage,), zero=zero, replicas=True, **more)
    ).makespan_s


def test_gradients_and_weights_are_exposed_by_the_layer():
    """Four layers, three microbatches: 36 s of passes, 1/2 s of optimizer.

    ZeRO-0 and 1: the last layer's 5/4 s; ZeRO-1 and 2 also the first layer's 3/4 s, ZeRO-2 the
    5/4 s three times. ZeRO-3: 3/4 s before each of six passes, 5/4 s after each of three.
    """
    work = 36 + 0.5
    assert replicas(0) == work + 1.25
    assert replicas(1) == work + 1.25 + 0.75
    assert replicas(2) == work + 3 * 1.25 + 0.75
    assert replicas(3) == work + 3 * 1.25 + 6 * 0.75


def test_without_overlap_all_of_it_is_exposed():
    """Gradients 5 s and weights 3 s: once; ZeRO-2: gradients thrice; 3: weights 6 times."""
    work = 36 + 0.5
    assert replicas(0, overlap=False) == work + 5
    assert replicas(1, overlap=False) == work + 5 + 3
    assert replicas(2, overlap=False) == work + 3 * 5 + 3
    assert replicas(3, overlap=False) == work + 3 * 5 + 6 * 3


def test_weights_that_are_not_gathered_ahead_are_waited_for():
    """Backward four times 3/4 s instead of once, in each of three passes."""
    assert replicas(3, gathers_ahead=False) == replicas(3) + 3 * 3 * 0.75


def cases():
    """Yield schedule, stages, microbatches and chunks."""
    for schedule in Schedule:
        for p in (1, 2, 3, 4, 8):
            for m in (1, 2, 3, 4, 8, 9, 24):
                if schedule is not Schedule.INTERLEAVED:
                    yield schedule, p, m, 1
                elif p > 1 and m % p == 0:
                    yield from ((schedule, p, m, v) for v in (2, 3, 8))


CASES = list(cases())


@pytest.mark.parametrize(("schedule", "p", "m", "v"), CASES)
def test_every_pass_is_in_every_stages_order_once(schedule, p, m, v):
    kinds = [Kind.FORWARD, Kind.BACKWARD] + [Kind.WEIGHTS] * (schedule is Schedule.ZERO_BUBBLE)
    every = {(kind, c, i) for kind in kinds for c in range(v) for i in range(m)}
    for stage in range(p):
        order = order_of(schedule, stage, p, m, v)
        assert len(order) == len(every)
        assert set(order) == every
        place = {one: n for n, one in enumerate(order)}
        for c in range(v):
            for i in range(m):
                passes = [place[kind, c, i] for kind in kinds]
                assert passes == sorted(passes)


def most_at_once(order, until):
    """Return the most passes that have gone forward but not yet through `until`."""
    steps = [(kind is Kind.FORWARD) - (kind is until) for kind, _, _ in order]
    return max(np.cumsum(steps))


@pytest.mark.parametrize(("schedule", "p", "m", "v"), CASES)
def test_the_memory_model_holds_what_orders_hold(schedule, p, m, v):
    """Counted from orders, in chunks: as many as the closed form says, not one less.

    ZB-H1 keeps of further microbatches what gradients of weights need: p in all, on every stage.
    """
    plans = plans_of(p, pp=p, schedule=int(schedule), virtual_stages=v)

    class Layers:
        n_layers = 24 * p * v
        n_bottom_layers = 0

    said = in_flight(plans, np.full(p, m), every_stage(Layers, p))
    orders = [order_of(schedule, stage, p, m, v) for stage in range(p)]
    assert said * v == pytest.approx([most_at_once(order, Kind.BACKWARD) for order in orders])
    if schedule is Schedule.ZERO_BUBBLE:
        assert max(most_at_once(order, Kind.WEIGHTS) for order in orders) <= min(m, p)


def test_tasks_that_wait_for_each_other_are_an_error():
    graph = Graph()
    first = graph.add(Task("a", Kind.FORWARD, 0, 0, 0, 1.0, Resource.COMPUTE))
    second = graph.add(Task("b", Kind.SEND, 0, 0, 0, 1.0, Resource.NEXT), [first])
    graph.arrives(second, (Kind.FORWARD, 0, 0, 0))
    graph.awaits(first, (Kind.FORWARD, 0, 0, 0))
    with pytest.raises(RuntimeError, match=r"2 tasks wait for each other, first: .*name='a'"):
        play(graph)


def one_plan(**wanted):
    training = Training(model="llama3_70b", seq_len=2048, global_batch=32)
    setting = Setting("dgx_a100", training, Schedule(wanted.get("schedule", 0)))
    machine, model, plans = playable(setting)
    rows = np.all([getattr(plans, name) == value for name, value in wanted.items()], axis=0)
    plan = plans.take(np.flatnonzero(rows)[:1])
    result = evaluate(machine, model, training, plan)
    return play_iteration(machine, model, training, plan, result), result


def test_one_stage_has_no_bubble():
    """Of one stage without replicas the events and the formulas are the same sum."""
    training = Training(model="llama2_7b", seq_len=2048, global_batch=4)
    machine = machine_of(load_hardware("dgx_a100"), training, 8)
    plan = plans_of(1, tp_cols=8)
    result = evaluate(machine, training.load(), training, plan)
    played = play_iteration(machine, training.load(), training, plan, result)
    assert played.makespan_s == pytest.approx(played.busy_s(0))
    assert played.makespan_s == pytest.approx(float(result.iteration_s[0]))


@pytest.mark.parametrize("schedule", Schedule)
def test_a_resource_takes_one_task_at_a_time_and_nothing_is_lost(schedule):
    played, result = one_plan(schedule=schedule, zero=3, dp=4, pp=4)
    spans = {}
    for task, start, end in zip(played.tasks, played.start_s, played.end_s, strict=True):
        spans.setdefault((task.stage, task.resource), []).append((start, end))
        assert end == start + task.seconds
    for own in spans.values():
        assert all(a[1] <= b[0] for a, b in pairwise(sorted(own)))
    kinds = played.seconds_by_kind(played.slowest)
    work = (Kind.FORWARD, Kind.BACKWARD, Kind.WEIGHTS)
    terms = ("compute", "recompute", "tp_comm")
    assert sum(kinds[kind] for kind in work) == pytest.approx(
        sum(float(result.time_s[term][0]) for term in terms)
    )
    assert played.makespan_s >= played.busy_s(played.slowest)


def test_a_simulation_by_events_adds_up():
    training = Training(model="llama3_8b", seq_len=4096, global_batch=64)
    chosen = simulate(load_hardware("dgx_a100"), training.load(), training, {"pp": 4}, devices=16)
    timed, events = played(chosen)
    report = document(timed)
    assert report["metrics"]["iteration_s"] == pytest.approx(events.makespan_s)
    assert sum(report["time_s"].values()) == pytest.approx(events.makespan_s)
    assert report["event"]["iteration_s"] == events.makespan_s
    assert report["metrics"]["power_w"] == pytest.approx(16 * 400)


def test_a_trace_has_a_track_for_all_that_takes_one_task_at_a_time(tmp_path):
    played, _ = one_plan(zero=1, dp=4, pp=2)
    write_trace(tmp_path / "trace.json", trace_events(played))
    document = json.loads((tmp_path / "trace.json").read_text())
    names = {e["tid"]: e["args"]["name"] for e in document["traceEvents"] if e["ph"] == "M"}
    assert list(names.values()) == [
        "stage 0",
        "stage 1",
        "stage 0 to the next stage",
        "stage 0 between replicas",
        "stage 1 to the previous stage",
        "stage 1 between replicas",
    ]
    for tid in names:
        own = [e for e in document["traceEvents"] if e["tid"] == tid and e["ph"] == "X"]
        assert own
        assert all(a["ts"] + a["dur"] <= b["ts"] + 2e-6 for a, b in pairwise(own))
    last = max(e["ts"] + e["dur"] for e in document["traceEvents"] if e["ph"] == "X")
    assert last == pytest.approx(1e6 * document["otherData"]["iteration_s"])


GAPS = {}
"""By schedule, so that the plans are played once."""


def gaps_of(schedule):
    if schedule not in GAPS:
        GAPS[schedule] = gaps(schedule)
    return GAPS[schedule]


def said(name, gap):
    size = np.abs(gap)
    figures = f"{np.median(size):.2f} %, {np.percentile(size, 95):.2f} %"
    return f"{name}: {gap.size} plans, {figures}, worst {gap[size.argmax()]:+.1f} %"


@pytest.mark.parametrize("schedule", Schedule, ids=lambda schedule: schedule.label)
def test_formulas_and_events_agree_in_the_middle(schedule):
    print(f"\n{said(schedule.label, gaps_of(schedule))}")  # noqa: T201 (with -s)
    assert np.median(np.abs(gaps_of(schedule))) < 1


def test_formulas_and_events_agree():
    """1,000 legal plans, ZeRO 0 to 3, overlapping or not: 95 of 100 within 5 %."""
    every = np.concatenate([gaps_of(schedule) for schedule in Schedule])
    print(f"\n{said('all', every)}")  # noqa: T201 (with -s)
    assert every.size >= 1000
    assert np.median(np.abs(every)) < 1
    assert np.percentile(np.abs(every), 95) < 5
