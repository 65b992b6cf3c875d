"""Plans that do not fit are judged by memory alone, and a wafer's outcome is that of all plans."""

from itertools import product

import numpy as np
import pytest

from star_watos.explore.candidates import load_sweep, parts
from star_watos.explore.reduce import Room, reduce, reduce_fitting
from star_watos.explore.star import CoreExploration
from star_watos.explore.watos import WaferExploration, WaferProblem, mapping_columns
from star_watos.watos import (
    Choices,
    Dies,
    Training,
    evaluate,
    legal_plans,
    load_hardware,
    machine_of,
    metrics,
    plans_on,
    simulate,
    wafer_metrics,
)
from star_watos.watos.memory import plan_bytes
from star_watos.watos.simulate import candidates

MEMORY = "memory of the fullest die"
SWEEP = """
kind: watos-exploration
hardware: watos_config3
workload: {model: llama2_7b, seq_len: 2k, global_batch: 16}
space:
  hardware.grid.rows: {choices: [2, 4]}
  hardware.dram.stacks_per_die: {choices: [1, 3]}
  hardware.dram.stack_capacity: {choices: [200 MB, 3 GB, 16 GB]}
objectives:
  tokens_per_s: maximize
  energy_per_token_j: minimize
"""
DEEPSEEK = (
    "workload={model: deepseek_v3, seq_len: 4k, global_batch: 16, precision: fp16}",
    "wafers=4",
    "expert_groups=[1, 8]",
    "space.hardware.dram.stack_capacity.choices=[6 GB, 16 GB]",
)
CASES = {
    "no limits": (),
    "a limit that some plans keep": ("constraints.power_w.max=3000",),
    "a limit that no plan keeps": ("constraints.power_w.max=20",),
    "a limit that misses by little": ("constraints.tokens_per_s.min=60000",),
    "limits of the wafer": ("constraints.area_mm2.max=2000", "constraints.power_w.max=900"),
    "links without latency": ("hardware.d2d.latency=0 s",),
    "headroom": ("constraints.memory_headroom_bytes.min=2e9",),
    "several wafers and groups of experts": DEEPSEEK,
    "several wafers, a limit": (*DEEPSEEK, "constraints.power_w.max=20000"),
}


def sweep_of(tmp_path, options):
    path = tmp_path / "sweep.yaml"
    path.write_text(SWEEP, encoding="utf-8")
    return load_sweep(WaferExploration, str(path), options)


def of_all_plans(sweep, parameters):
    """All plans with all of their figures, in one table; and how many there are."""
    built = parts(sweep, parameters)
    wafer, training = built["hardware"], built["workload"]
    model, machine = training.load(), Dies(wafer, None, sweep.wafers)
    choices = Choices(ep=sweep.expert_groups)
    plans = legal_plans(model, wafer.grid, training.global_batch, choices, sweep.wafers)
    result = evaluate(machine, model, training, plans)
    return reduce(
        sweep,
        {**mapping_columns(plans), "bound": result.bound},
        metrics(machine, training, result) | wafer_metrics(wafer),
        Room(MEMORY, np.asarray(result.memory_bytes), wafer.memory_capacity_bytes, "B"),
    )


@pytest.mark.parametrize("case", CASES)
def test_a_wafer_has_the_outcome_of_all_its_plans(tmp_path, case):
    sweep, folder = sweep_of(tmp_path, CASES[case])
    problem = WaferProblem(sweep, folder)
    for values in product(*(axis.values() for axis in sweep.space.values())):
        parameters = dict(zip(sweep.space, values, strict=True))
        assert problem.evaluate(parameters) == of_all_plans(sweep, parameters), parameters


def test_these_wafers_hold_all_some_and_none_of_their_plans(tmp_path):
    sweep, folder = sweep_of(tmp_path, ())
    problem = WaferProblem(sweep, folder)
    shares = set()
    for capacity in ("200 MB", "3 GB", "2 TB"):
        outcome = problem.evaluate({"hardware.dram.stack_capacity": capacity})
        shares.add((outcome.feasible > 0, outcome.feasible == outcome.points))
    assert shares == {(False, False), (True, False), (True, True)}
    assert outcome.infeasible == {}


def random_candidate(rng, n):
    """Needs around what there is, and figures around the limits."""
    room = Room("room", rng.integers(6, 16, n) / 1.0, float(rng.integers(5, 13)), "B")
    figures = {"latency_s": rng.integers(1, 12, n) / 1.0, "power_w": rng.integers(1, 12, n) / 1.0}
    return room, {"row": np.arange(n)}, figures


@pytest.mark.parametrize("seed", range(300))
def test_the_nearest_miss_is_that_of_all_mappings(seed):
    sweep, _ = load_sweep(
        CoreExploration,
        "ci_star",
        [
            "objectives={latency_s: minimize, power_w: minimize}",
            f"constraints={{latency_s: {{max: {1 + seed % 5}, min: 0.5}}, power_w: {{min: 9}}}}",
        ],
    )
    rng = np.random.default_rng(seed)
    room, mapping, figures = random_candidate(rng, int(rng.integers(1, 30)))
    asked = []

    def table(rows):
        asked.append(len(rows))
        return tuple({k: c[rows] for k, c in part.items()} for part in (mapping, figures))

    whole = reduce(sweep, mapping, figures, room)
    assert reduce_fitting(sweep, room, table) == whole
    if whole.feasible:
        assert asked == [int((room.need <= room.have).sum())]


def test_a_wafer_without_plans_is_no_legal_design(tmp_path):
    """32 layers cannot be spread over the stages of 40 wafers."""
    sweep, folder = sweep_of(tmp_path, ("wafers=40",))
    outcome = WaferProblem(sweep, folder).evaluate({})
    assert (outcome.rows, outcome.points, outcome.infeasible) == ([], 0, {})


@pytest.mark.parametrize("hardware", ["watos_config3", "dgx_a100"])
@pytest.mark.parametrize("model", ["llama3_70b", "deepseek_v3"])
def test_memory_is_the_same_alone_and_beside_times(hardware, model):
    built, training = load_hardware(hardware), Training(model=model, global_batch=64)
    loaded, machine = training.load(), machine_of(built, training)
    plans = plans_on(built, machine.n_devices, loaded, 64, Choices(zero=(0, 1, 3)))
    together = evaluate(machine, loaded, training, plans).memory_bytes
    np.testing.assert_array_equal(plan_bytes(loaded, training, plans), together)


def test_the_plan_of_a_simulation_is_the_fastest_that_fits():
    wafer, training = load_hardware("watos_config3"), Training(model="llama3_70b", global_batch=64)
    model, machine = training.load(), machine_of(wafer, training)
    found = simulate(wafer, model, training, {})
    every = evaluate(machine, model, training, candidates(wafer, machine, model, training, {}))
    fits = every.memory_bytes <= machine.memory_bytes
    assert found.n_feasible == fits.sum() < found.n_legal == len(fits)
    assert found.iteration.iteration_s == every.iteration_s[fits].min()
