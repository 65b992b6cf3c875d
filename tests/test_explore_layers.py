"""A tile for each layer: exact against brute force, and what the model says of a combination."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from star_watos.explore import explore, non_dominated, signs_of
from star_watos.explore.candidates import load_sweep
from star_watos.explore.layers import GROWTH, combinations, terms
from star_watos.explore.stack import Design, Load, load_of
from star_watos.explore.star import METRICS, CoreExploration, CoreProblem
from star_watos.explore.tilings import outcomes
from star_watos.spec import load
from star_watos.star import Core, Resources, Tile, evaluate, legal_tiles
from star_watos.star.by_layer import text_of, values_of

SWEEP = """
kind: star-exploration
hardware: star_28nm
workload: {model: smollm2_135m, seq_len: 2k, sparsity: %s}
tiles: per-layer
space:
  hardware.kv_generation.columns: {choices: [2, 4]}
  hardware.sram.temp.capacity: {choices: ["28 KiB", "112 KiB"]}
objectives: {latency_s: minimize, energy_j: minimize}
search: {sampler: exhaustive}
"""
LAYER = "{keep_ratio: %g, kv_ratio: %g, load_ratio: %g}"
RATIOS = [(0.6, 0.9, 0.9), (0.03, 0.3, 0.2), (0.02, 0.9, 0.9)]


def profile(ratios=RATIOS):
    """Return the text of a profile of these layers."""
    keep, kv, loaded = (sum(column) / len(ratios) for column in zip(*ratios, strict=True))
    layers = ", ".join(LAYER % layer for layer in ratios)
    return (
        f"{{name: mine, keep_ratio: {keep}, kv_ratio: {kv}, load_ratio: {loaded}, "
        f"accuracy_loss: 0, seq_len: 2k, source: made up for a test, layers: [{layers}]}}"
    )


@pytest.fixture
def sweep_of(tmp_path):
    def read(sparsity=None, *options):
        path = tmp_path / "layers.yaml"
        path.write_text(SWEEP % (sparsity or profile()), encoding="utf-8")
        return load_sweep(CoreExploration, str(path), options)[0]

    return read


def brute_force(losses, fits):
    """Every choice of a fitting tile for each layer, summed layer by layer."""
    choices = itertools.product(*(np.flatnonzero(fits[:, i]) for i in range(fits.shape[1])))
    sums = [sum(losses[tile, i] for i, tile in enumerate(choice)) for choice in choices]
    values = np.array(sums).reshape(-1, losses.shape[2])
    return values[non_dominated(values, np.ones(losses.shape[2]))]


@given(st.integers(1, 4), st.integers(1, 5), st.integers(1, 3), st.integers(0, 2**32 - 1))
def test_combinations_are_those_of_brute_force(tiles, layers, width, seed):
    random = np.random.default_rng(seed)
    losses = random.integers(0, 30, (tiles, layers, width)).astype(float)
    fits = random.random((tiles, layers)) < 0.8
    choices = combinations(losses, fits)
    picked = losses[choices.tiles, np.arange(layers)].sum(axis=1)
    expected = brute_force(losses, fits)
    assert fits[choices.tiles, np.arange(layers)].all()
    assert not choices.thinned
    np.testing.assert_array_equal(np.unique(picked, axis=0), np.unique(expected, axis=0))


def test_a_layer_that_nothing_fits_leaves_no_combination():
    assert (
        len(combinations(np.ones((2, 2, 2)), np.array([[True, False], [True, False]])).tiles) == 0
    )


def test_too_many_combinations_are_thinned_and_said_to_be():
    """Twelve layers choose between (2^i, 0) and (0, 2^i): 4,096 sums, none beats another."""
    step = 2.0 ** np.arange(12)
    zero = np.zeros(12)
    losses = np.stack([np.stack([step, zero], -1), np.stack([zero, step], -1)])
    fits = np.ones((2, 12), dtype=bool)
    assert len(combinations(losses, fits, most=5000).tiles) == 4096
    some = combinations(losses, fits, most=100)
    sums = losses[some.tiles, np.arange(12)].sum(axis=1)
    assert some.thinned
    assert len(sums) <= 102
    assert sums[:, 0].min() == 0 == sums[:, 1].min()
    assert np.diff(np.sort(sums[:, 0])).max() < 4095 / 10


def test_every_metric_of_a_tile_is_known_to_grow_or_not_to_depend_on_it():
    assert METRICS - GROWTH.keys() == {"area_mm2", "accuracy_loss"}


def test_limits_are_terms_too(sweep_of):
    sweep = sweep_of(None, "constraints.power_w.max=3", "objectives={latency_s: minimize}")
    assert terms(sweep) == [("energy_j", 1), ("latency_s", -1), ("latency_s", 1)]
    assert terms(sweep_of(None, "objectives={area_mm2: minimize}")) == [("latency_s", 1)]
    assert terms(sweep_of(None, "objectives={throughput_gops: maximize}")) == [("latency_s", 1)]


def combined(core, task):
    """Every combination of tiles for the groups of layers of a task, evaluated one by one."""
    one = load_of(task, None)
    tiles = legal_tiles(core, one.work)
    fits = np.flatnonzero(evaluate(Resources.of(core), one.work, tiles).fits)
    rows = np.array(list(itertools.product(fits, repeat=one.layers)))
    chosen = Tile(tiles.keys[rows], tiles.heads[rows], by_layer=True)
    return evaluate(Resources.of(core), one.work, chosen)


@pytest.mark.parametrize(
    "options",
    [
        [],
        ["objectives={throughput_gops: maximize, energy_efficiency_gops_per_w: maximize}"],
        [
            "hardware.sram.temp.capacity=20 KiB",
            "objectives={power_w: minimize, latency_s: minimize}",
        ],
        ["constraints.core_power_w.max=0.8", "objectives={latency_s: minimize}"],
        ["objectives={raw_throughput_gops: maximize, dram_bytes: minimize}"],
    ],
)
def test_the_front_of_tiles_per_layer_is_that_of_all_combinations(sweep_of, tmp_path, options):
    sweep = sweep_of(None, "space={hardware.kv_generation.columns: {choices: [4]}}", *options)
    result = explore(sweep, CoreProblem(sweep), tmp_path / "run")
    every = combined(sweep.hardware, sweep.workload)
    kept = np.ones(len(every.fits), dtype=bool)
    for name, limit in sweep.constraints.items():
        kept &= limit.excess(every.metrics[name]) == 0
    table = np.stack([every.metrics[name][kept] for name in sweep.objectives], axis=1)
    front = table[non_dominated(table, signs_of(sweep.objectives.values()))]
    found = np.array([[row[name] for name in sweep.objectives] for row in result.rows])
    assert kept.any()
    np.testing.assert_allclose(np.sort(found, 0), np.sort(front, 0), rtol=1e-12)
    assert result.manifest["thinned_trials"] == 0


def test_own_tiles_are_at_least_as_good_as_a_common_one(sweep_of, tmp_path):
    """And better for layers that differ: the best common tile is not the best of each."""
    volumes = {}
    for tiles in ("per-layer", "common"):
        sweep = sweep_of("smollm2_2k_90pct", f"tiles={tiles}")
        result = explore(sweep, CoreProblem(sweep), tmp_path / tiles)
        volumes[tiles] = min(row["energy_j"] for row in result.rows)
        texts = {type(row["key_tile"]) for row in result.rows}
        assert texts >= ({str} if tiles == "per-layer" else {int})
    assert volumes["per-layer"] < volumes["common"]


def test_a_sweep_that_does_not_say_has_a_common_tile():
    assert CoreExploration.model_fields["tiles"].default == "common"


def test_a_profile_without_layers_has_one_tile(sweep_of):
    rows = {
        tiles: CoreProblem(sweep_of("sofa_2pct", f"tiles={tiles}")).evaluate({}).rows
        for tiles in ("per-layer", "common")
    }
    assert rows["per-layer"] == rows["common"]


def test_a_combination_costs_what_its_layers_cost(sweep_of):
    """Sums of each layer's own figures, from the tiles that the text names."""
    sweep = sweep_of("smollm2_2k_90pct")
    task, core = sweep.workload, sweep.hardware
    one = load_of(task, None)
    row = CoreProblem(sweep).evaluate({}).rows[0]
    layers = task.load().n_layers
    keys, heads = (values_of(row[name], layers) for name in ("key_tile", "heads_together"))
    latency = 0.0
    for group in range(one.layers):
        first = one.groups.index(group)
        result = evaluate(Resources.of(core), one.work, Tile(keys[first], heads[first]))
        latency += result.by_layer()["latency_s"][..., group].item()
    assert row["latency_s"] == pytest.approx(latency, rel=1e-12)


