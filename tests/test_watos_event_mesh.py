"""Iterations whose transfers share the links of the mesh: by hand, alone, and at random."""

from dataclasses import replace

import numpy as np
import pytest

from star_watos.errors import InputError
from star_watos.fabric import Mesh
from star_watos.fabric.collectives import Kind as Collective
from star_watos.fabric.event import Tasks, play
from star_watos.validate.traffic import cases
from star_watos.watos import (
    Dies,
    Recompute,
    Schedule,
    Training,
    evaluate,
    load_hardware,
    plans_of,
)
from star_watos.watos.event import Kind, Piece, PlanWork, StageWork, play_iteration
from star_watos.watos.event.build import iteration_graph
from star_watos.watos.event.mesh import (
    Collectives,
    Joins,
    Place,
    link_bytes,
    mesh_tasks,
    play_on_mesh,
)
from star_watos.watos.event.tasks import Load
from star_watos.watos.snake import to_next_stage
from star_watos.watos.traffic import Rectangles

F, B = 3.0, 6.0
"""Seconds of a layer's passes without its all-reduces."""
LATENCY = 0.25


def layer(**more):
    return Piece("layer", F, B, **more)


def seconds(stages, dies, sides=(1, 1), joins=None, mesh=None, **more):
    """Return the iteration of one microbatch on a line of dies, of links of 1 B/s."""
    work = PlanWork(Schedule.ONE_F_ONE_B, 1, stages, **more)
    mesh = mesh or Mesh(1, 1 + int(np.max(dies)), latency_s=LATENCY)
    place = Place(mesh, np.array(dies), sides)
    return play(mesh, mesh_tasks(work, iteration_graph(work), place, joins)).total_s


# By hand.


def test_a_layer_joins_its_activations_twice_a_pass():
    """Two dies of 8 B: halves go both ways, are added up and come back: 8 s and two hops."""
    joins = Joins(8.0, per_pass=2, repeated=False, split=False)
    found = seconds((StageWork(((layer(),),)),), [[[0, 1]]], (1, 2), joins)
    assert found == F + B + 4 * (8 + 2 * LATENCY)


def test_what_is_repeated_is_joined_again():
    """Twice forward, four times backward."""
    joins = Joins(8.0, per_pass=2, repeated=True, split=False)
    found = seconds((StageWork(((layer(),),)),), [[[0, 1]]], (1, 2), joins)
    assert found == F + B + 6 * (8 + 2 * LATENCY)


def test_split_activations_are_gathered_before_and_scattered_after():
    """A line of three: S (n - 1) / n over the busiest link each time, four times a pass.

    Whole ones are added up and handed back at once, piece by piece, in less.
    """
    split = Joins(12.0, per_pass=2, repeated=False, split=True)
    line = Mesh(1, 3)
    work, dies = (StageWork(((layer(),),)),), [[[0, 1, 2]]]
    assert seconds(work, dies, (1, 3), split, line) == pytest.approx(F + B + 8 * 8)
    whole = replace(split, split=False)
    assert seconds(work, dies, (1, 3), whole, line) < F + B + 4 * 2 * 8


def test_one_microbatch_is_sent_there_and_back():
    stage = StageWork(((layer(),),))
    found = seconds((stage, stage), [[[0]], [[1]]], send=Load(n_bytes=5.0))
    assert found == 2 * (F + B) + 2 * (5 + LATENCY)


def test_sends_of_replicas_share_the_links_between_them():
    """0 and 1 send to 2 and 3: both over the link in the middle."""
    stage = StageWork(((layer(),),))
    dies = [[[0], [1]], [[2], [3]]]
    found = seconds((stage, stage), dies, send=Load(n_bytes=5.0))
    assert found == 2 * (F + B) + 2 * (2 * 5 + 2 * LATENCY)


def test_a_send_across_a_busy_rectangle_takes_twice_as_long():
    """Over the link between 1 and 2, each gets half of it: so does the all-reduce."""
    line, tasks = Mesh(1, 4), Tasks()
    collectives = Collectives(line)
    steps = collectives.steps(Collective.ALL_REDUCE, np.array([1, 2]), (1, 2), 8.0)
    joined = collectives.add(tasks, steps, [])
    (sent,) = tasks.flows(line, line.routes(np.array([0]), np.array([3])), np.array([8.0]), ())
    played = play(line, tasks)
    assert played.end_s[[joined, sent]].tolist() == [16, 16]


