"""Wafers of which parts are broken: by hand, against brute force, and on random patterns."""

from functools import cache

import numpy as np
import pytest

from star_watos.cost import Overflow
from star_watos.errors import InputError
from star_watos.fabric import Links, Mesh
from star_watos.fabric.collectives import Kind as Collective
from star_watos.watos import Training, document, load_hardware
from star_watos.watos.faults import Faults, Kind, Study, draws, packing, parse
from star_watos.watos.faults.groups import Fastest, Group, Kept, State, joined
from star_watos.watos.faults.machine import replica_ways, stage_ways
from star_watos.watos.faults.packing import WIDTH, candidates, packed, tiling
from star_watos.watos.faults.path import distances, ordered
from star_watos.watos.faults.placing import Anywhere
from star_watos.watos.iteration import evaluate
from star_watos.watos.wafer import Grid

NOTHING = Faults()


@cache
def study(wafer="watos_config3", model="llama2_7b", batch=16, changes=(), wanted=()):
    """Return a study of a wafer, its template changed."""
    training = Training(model=model, seq_len=2048, global_batch=batch)
    found = Study.of(load_hardware(wafer, changes), training.load(), training, dict(wanted))
    assert isinstance(found, Study)
    return found


def small(rows, cols):
    """Return a study of a wafer of few dies."""
    return study(changes=(f"grid.rows={rows}", f"grid.cols={cols}"))


def random_faults(rng, rows, cols, most=0.4):
    """Return listed dies and links of which up to so many are broken, and what is left hangs."""
    whole = Mesh(rows, cols)
    pairs = [(a, int(b)) for a in whole.nodes.tolist() for b in whole.neighbours[a] if b > a]
    while True:
        share = rng.uniform(0, most, 2)
        dies = np.flatnonzero(rng.random(rows * cols) < share[0]).tolist()
        links = [pairs[i] for i in np.flatnonzero(rng.random(len(pairs)) < share[1])]
        mesh = Mesh(rows, cols, missing_nodes=frozenset(dies), missing_links=frozenset(links))
        if len(mesh.nodes) and mesh.connected:
            places = [divmod(die, cols) for die in dies]
            ends = [(divmod(a, cols), divmod(b, cols)) for a, b in links]
            return Faults(die=frozenset(places), link=frozenset(ends))


# What is broken.


def test_what_a_text_names():
    grid = Grid(rows=7, cols=8)
    assert parse("dies=0.05, links=0.02,cores=0.1,seed=1", grid) == Faults(0.05, 0.02, 0.1, 1)
    listed = parse("die=2:3,link=0:1-0:0,die=6:7", grid)
    assert listed.die == {(2, 3), (6, 7)}
    assert listed.link == {((0, 0), (0, 1))}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "expected dies=..., links=..., cores=..., seed=..., die=..., link=..., got ''"),
        ("dise=0.1", "got 'dise'; did you mean die?"),
        ("dies", "got 'dies'"),
        ("dies=1", "dies: expected a share from 0 to below 1, got '1'"),
        ("links=-0.1", "links: expected a share from 0 to below 1, got '-0.1'"),
        ("cores=.", "cores: expected a share from 0 to below 1, got '.'"),
        ("seed=1.5", "seed: expected a whole number to 4,294,967,295, got '1.5'"),
        ("die=7:0", "die: expected row:column from 0:0 to 6:7, got '7:0'"),
        ("link=0:0-1:1", "expected two neighbours from 0:0 to 6:7, such as 0:0-0:1"),
        ("link=0:0", "got '0:0'"),
        ("seed=1,seed=2", "seed is given twice"),
    ],
)
def test_mistakes_say_what_is_allowed(text, said):
    with pytest.raises(InputError) as caught:
        parse(text, Grid(rows=7, cols=8))
    assert said in str(caught.value)
    assert str(caught.value).startswith("--faults  ")


def test_all_mistakes_are_said_at_once():
    with pytest.raises(InputError) as caught:
        parse("dies=2,die=9:9,sed=1", Grid(rows=7, cols=8))
    assert len(caught.value.problems) == 3


def test_what_is_broken_at_a_rate_is_broken_at_higher_ones():
    wafer = load_hardware("watos_config3")
    for seed in range(5):
        low, high = (Faults(rate, rate, rate, seed).on(wafer) for rate in (0.05, 0.15))
        assert low.mesh.missing_nodes <= high.mesh.missing_nodes
        assert low.mesh.missing_links <= high.mesh.missing_links
        assert (low.cores_alive >= high.cores_alive).all()


