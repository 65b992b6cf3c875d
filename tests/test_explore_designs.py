"""Both problems through the whole search: exact against brute force, and good when it samples."""

import itertools

import numpy as np
import pytest

from star_watos.errors import InputError
from star_watos.explore import How, explore, non_dominated, signs_of
from star_watos.explore.candidates import baseline, load_sweep, parts
from star_watos.explore.star import METRICS as CORE_METRICS
from star_watos.explore.star import CoreExploration, CoreProblem
from star_watos.explore.watos import METRICS as WAFER_METRICS
from star_watos.explore.watos import WaferExploration, WaferProblem
from star_watos.star import Resources, legal_tiles
from star_watos.star import evaluate as evaluate_core
from star_watos.watos import Dies, evaluate, legal_plans, metrics, wafer_metrics, wafer_overflow

WAFERS = """
kind: watos-exploration
hardware: watos_config3
workload: {model: llama2_7b, seq_len: 2k, global_batch: 8}
space:
  hardware.grid.rows: {choices: [2, 3, 4, 5, 6]}
  hardware.grid.cols: {choices: [2, 4, 6, 8]}
  hardware.die.cores.rows: {choices: [8, 10, 12, 14, 16, 18]}
  hardware.dram.stacks_per_die: {range: [1, 4]}
  hardware.d2d.bandwidth: {choices: ["1 TB/s", "4 TB/s", "6 TB/s"]}
objectives:
  tokens_per_s: maximize
  energy_per_token_j: minimize
  wafer_cost_usd: minimize
constraints:
  area_mm2: {max: 30000}
  power_w: {max: 9000}
search: {sampler: exhaustive}
"""


