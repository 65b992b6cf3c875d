"""The event player: order, flows that share links while others begin and end, latency."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from star_watos.fabric import Mesh
from star_watos.fabric.event import Tasks, play
from star_watos.fabric.flows import busiest_s, finish_s

LINE = Mesh(1, 4, link_bytes_per_s=10.0, latency_s=0.5)


def flow(tasks, mesh, source, target, n_bytes, after=()):
    """Add one flow and return its number."""
    route = mesh.routes(np.array([source]), np.array([target]))
    return tasks.flows(mesh, route, np.array([n_bytes]), after)[0]


def random_tasks(rng, mesh, count):
    """Return work and flows, each after up to three of those before it."""
    tasks = Tasks()
    for i in range(count):
        after = tuple(rng.choice(i, min(i, int(rng.integers(0, 4))), replace=False).tolist())
        if rng.random() < 0.5:
            tasks.work(float(rng.integers(0, 5)), after)
        else:
            source, target = rng.choice(mesh.n_nodes, 2).tolist()
            flow(tasks, mesh, source, target, float(rng.integers(0, 50)), after)
    return tasks


def test_nothing_takes_no_time():
    assert play(LINE, Tasks()).total_s == 0.0


def test_work_then_a_flow_then_work():
    """3 s of work, 50 B at 10 B/s over a hop of 0.5 s, 1 s of work: 3 + 5.5 + 1."""
    tasks = Tasks()
    sent = flow(tasks, LINE, 0, 1, 50.0, after=[tasks.work(3.0)])
    tasks.work(1.0, [sent])
    done = play(LINE, tasks)
    assert done.begin_s.tolist() == [0.0, 3.0, 8.5]
    assert done.end_s.tolist() == [3.0, 8.5, 9.5]


def test_work_beside_a_flow_hides_it():
    """10 s of work and a flow of 5.5 s begin together; what waits for both begins at 10 s."""
    tasks = Tasks()
    both = [tasks.work(10.0), flow(tasks, LINE, 0, 1, 50.0)]
    tasks.work(1.0, both)
    done = play(LINE, tasks)
    assert done.end_s.tolist() == [10.0, 5.5, 11.0]
    assert done.begin_s[2] == 10.0


def test_latency_is_once_of_the_route_and_holds_no_link():
    """50 B over three hops: 5 s of bytes, then 1.5 s; the next 50 B have the link from 5 s on.

    They wait for the work of 5 s, not for the first flow to arrive: 5 + 5 + 0.5.
    """
    tasks = Tasks()
    first = flow(tasks, LINE, 0, 3, 50.0)
    second = flow(tasks, LINE, 0, 1, 50.0, after=[tasks.work(5.0)])
    done = play(LINE, tasks)
    assert done.end_s[[first, second]].tolist() == [6.5, 10.5]


def test_links_have_latencies_of_their_own():
    """Hops of 1, 2 and 4 s to the east: 0 to 3 takes 7 s after 5 s of bytes."""
    latency = np.zeros(16)
    latency[[0, 4, 8]] = 1.0, 2.0, 4.0
    mesh = Mesh(1, 4, link_bytes_per_s=10.0, latency_s=latency)
    tasks = Tasks()
    flow(tasks, mesh, 0, 3, 50.0)
    flow(tasks, mesh, 3, 0, 50.0)
    assert play(mesh, tasks).end_s.tolist() == [12.0, 5.0]


def test_a_flow_that_begins_later_shares_what_is_left():
    """100 B alone for 4 s, then 5 B/s beside 20 B for 4 s, then 40 B alone: 4 + 4 + 4 s.

    Both have 0.5 s to go after their last byte.
    """
    tasks = Tasks()
    long = flow(tasks, LINE, 0, 1, 100.0)
    short = flow(tasks, LINE, 0, 1, 20.0, after=[tasks.work(4.0)])
    assert play(LINE, tasks).end_s[[long, short]].tolist() == [12.5, 8.5]


def test_flows_on_different_links_or_directions_do_not_meet():
    tasks = Tasks()
    for source, target in ((0, 1), (1, 0), (1, 2), (2, 3)):
        flow(tasks, LINE, source, target, 50.0)
    assert play(LINE, tasks).end_s.tolist() == [5.5] * 4


def test_no_bytes_take_the_latency_and_a_node_reaches_itself_at_once():
    tasks = Tasks()
    flow(tasks, LINE, 0, 2, 0.0)
    flow(tasks, LINE, 1, 1, 50.0)
    assert play(LINE, tasks).end_s.tolist() == [1.0, 0.0]


def test_a_point_in_time_joins_many():
    """Two flows on one link, 5 B/s each: the shorter ends at 4 s, the longer at 4 + 2 s."""
    tasks = Tasks()
    sent = [flow(tasks, LINE, 0, 1, n_bytes) for n_bytes in (20.0, 40.0)]
    joined = tasks.work(0.0, sent)
    flow(tasks, LINE, 0, 1, 10.0, after=[joined])
    done = play(LINE, tasks)
    assert done.end_s.tolist() == [4.5, 6.5, 6.5, 8.0]


@given(st.integers(0, 60), st.integers(0, 2**32 - 1))
def test_a_task_begins_when_the_last_before_it_ends(count, seed):
    tasks = random_tasks(np.random.default_rng(seed), LINE, count)
    done = play(LINE, tasks)
    for task, before in enumerate(tasks.after):
        last = max((done.end_s[b] for b in before), default=0.0)
        assert done.begin_s[task] == pytest.approx(last, rel=1e-8)


@given(st.integers(1, 60), st.integers(0, 2**32 - 1))
def test_a_task_takes_its_time_alone_or_more(count, seed):
    """Work takes its seconds; a flow its bytes at full rate and its latency, or more."""
    tasks = random_tasks(np.random.default_rng(seed), LINE, count)
    done = play(LINE, tasks)
    took = done.end_s - done.begin_s
    moved = np.array(
        [b if len(on) else 0.0 for b, on in zip(tasks.n_bytes, tasks.links, strict=True)]
    )
    alone = np.array(tasks.seconds) + moved / 10.0
    assert (took >= alone - 1e-8 * done.total_s).all()
    assert took[moved == 0] == pytest.approx(alone[moved == 0], abs=1e-8 * done.total_s)


@given(st.integers(1, 60), st.integers(0, 2**32 - 1))
def test_links_carry_no_more_than_they_can(count, seed):
    """From the first begin to the last end of the flows on a link, it could carry their bytes."""
    tasks = random_tasks(np.random.default_rng(seed), LINE, count)
    done = play(LINE, tasks)
    for link in range(LINE.n_links):
        on = [t for t, links in enumerate(tasks.links) if link in links and tasks.n_bytes[t] > 0]
        if on:
            open_s = done.end_s[on].max() - done.begin_s[on].min()
            assert sum(tasks.n_bytes[t] for t in on) <= 10.0 * open_s * (1 + 1e-8)


@given(st.integers(1, 30), st.integers(0, 2**32 - 1))
def test_work_alone_is_the_longest_way_through_it(count, seed):
    rng = np.random.default_rng(seed)
    tasks, ends = Tasks(), []
    for i in range(count):
        after = tuple(np.flatnonzero(rng.random(i) < 0.2).tolist())
        seconds = float(rng.integers(0, 9))
        tasks.work(seconds, after)
        ends.append(seconds + max((ends[b] for b in after), default=0.0))
    assert play(LINE, tasks).end_s.tolist() == ends


@given(st.integers(2, 5), st.integers(1, 5), st.integers(1, 30), st.integers(0, 2**32 - 1))
def test_flows_that_begin_together_finish_as_without_events(rows, cols, count, seed):
    rng = np.random.default_rng(seed)
    mesh = Mesh(rows, cols, link_bytes_per_s=rng.integers(1, 9, 4 * rows * cols), latency_s=0.25)
    source, target = rng.choice(mesh.n_nodes, (2, count))
    found, n_bytes = mesh.routes(source, target), rng.integers(0, 99, count).astype(float)
    tasks = Tasks()
    tasks.flows(mesh, found, n_bytes, ())
    done = play(mesh, tasks)
    assert done.end_s == pytest.approx(finish_s(mesh, found, n_bytes), rel=1e-6)
    assert done.total_s >= busiest_s(mesh, found, n_bytes) * (1 - 1e-9)