def replicas(dies, zero, sides=(1, 1), **more):
    loads = {Kind.REDUCE: Load(n_bytes=12.0), Kind.GATHER: Load(n_bytes=6.0)}
    stage = StageWork(((layer(loads=loads),),), loads=loads, optimizer_s=1.0)
    return seconds((stage,), dies, sides, zero=zero, replicas=True, **more)


def test_replicas_reduce_what_they_have_and_gather_what_they_split():
    """Two of them. 12 B: half of it each way, ZeRO-0 twice; 6 B of weights the same way once."""
    dies, hop = [[[0], [1]]], LATENCY
    assert replicas(dies, zero=0) == F + B + 12 + 2 * hop + 1
    assert replicas(dies, zero=1) == F + B + 6 + hop + 1 + 3 + hop
    assert replicas(dies, zero=1, overlap=False) == F + B + 6 + hop + 1 + 3 + hop


def test_lines_of_replicas_cross_in_the_middle():
    """Rectangles 0, 1 and 2, 3: 0 with 2 and 1 with 3 share the link from 1 to 2."""
    found = replicas([[[0, 1], [2, 3]]], zero=1, sides=(1, 2))
    assert found == F + B + 12 + 2 * LATENCY + 1 + 6 + 2 * LATENCY


# Without contention it is the other simulation, and so are the formulas.


def machine(*overrides):
    return Dies(load_hardware("watos_config3", overrides))


def run(wafer, training, n_layers=3, **degrees):
    """Return the seconds on the mesh, of the other simulation, and by the formulas."""
    model = replace(training.load(), n_layers=n_layers)
    plans = plans_of(1, **degrees)
    given = wafer, model, training, plans
    result = evaluate(*given)
    other = play_iteration(*given, result).makespan_s
    formulas = float(np.asarray(result.iteration_s).item())
    return play_on_mesh(*given, result).played.total_s, other, formulas


SLOW = "d2d.bandwidth=0.5e12"


@pytest.mark.parametrize("shape", [(1, 2), (2, 2), (1, 4), (2, 4), (4, 4), (4, 2)])
@pytest.mark.parametrize("sp", [0, 1])
@pytest.mark.parametrize("recompute", [Recompute.NONE, Recompute.FULL])
def test_one_rectangle_takes_what_the_formulas_say(shape, sp, recompute):
    rows, cols = shape
    training = Training(model="llama2_7b", seq_len=1024, global_batch=2)
    degrees = {"tp_rows": rows, "tp_cols": cols, "sp": sp, "recompute": recompute}
    mesh, other, formulas = run(machine(SLOW), training, **degrees)
    assert mesh == pytest.approx(other, rel=1e-9)
    assert mesh == pytest.approx(formulas, rel=1e-9)


@pytest.mark.parametrize("overlap", [True, False])
@pytest.mark.parametrize(
    ("pp", "schedule"),
    [(pp, s) for pp in (2, 3, 4) for s in Schedule if pp == 2 or s is not Schedule.INTERLEAVED],
)
def test_a_pipeline_of_dies_in_a_row_takes_what_the_other_simulation_says(pp, schedule, overlap):
    """Interleaved, the last sends to the first: that is as near for two of them only."""
    chunks = 1 + (schedule is Schedule.INTERLEAVED)
    training = Training(model="llama2_7b", seq_len=512, global_batch=12, overlap=overlap)
    degrees = {"pp": pp, "schedule": schedule, "virtual_stages": chunks}
    mesh, other, _ = run(machine(SLOW), training, n_layers=12, **degrees)
    assert mesh == pytest.approx(other, rel=1e-9)


@pytest.mark.parametrize("zero", [0, 1])
@pytest.mark.parametrize("overlap", [True, False])
@pytest.mark.parametrize("dp", [2, 3, 4])
def test_replicas_in_a_row_take_what_the_other_simulation_says(dp, overlap, zero):
    training = Training(model="llama2_7b", seq_len=512, global_batch=12, overlap=overlap)
    mesh, other, _ = run(machine(SLOW), training, dp=dp, zero=zero)
    assert mesh == pytest.approx(other, rel=1e-9)


def test_gradients_of_the_head_go_before_those_of_the_layers():
    """Two layers of work do not hide them: the formulas wait as long as the events."""
    training = Training(model="llama3_8b", seq_len=512, global_batch=2)
    _, other, formulas = run(machine(SLOW), training, n_layers=2, dp=2)
    assert formulas == pytest.approx(other, rel=1e-3)