@pytest.fixture(scope="module")
def wafers(tmp_path_factory):
    path = tmp_path_factory.mktemp("sweep") / "wafers.yaml"
    path.write_text(WAFERS, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def exhaustive(wafers, tmp_path_factory):
    sweep, folder = load_sweep(WaferExploration, str(wafers))
    out = tmp_path_factory.mktemp("out") / "all"
    return explore(sweep, WaferProblem(sweep, folder), out)


def brute_force(sweep, objectives):
    """All wafers times all plans in one table, without the engine's reductions."""
    tables = []
    keys = list(sweep.space)
    for values in itertools.product(*(axis.values() for axis in sweep.space.values())):
        built = parts(sweep, dict(zip(keys, values, strict=True)))
        wafer, training = built["hardware"], built["workload"]
        if wafer_overflow(wafer):
            continue
        model = training.load()
        machine = Dies(wafer)
        result = evaluate(machine, model, training, legal_plans(model, wafer.grid, 8))
        figures = metrics(machine, training, result) | wafer_metrics(wafer)
        rows = len(result.plans)
        columns = [np.broadcast_to(figures[name], (rows,)) for name in objectives]
        fits = result.memory_bytes <= wafer.dram.capacity_bytes
        fits &= np.asarray(figures["area_mm2"]) <= 30_000
        fits &= figures["power_w"] <= 9000
        tables.append(np.stack(columns, axis=1)[fits])
    return np.concatenate(tables)


def test_the_front_is_that_of_brute_force(exhaustive, wafers):
    sweep, _ = load_sweep(WaferExploration, str(wafers))
    objectives = list(sweep.objectives)
    table = brute_force(sweep, objectives)
    mask = non_dominated(table, signs_of(sweep.objectives.values()))
    expected = np.unique(table[mask], axis=0)
    found = np.unique([[row[name] for name in objectives] for row in exhaustive.rows], axis=0)
    np.testing.assert_array_equal(found, expected)
    assert exhaustive.manifest["space_size"] == 5 * 4 * 6 * 4 * 3


@pytest.mark.parametrize(("sampler", "objectives"), [("nsga2", 2), ("nsga2", 3), ("tpe", 3)])
def test_three_hundred_trials_reach_99_percent(exhaustive, tmp_path, sampler, objectives):
    """Of the hypervolume of all 1,440 wafers, the mean of three seeds; one may miss it by 0.2 %."""
    path = tmp_path / "sweep.yaml"
    cost = "  wafer_cost_usd: minimize\n"
    path.write_text(WAFERS.replace(cost, "") if objectives == 2 else WAFERS, encoding="utf-8")
    ratios = []
    for seed in range(3):
        options = [f"search.sampler={sampler}", "search.trials=300", f"search.seed={seed}"]
        options += [
            "expect.hypervolume.min_ratio=0.988",
            f"expect.hypervolume.reference={exhaustive.out / 'pareto.csv'}",
        ]
        sweep, folder = load_sweep(WaferExploration, str(path), options)
        result = explore(
            sweep, WaferProblem(sweep, folder), tmp_path / str(seed), baseline=baseline(sweep)
        )
        assert result.manifest["outer_trials"] == 300
        assert result.exit_code == 0
        ratios.append(result.gates[0].found)
    assert np.mean(ratios) >= 0.99


def test_jobs_do_not_change_a_byte(wafers, tmp_path):
    options = ["search.sampler=nsga2", "search.trials=60", "search.population=20"]
    sweep, folder = load_sweep(WaferExploration, str(wafers), options)
    files = []
    for jobs in (1, 2):
        out = tmp_path / str(jobs)
        explore(sweep, WaferProblem(sweep, folder), out, How(jobs))
        files.append([(out / name).read_bytes() for name in ("pareto.csv", "trials.csv")])
    assert files[0] == files[1]


def test_the_front_of_cores_is_that_of_brute_force(tmp_path):
    sweep, folder = load_sweep(CoreExploration, "ci_star")
    result = explore(sweep, CoreProblem(sweep, folder), tmp_path / "cores")
    objectives = list(sweep.objectives)
    tables = []
    for values in itertools.product(*(axis.values() for axis in sweep.space.values())):
        built = parts(sweep, dict(zip(sweep.space, values, strict=True)))
        core, task = built["hardware"], built["workload"]
        work = task.work(task.load())
        tiles = legal_tiles(core, work)
        column = evaluate_core(Resources.of(core), work, tiles)
        figures = [np.broadcast_to(column.metrics[name], column.fits.shape) for name in objectives]
        tables.append(np.stack(figures, axis=1)[column.fits])
    table = np.concatenate(tables)
    mask = non_dominated(table, signs_of(sweep.objectives.values()))
    found = [[row[name] for name in objectives] for row in result.rows]
    np.testing.assert_array_equal(np.unique(found, axis=0), np.unique(table[mask], axis=0))


def test_metrics_that_may_be_objectives_are_those_that_rows_have(exhaustive):
    assert set(exhaustive.rows[0]) >= WAFER_METRICS
    sweep, folder = load_sweep(CoreExploration, "ci_star")
    rows = CoreProblem(sweep, folder).evaluate({}).rows
    assert set(rows[0]) >= CORE_METRICS


def test_a_row_of_the_front_is_what_simulate_says(exhaustive, wafers):
    """To the last digit: the inner level and a single simulation are one model."""
    sweep, _ = load_sweep(WaferExploration, str(wafers))
    for row in exhaustive.rows[:: max(1, len(exhaustive.rows) // 5)]:
        built = parts(sweep, {key: row[key] for key in sweep.space})
        wafer, training = built["hardware"], built["workload"]
        model = training.load()
        plans = legal_plans(model, wafer.grid, training.global_batch)
        same = np.ones(len(plans), dtype=bool)
        for name in ("tp_rows", "tp_cols", "pp", "dp", "microbatch", "sp", "zero"):
            same &= getattr(plans, name) == row[name]
        machine = Dies(wafer)
        figures = metrics(machine, training, evaluate(machine, model, training, plans.take(same)))
        assert row["tokens_per_s"] in figures["tokens_per_s"]
        assert row["energy_per_token_j"] in figures["energy_per_token_j"]


def test_a_space_is_tried_before_the_search(wafers):
    wrong = [
        ("hardware.die.cors.rows={choices: [1]}", "unknown field"),
        ("hardware.grid.rows={choices: [0]}", "greater than or equal to 1"),
        ("hardware.d2d.bandwidth={choices: ['2 parsec']}", "expected a number and one of"),
        ("grid.rows={choices: [1]}", "begins with hardware. or workload."),
    ]
    for axis, text in wrong:
        key, _, value = axis.partition("=")
        path = wafers.with_name("wrong.yaml")
        path.write_text(WAFERS.replace("space:\n", f"space:\n  {key}: {value}\n"), encoding="utf-8")
        with pytest.raises(InputError) as error:
            load_sweep(WaferExploration, str(path))
        line = str(error.value).splitlines()[0]
        assert line.startswith(f"{path}:6:3  space.{key}: ") or "twice" in line
        assert text in line or "twice" in line


def test_nothing_feasible_names_the_nearest_miss(wafers, tmp_path):
    options = ["constraints.power_w.max=10", "search.trials=40", "search.sampler=random"]
    options += ["space.hardware.d2d.bandwidth={choices: [4 TB/s]}"]
    options += ["space.hardware.dram.stacks_per_die={choices: [1]}"]
    sweep, folder = load_sweep(WaferExploration, str(wafers), options)
    result = explore(sweep, WaferProblem(sweep, folder), tmp_path / "none")
    assert result.exit_code == 4
    assert result.nearest.name == "power_w"
    assert result.nearest.have == 10