def test_a_layer_keeps_its_tile_in_all_chunks(sweep_of):
    """Three layers by four chunks: tiles are told of layers, and differ between them."""
    sweep = sweep_of(None, "workload.phase=chunked", "workload.queries=512")
    one = load_of(sweep.workload, None)
    assert (one.layers, one.chunks) == (3, 4)
    for row in CoreProblem(sweep).evaluate({}).rows:
        runs = str(row["key_tile"]).split()
        assert sum(int(run.partition("x")[2] or 30) for run in runs) == 30


def test_what_is_evaluated_together_changes_nothing(sweep_of):
    """Nor does a stacked column differ from one design alone in the last digit."""
    sweep = sweep_of("smollm2_2k")
    problem = CoreProblem(sweep)
    space = sweep.space.items()
    candidates = [
        dict(zip(sweep.space, values, strict=True))
        for values in itertools.product(*(axis.values() for _, axis in space))
    ]
    assert problem.evaluate_all(candidates) == [problem.evaluate(one) for one in candidates]


def test_an_illegal_design_is_a_text_among_outcomes(sweep_of):
    problem = CoreProblem(sweep_of())
    good, bad = {}, {"hardware.sufa.columns": 3}
    found = problem.evaluate_all([good, bad, good])
    assert "multiple of 2" in found[1]
    assert found[0] == found[2] == problem.evaluate(good)


def test_nothing_fits_names_the_nearest(sweep_of):
    for tiles in ("per-layer", "common"):
        sweep = sweep_of("smollm2_2k", f"tiles={tiles}", "hardware.sram.temp.capacity=2 KiB")
        outcome = CoreProblem(sweep).evaluate({})
        assert (outcome.rows, outcome.feasible) == ([], 0)
        assert outcome.nearest.name == "score tile in temp SRAM"
        assert outcome.nearest.excess > 0
        assert sum(outcome.infeasible.values()) == outcome.points


def test_texts_of_tiles_read_back():
    for values, said in (([32] * 4, 32), ([64, 32, 32, 64], "64x1 32x2 64x1")):
        assert text_of(values) == said
        assert values_of(said, 4) == values


def test_the_cap_is_told(sweep_of):
    """With room for four of a design's six combinations."""
    sweep = sweep_of("smollm2_2k_98pct")
    core = load(Core, "star_28nm", "configs/cores")
    one = Load.of(sweep.workload, None)
    design = Design(Resources.of(core), legal_tiles(core, one.work), 0.0, "measured")
    whole, few = (outcomes(sweep, one, [design], per_layer=True, most=n)[0] for n in (1000, 4))
    assert (whole.thinned, few.thinned) == (False, True)
    assert len(few.rows) < len(whole.rows)