def test_rates_are_met():
    """Means of 200 draws within four standard errors; each kind by itself."""
    wafer = load_hardware("watos_config3")
    for name, of in (("dies", 56), ("links", 97)):
        found = [Faults(**{name: 0.2}, seed=seed).on(wafer) for seed in range(200)]
        counts = [getattr(damage, f"broken_{name}") for damage in found]
        assert np.mean(counts) == pytest.approx(0.2 * of, abs=4 * np.sqrt(0.16 * of / 200))
        assert all((damage.cores_alive == 324).all() for damage in found)
    cores = np.mean([Faults(cores=0.2, seed=seed).on(wafer).cores_alive for seed in range(20)])
    assert cores == pytest.approx(0.8 * 324, rel=0.005)


def test_only_the_largest_part_is_used():
    """A wall of dies from top to bottom leaves two columns on one side and five on the other."""
    wafer = load_hardware("watos_config3")
    damage = Faults(die=frozenset((row, 2) for row in range(7))).on(wafer)
    assert (damage.n_dies, damage.cut_off, damage.broken_dies) == (35, 14, 7)
    assert damage.mesh.connected


# Places and ways, by hand.


def test_a_hole_in_the_middle_leaves_a_ring():
    """Eight dies around the middle of nine: every stage is one hop from the next."""
    mesh = Mesh(3, 3, missing_nodes=frozenset({4}))
    dies = [Group((1, 1), (die,)) for die in mesh.nodes.tolist()]
    path = ordered(dies, 3, distances(mesh))
    assert stage_ways(mesh, tuple(path), 8, 1).hops == 1
    assert stage_ways(mesh, tuple(path), 8, 1).load == 1
    assert stage_ways(mesh, tuple(path), 8, 1).moved == 7


def test_pairs_around_a_hole():
    """Four pairs fit, none of them over the hole; the tiling in rows has three left."""
    mesh = Mesh(3, 3, missing_nodes=frozenset({4}))
    found = packed(candidates(mesh, [(1, 2), (2, 1)], mesh.nodes.tolist()), 9)
    assert sorted(die for group in found for die in group.dies) == [0, 1, 2, 3, 5, 6, 7, 8]
    assert len(tiling(Grid(rows=3, cols=3), (1, 2), mesh)) == 2


def test_a_broken_link_is_gone_around():
    """Two dies swap half of S twice, in one hop or, by the row below, in three; in halves too."""
    links = Links(1.0, 1.0)
    group = Group((1, 2), (0, 1))
    whole = Mesh(2, 2, 1.0, 1.0)
    broken = Mesh(2, 2, 1.0, 1.0, missing_links=frozenset({(0, 1)}))
    assert group.state(broken) is State.DETOUR
    for kind in (Fastest, Kept):
        assert (
            float(kind(whole, (group,)).taken(Collective.ALL_REDUCE, 4.0, links).seconds) == 2 + 4
        )
        assert (
            float(kind(broken, (group,)).taken(Collective.ALL_REDUCE, 4.0, links).seconds) == 6 + 4
        )
        halves = joined(kind(broken, (group,)), 4.0, links, np.array([False, True]))
        assert halves.seconds.tolist() == [10, 10]


def test_stages_that_go_around_share_links():
    """Two pairs on 2 x 4, from columns 0, 1 to 2, 3: two hops, two dies on the links between.

    Without the upper link in the middle the upper pair goes down, east and up. Its dies go four
    hops; the lower link in the middle carries all four dies.
    """
    left, right = Group((2, 2), (0, 1, 4, 5)), Group((2, 2), (2, 3, 6, 7))
    whole = stage_ways(Mesh(2, 4), (left, right), 2, 1)
    assert (whole.hops, whole.load, whole.moved) == (2, 2, 8)
    cut = Mesh(2, 4, missing_links=frozenset({(1, 2)}))
    around = stage_ways(cut, (left, right), 2, 1)
    assert (around.hops, around.load) == (4, 4)


def test_replicas_beside_each_other():
    """Three replicas on a line of pairs: two hops each, two dies on every link."""
    groups = tuple(Group((1, 2), (2 * i, 2 * i + 1)) for i in range(3))
    ways = replica_ways(Mesh(1, 6), groups, 1, 3)
    assert (ways.hops, ways.load, ways.moved) == (2, 2, 16)


# Packing and path against brute force.


def most_disjoint(masks):
    """Return how many of some sets of dies are disjoint at most."""
    if not masks:
        return 0
    first, rest = masks[0], masks[1:]
    return max(most_disjoint(rest), 1 + most_disjoint([mask for mask in rest if not mask & first]))