def test_what_is_not_played_is_an_error():
    training = Training(model="llama2_7b", global_batch=2)
    with pytest.raises(InputError, match="on one wafer, without CP and EP"):
        run(machine(), training, cp=2)


# What was wrong in the formulas.


def test_sends_take_what_their_links_carry_wherever_the_snake_turns():
    """The mean of all stages, there and back, against the routes of every die."""
    rng, compared = np.random.default_rng(0), 0
    while compared < 150:
        rows, cols = rng.integers(1, 9, size=2)
        high, wide = rng.integers(1, rows + 1), rng.integers(1, cols + 1)
        places = (rows // high) * (cols // wide)
        replicas = rng.integers(1, places + 1)
        pp = rng.integers(1, places // replicas + 1)
        if pp == 1:
            continue
        plans = plans_of(1, tp_rows=high, tp_cols=wide, pp=pp, dp=replicas)
        layout = machine(f"grid.rows={rows}", f"grid.cols={cols}").layout(plans)
        found, counted = to_next_stage(plans, int(cols)), layout.to_next_stage()
        assert found.hops == pytest.approx(counted.hops)
        assert found.load == pytest.approx(counted.load)
        assert found.moved == pytest.approx(counted.moved)
        compared += 1


def test_only_stages_round_a_corner_have_their_replicas_as_far_apart_as_that():
    """Six rectangles a row, 2 high and 1 wide: four replicas, 0 to 3, then 4 to 7 round the corner.

    Three replicas never stand round one; seven always do.
    """
    plans = plans_of(3, tp_rows=2, pp=[2, 4, 1], dp=[4, 3, 7])
    there = Rectangles(machine("grid.cols=6").wafer, plans)
    assert there.replica_hops(0).tolist() == [1, 1, 2]
    assert there.replica_hops(plans.pp - 1).tolist() == [2, 1, 2]
    assert there.slot_hops.tolist() == [2, 1, 2]


def test_one_stage_sends_nothing():
    found = to_next_stage(plans_of(1, dp=3), 4)
    assert [found.hops, found.load, found.moved] == [0, 0, 0]


def test_halves_of_an_all_reduce_do_not_overlap_on_a_line():
    """Four dies: 3/4 of the bytes over the busiest link there, as many back; trees take the bytes
    once. Two dies have nothing to overlap."""
    wafer = machine("d2d.latency=0")
    rate = wafer.wafer.d2d.link_bytes_per_s
    assert wafer.all_reduce(1.0, 4.0, 8e9, True).time_s == pytest.approx(1.5 * 8e9 / rate)  # noqa: FBT003
    assert wafer.all_reduce(1.0, 4.0, 8e9).time_s < 1.1 * 8e9 / rate
    whole, halves = (wafer.all_reduce(1.0, 2.0, 8e9, split) for split in (False, True))
    assert whole.time_s == pytest.approx(halves.time_s)


# At random.


def test_formulas_and_traffic_agree_on_random_wafers_and_plans():
    """40 of the 300 that `watos validate --fidelity event` plays; bounds may shrink only."""
    gaps = np.array([case.seconds().gap_pct for case in cases(40, seed=0)])
    assert np.median(abs(gaps)) <= 5
    assert np.percentile(abs(gaps), 95) <= 12


def test_steps_alike_may_be_one(monkeypatch):
    """All of them apart take as long, but for latencies that come between bytes of others."""
    drawn = list(cases(12, seed=0))
    joined = [case.seconds().traffic for case in drawn]
    apart = "star_watos.watos.event.mesh.collectives._runs"
    monkeypatch.setattr(apart, lambda looks: [(i, 1) for i in range(len(looks))])
    assert [case.seconds().traffic for case in drawn] == pytest.approx(joined, rel=0.0025)


def test_the_first_wafers_do_not_depend_on_how_many_follow():
    few, many = list(cases(2, seed=5)), list(cases(4, seed=5))
    assert [case.machine for case in few] == [case.machine for case in many[:2]]


def test_bytes_over_links_are_those_of_all_flows_that_are_played():
    for case in cases(12, seed=5):
        given = (case.machine, case.model, case.training, case.plan)
        result = evaluate(*given)
        tasks = play_on_mesh(*given, result).tasks
        mesh, found = link_bytes(*given, result)
        played = np.zeros(mesh.n_links)
        for links, n_bytes in zip(tasks.links, tasks.n_bytes, strict=True):
            played[links] += n_bytes
        assert found == pytest.approx(played, rel=1e-9)
        assert found.any() or case.plan.devices[0] == 1
