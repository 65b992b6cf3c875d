"""The closed form of 1F1B against a schedule that is played out task by task."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from star_watos.spec import load
from star_watos.watos import Mesh, Training, Wafer, evaluate, legal_plans
from star_watos.watos.stages import every_stage

WAFER = load(Wafer, "watos_config3", "configs/wafers")


def order_of(stage, n_stages, n_microbatches):
    """Return the tasks of one stage in 1F1B order: fill up, one forward one backward, drain."""
    ahead = min(n_stages - stage - 1, n_microbatches)
    tasks = [("F", i) for i in range(ahead)]
    for i in range(n_microbatches - ahead):
        tasks += [("F", ahead + i), ("B", i)]
    return tasks + [("B", i) for i in range(n_microbatches - ahead, n_microbatches)]


def played_out_s(forward_s, backward_s, n_microbatches):
    """Return when the last task ends: each waits for its stage, and for its neighbour's result."""
    n = len(forward_s)
    queues = [order_of(s, n, n_microbatches) for s in range(n)]
    free, done = [0.0] * n, {}
    while any(queues):
        for s, queue in enumerate(queues):
            while queue:
                kind, i = queue[0]
                before = ("F", s - 1, i) if kind == "F" else ("B", s + 1, i)
                first = s == 0 if kind == "F" else s == n - 1
                if not first and before not in done:
                    break
                start = max(free[s], 0.0 if first else done[before])
                free[s] = start + (forward_s[s] if kind == "F" else backward_s[s])
                done[kind, s, i] = free[s]
                queue.pop(0)
    return max(free)


def closed_s(forward_s, backward_s, n_microbatches):
    times = np.add(forward_s, backward_s)
    return n_microbatches * times.max() + times.sum() - times.max()


@given(n_stages=st.integers(1, 12), n_microbatches=st.integers(1, 24))
def test_equal_stages_agree_exactly(n_stages, n_microbatches):
    """(m + p - 1) (f + b) where m >= p; fewer microbatches than stages take the same time."""
    forward, backward = [1.0] * n_stages, [2.0] * n_stages
    expected = closed_s(forward, backward, n_microbatches)
    assert played_out_s(forward, backward, n_microbatches) == pytest.approx(expected)


@settings(max_examples=200)
@given(
    seed=st.integers(0, 2**32 - 1),
    n_stages=st.integers(2, 10),
    n_microbatches=st.integers(10, 40),
)
def test_uneven_stages_are_bounded_from_above(seed, n_stages, n_microbatches):
    """Stages that differ by up to a third: the closed form is never too fast, at most 10 % slow."""
    forward = 1 + np.random.default_rng(seed).random(n_stages) / 3
    backward = 2 * forward
    played = played_out_s(forward, backward, n_microbatches)
    closed = closed_s(forward, backward, n_microbatches)
    assert played * (1 - 1e-12) <= closed <= 1.1 * played


@pytest.mark.parametrize(("model", "batch"), [("llama2_7b", 64), ("llama3_70b", 32)])
def test_real_plans_are_what_their_schedule_takes(model, batch):
    """The model's compute, recompute, TP and bubble, against tasks with the same stage times."""
    training = Training(model=model, seq_len=4096, global_batch=batch)
    llama = training.load()
    plans = legal_plans(llama, WAFER.grid, batch)
    rows = np.random.default_rng(0).permutation(np.flatnonzero(plans.pp > 1))[:150]
    result = evaluate(Mesh(WAFER), llama, training, plans.take(rows))
    errors = []
    for row in range(len(rows)):
        pp, layer = int(result.plans.pp[row]), result.layer
        stage = every_stage(llama, pp)
        ends = layer.embedding.time_s[row] * stage.has_embedding
        ends = ends + layer.head.time_s[row] * stage.has_head
        split = result.plans.tp[row] > 1
        ends = ends + layer.embedding_comm.time_s[row] * split * stage.has_embedding
        forward = stage.layers * (layer.forward.time_s[row] + layer.comm.time_s[row] / 2) + ends / 3
        again = layer.recompute.time_s if np.ndim(layer.recompute.time_s) else [0.0] * len(rows)
        backward = layer.backward.time_s[row] + again[row] + layer.comm.time_s[row] / 2
        backward = stage.layers * backward + 2 * ends / 3
        played = played_out_s(forward, backward, int(result.n_microbatches[row]))
        terms = ("compute", "recompute", "tp_comm", "bubble")
        errors.append(sum(result.time_s[t][row] for t in terms) / played - 1)
    assert np.median(np.abs(errors)) < 0.01
    assert np.percentile(np.abs(errors), 95) < 0.05