@pytest.mark.parametrize("shape", [(1, 2), (1, 3), (2, 2), (1, 4), (2, 3)], ids=str)
def test_packings_are_as_large_as_brute_force_finds(shape):
    rng = np.random.default_rng(0)
    for _ in range(20):
        rows, cols = rng.integers(2, 5, 2).tolist()
        dies = rng.permutation(rows * cols)[: rng.integers(rows * cols // 2, rows * cols + 1)]
        mesh = Mesh(rows, cols)
        found = candidates(mesh, {shape, shape[::-1]}, dies.tolist())
        assert len(packed(found, mesh.n_nodes)) == most_disjoint([each.mask for each in found])
    assert WIDTH > 2**4


def test_more_partial_packings_find_no_more(monkeypatch):
    """On configuration 3, where there are more than are kept at a time."""
    wafer, counts = load_hardware("watos_config3"), []
    meshes = [Faults(dies=0.2, links=0.1, seed=seed).on(wafer).mesh for seed in range(5)]
    for width in (WIDTH, 8 * WIDTH):
        monkeypatch.setattr(packing, "WIDTH", width)
        for shapes in ([(1, 4), (4, 1)], [(1, 4), (2, 2), (4, 1)], [(1, 8), (2, 4), (4, 2)]):
            found = [candidates(mesh, shapes, mesh.nodes.tolist()) for mesh in meshes]
            counts.append([len(packed(each, 56)) for each in found])
    assert counts[:3] == counts[3:]


def test_paths_are_no_longer_than_the_snake():
    rng, shorter = np.random.default_rng(1), 0
    for _ in range(50):
        mesh = Faults(dies=0.2, seed=int(rng.integers(1000))).on(load_hardware("temp_6x8")).mesh
        hops = distances(mesh)
        groups = [Group((1, 1), (die,)) for die in mesh.nodes.tolist()]
        nodes = np.array([group.dies[0] for group in ordered(groups, mesh.cols, hops)])
        row, col = np.divmod(mesh.nodes, mesh.cols)
        snake = mesh.nodes[np.lexsort([np.where(row % 2, -col, col), row])]
        found, start = ((hops[path[:-1], path[1:]] ** 2).sum() for path in (nodes, snake))
        assert sorted(nodes.tolist()) == mesh.nodes.tolist()
        assert found <= start
        shorter += found < start
    assert shorter > 40


def test_distances_are_those_of_routes():
    mesh = Faults(dies=0.2, links=0.1, seed=3).on(load_hardware("watos_config3")).mesh
    a, b = mesh.nodes[:10], mesh.nodes[-10:]
    assert distances(mesh)[a, b].tolist() == mesh.routes(a, b).hops.tolist()


# Schedules.


@pytest.mark.parametrize(
    ("wafer", "model"),
    [("watos_config3", "llama3_70b"), ("watos_config3", "gpt3_175b"), ("temp_6x8", "llama2_13b"),
     ("wsc_llm_case3", "llama3_70b"), ("watos_config3", "mixtral_8x7b")],
)  # fmt: skip
def test_nothing_broken_is_no_slower_than_the_healthy_wafer(wafer, model):
    """The formula of `Dies` bounds the ways on the mesh; within 1 % of them."""
    it = study(wafer, model, 128)
    healthy = float(np.asarray(it.healthy.iteration.iteration_s)[0])
    outcome = it.outcome(NOTHING.on(it.wafer))
    assert 0.99 * healthy <= it.healthy_s <= healthy * (1 + 1e-12)
    assert outcome.fixed.iteration_s == it.healthy_s
    assert outcome.robust.iteration_s <= outcome.replanned.iteration_s <= it.healthy_s


@pytest.mark.parametrize("shape", [(2, 3), (3, 3), (3, 4), (4, 4), (1, 6)], ids=str)
def test_no_pattern_ends_in_an_error(shape):
    """Forty patterns a wafer, up to 40 % of dies and links; whatever is used works."""
    it, rng, ran = small(*shape), np.random.default_rng(shape), 0
    for _ in range(40):
        damage = random_faults(rng, *shape).on(it.wafer)
        outcome = it.outcome(damage)
        robust, replanned, fixed = (
            it.tokens_per_s(each) for each in (outcome.robust, outcome.replanned, outcome.fixed)
        )
        assert robust >= replanned >= fixed >= 0
        if outcome.robust is None:
            assert isinstance(it.simulation(outcome), Overflow)
            continue
        ran += 1
        machine, plans = outcome.robust.machine, outcome.robust.iteration.plans
        dies = [die for group in machine.groups for die in group.dies]
        assert len(set(dies)) == len(dies) == int(plans.devices[0])
        assert set(dies) <= set(damage.mesh.nodes.tolist())
        assert outcome.robust.iteration.memory_bytes[0] <= it.wafer.dram.capacity_bytes
        assert sum(outcome.robust.iteration.time_s.values())[0] == outcome.robust.iteration_s
    assert ran > 20


def test_the_search_finds_what_trying_every_plan_finds():
    """What plans take at least is what they take at least: none that was left out is faster."""
    it, rng = small(4, 4), np.random.default_rng(5)
    plans, least_s = it.candidates.plans, it.candidates.least_s
    keys = np.stack([plans.tp_rows, plans.tp_cols, plans.pp * plans.replicas], axis=-1)
    for _ in range(5):
        damage = random_faults(rng, 4, 4).on(it.wafer)
        placing, best = Anywhere.on(it.wafer, damage), np.inf
        for rows, cols, count in np.unique(keys, axis=0).tolist():
            machine = placing.machine((rows, cols), count)
            if machine is not None:
                own = np.flatnonzero((keys == (rows, cols, count)).all(axis=1))
                its = evaluate(machine, it.healthy.model, it.healthy.training, plans.take(own))
                seconds = its.iteration_s
                assert (seconds >= least_s[own] * (1 - 1e-12)).all()
                best = min(best, seconds.min())
        robust = it.outcome(damage).robust
        assert (np.inf if robust is None else robust.iteration_s) == pytest.approx(best)


def test_a_lost_die_takes_its_group_out_of_the_fixed_schedule():
    """Whatever the shape, the die at 0:0 is in the first group of the tiling."""
    it = study(model="llama3_70b", batch=512)
    outcome = it.outcome(Faults(die=frozenset({(0, 0)})).on(it.wafer))
    plans = it.healthy.iteration.plans
    assert 0 in outcome.damage.mesh.missing_nodes
    used = {die for group in outcome.fixed.machine.groups for die in group.dies}
    assert not used & set(range(int(plans.tp_cols[0])))
    for name in ("tp_rows", "tp_cols", "microbatch", "recompute", "sp"):
        assert getattr(outcome.fixed.iteration.plans, name)[0] == getattr(plans, name)[0]


def test_cores_slow_every_stage_down():
    """A quarter of the cores broken: between the slowest die's share and a quarter, and slower."""
    it = study(model="llama3_70b", batch=512)
    damage = Faults(cores=0.25, seed=0).on(it.wafer)
    outcome = it.outcome(damage)
    assert damage.n_dies == 56
    ratio = it.healthy_s / outcome.robust.iteration_s
    assert damage.least_cores / 324 * 0.95 < ratio < 0.8
    assert outcome.robust.iteration_s <= outcome.fixed.iteration_s


def test_dies_with_few_cores_are_left_out_where_others_do():
    """One die of 4 x 4 has almost no cores left; a plan of fewer dies does not wait for it."""
    it = small(4, 4)
    damage = NOTHING.on(it.wafer)
    damage.cores_alive[5] = 10
    outcome = it.outcome(damage)
    assert all(5 not in group.dies for group in outcome.robust.machine.groups)
    assert outcome.robust.iteration_s < 2 * it.healthy_s


def test_no_die_left_is_no_throughput():
    it = small(2, 3)
    every = frozenset((row, col) for row in range(2) for col in range(3))
    outcome = it.outcome(Faults(die=every).on(it.wafer))
    assert outcome.robust is None
    assert it.tokens_per_s(outcome.robust) == 0.0


def test_the_same_seed_gives_the_same():
    it = small(3, 4)
    first, second, apart = (list(draws(it, Kind.DIES, [0.0, 0.2], 3, jobs)) for jobs in (1, 1, 2))
    assert first == second == apart
    assert [(each.rate, each.seed) for each in first] == [(0.0, 0), (0.2, 0), (0.2, 1), (0.2, 2)]


def test_the_document_says_where_stages_stand():
    it = study(model="llama3_70b", batch=512)
    outcome = it.outcome(Faults(dies=0.2, seed=0).on(it.wafer))
    report = document(it.simulation(outcome))
    machine, plan = outcome.robust.machine, report["plan"]
    first = [list(divmod(group.dies[0], 8)) for group in machine.groups]
    assert plan["placement"] == first[:: plan["dp"]]
    assert report["metrics"]["devices"] == outcome.damage.n_dies
    assert report["metrics"]["tokens_per_s"] == pytest.approx(it.tokens_per_s(outcome.robust))
