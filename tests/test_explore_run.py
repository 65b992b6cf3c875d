"""Whole searches on toy problems whose answer brute force knows."""

import csv
import hashlib
import itertools
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import numpy as np
import pytest

from star_watos import explore as ex
from star_watos.cost import Overflow
from star_watos.spec import InputError

POWERS_KIB = [16, 32, 64, 128]


class ToySweep(ex.Exploration):
    metrics: ClassVar[frozenset[str]] = frozenset({"time_s", "area_mm2", "power_w"})
    kind: Literal["toy"] = "toy"


@dataclass(frozen=True)
class Toy:
    """An array of rows x cols with a memory; the mapping is how many rows a tile has."""

    max_area_mm2: float = math.inf

    def mappings(self, p: ex.Parameters) -> Iterator[ex.Row]:
        rows, cols, memory = int(p["rows"]), int(p["cols"]), float(p["sram_kib"])
        for tile in (1, 2, 4, 8):
            useful = math.ceil(24 / rows) * math.ceil(24 / cols)
            compute_s = useful * (1 + 0.3 / tile)
            memory_s = 300 * tile / memory
            yield {
                "tile": tile,
                "time_s": max(compute_s, memory_s) + 0.1 * min(compute_s, memory_s),
                "area_mm2": rows * cols * 0.5 + memory * 0.3,
                "power_w": rows * cols / useful + 0.05 * memory * tile,
                "bound": "compute" if compute_s > memory_s else "sram",
            }

    def evaluate(self, parameters: ex.Parameters) -> ex.Outcome:
        rows = list(self.mappings(parameters))
        fit = [row for row in rows if row["area_mm2"] <= self.max_area_mm2]
        if not fit:
            need = min(row["area_mm2"] for row in rows)
            nearest = Overflow("area_mm2", float(need), self.max_area_mm2, "mm2")
            return ex.Outcome([], len(rows), 0, {"area_mm2": len(rows)}, nearest)
        count = len(rows) - len(fit)
        return ex.Outcome(fit, len(rows), len(fit), {"area_mm2": count} if count else {})


@dataclass(frozen=True)
class Broken(Toy):
    """Some candidates are no legal design, some give a metric that is not a number."""

    def evaluate(self, parameters: ex.Parameters) -> ex.Outcome:
        if parameters["rows"] == 2:
            raise InputError.of("--set", "2 rows cannot be built", "rows")
        outcome = super().evaluate(parameters)
        if parameters["rows"] == 3:
            bad = [{**row, "time_s": math.nan} for row in outcome.rows]
            return replace(outcome, rows=bad)
        return outcome


class Typed(Toy):
    """Returns NumPy scalars, as column models do."""

    def evaluate(self, parameters: ex.Parameters) -> ex.Outcome:
        outcome = super().evaluate(parameters)
        rows = [{**row, "time_s": np.float64(row["time_s"])} for row in outcome.rows]
        return replace(outcome, rows=rows)


def sweep(**changes) -> ToySweep:
    """A space of 8 x 8 x 4 = 256 candidates, 1,024 points with the mappings."""
    base = {
        "space": {
            "rows": {"range": [1, 8]},
            "cols": {"range": [1, 8]},
            "sram_kib": {"choices": POWERS_KIB},
        },
        "objectives": {"time_s": "minimize", "area_mm2": "minimize"},
        "search": {"sampler": "exhaustive"},
    }
    return ToySweep.model_validate(base | changes)


def nsga2(trials: int, **more):
    return {"sampler": "nsga2", "trials": trials, "population": 20, **more}


def brute_force(toy: Toy, a_sweep: ToySweep) -> set[tuple[float, ...]]:
    """The objectives of the front, by comparing every point with every other one."""
    axes = {name: axis.values() for name, axis in a_sweep.space.items()}
    signs = [1 if sense is ex.Sense.MINIMIZE else -1 for sense in a_sweep.objectives.values()]
    points = {
        tuple(s * row[name] for s, name in zip(signs, a_sweep.objectives, strict=True))
        for values in itertools.product(*axes.values())
        for row in toy.evaluate(dict(zip(axes, values, strict=True))).rows
    }
    front = {p for p in points if not any(q != p and all(map(float.__le__, q, p)) for q in points)}
    return {tuple(s * x for s, x in zip(signs, p, strict=True)) for p in front}


def read(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def found(result: ex.Result, a_sweep: ToySweep) -> set[tuple[float, ...]]:
    rows = read(result.out / "pareto.csv")
    return {tuple(float(row[name]) for name in a_sweep.objectives) for row in rows}


@pytest.mark.parametrize(
    "objectives",
    [
        {"time_s": "minimize"},
        {"time_s": "minimize", "area_mm2": "minimize"},
        {"power_w": "maximize", "area_mm2": "minimize", "time_s": "minimize"},
    ],
)
@pytest.mark.parametrize("limit", [math.inf, 30.0])
def test_the_front_of_an_enumeration_is_that_of_brute_force(tmp_path, objectives, limit):
    a_sweep, toy = sweep(objectives=objectives), Toy(limit)
    result = ex.explore(a_sweep, toy, tmp_path / "run")
    assert found(result, a_sweep) == brute_force(toy, a_sweep)
    assert result.manifest["points_evaluated"] == 1024
    assert result.exit_code == 0


def test_a_space_no_larger_than_the_trials_is_enumerated(tmp_path):
    a_sweep = sweep(search=nsga2(256))
    result = ex.explore(a_sweep, Toy(), tmp_path / "run")
    assert found(result, a_sweep) == brute_force(Toy(), a_sweep)
    assert result.tally.distinct == result.tally.asked == 256


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_nsga2_reaches_99_percent_of_the_hypervolume(tmp_path, seed):
    space = {
        "rows": {"range": [1, 22]},
        "cols": {"range": [1, 23]},
        "sram_kib": {"choices": POWERS_KIB},
    }
    whole = ex.explore(sweep(space=space), Toy(), tmp_path / "whole")
    assert whole.manifest["outer_trials"] == 2024
    expect = {
        "hypervolume": {"min_ratio": 0.99, "reference": str(tmp_path / "whole" / "pareto.csv")}
    }
    search = nsga2(300, seed=seed)
    result = ex.explore(sweep(space=space, search=search, expect=expect), Toy(), tmp_path / "some")
    assert 0.99 <= result.gates[0].found <= 1.0
    assert result.exit_code == 0


@pytest.mark.parametrize("sampler", ["nsga2", "tpe", "random", "exhaustive"])
def test_two_runs_with_one_seed_write_the_same_bytes(tmp_path, sampler):
    a_sweep = sweep(search={"sampler": sampler, "trials": 60, "population": 10, "seed": 5})
    for name in "ab":
        ex.explore(a_sweep, Toy(30), tmp_path / name)
    for name in ("pareto.csv", "trials.csv"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_the_number_of_workers_changes_no_byte(tmp_path):
    a_sweep = sweep(search=nsga2(100))
    for jobs in (1, 2):
        ex.explore(a_sweep, Broken(30), tmp_path / str(jobs), ex.How(jobs))
    for name in ("pareto.csv", "trials.csv"):
        assert (tmp_path / "1" / name).read_bytes() == (tmp_path / "2" / name).read_bytes()


def test_another_seed_asks_for_something_else(tmp_path):
    for seed in (0, 1):
        ex.explore(sweep(search=nsga2(40, seed=seed)), Toy(), tmp_path / str(seed))
    assert read(tmp_path / "0" / "trials.csv") != read(tmp_path / "1" / "trials.csv")


def test_repeats_are_counted_but_not_evaluated_again(tmp_path):
    space = {"rows": {"range": [1, 4]}, "cols": {"choices": [1, 2]}, "sram_kib": {"choices": [16]}}
    a_sweep = sweep(space=space, search={"sampler": "random", "trials": 7, "batch": 3})
    result = ex.explore(a_sweep, Toy(), tmp_path / "run")
    trials = read(result.out / "trials.csv")
    first = [row for row in trials if not row["repeat_of"]]
    assert len(trials) == result.tally.asked == 7
    assert len(first) == result.tally.distinct < 7
    assert result.tally.points == 4 * len(first)
    for row in trials:
        if row["repeat_of"]:
            original = trials[int(row["repeat_of"])]
            assert {**original, "number": row["number"], "repeat_of": row["repeat_of"]} == row


def test_where_nothing_fits_the_nearest_miss_is_told(tmp_path):
    a_sweep = sweep(search=nsga2(80))
    result = ex.explore(a_sweep, Toy(5.0), tmp_path / "run")
    assert result.exit_code == 4
    assert result.rows == []
    # The smallest design is 1 x 1 with 16 KiB: 0.5 + 4.8 = 5.3 mm2, 6 % over.
    assert result.nearest == Overflow("area_mm2", 5.3, 5.0, "mm2")
    assert result.why == "area_mm2"
    assert result.manifest["hypervolume"] is None
    assert (result.out / "pareto.csv").read_text() == "rows,cols,sram_kib,time_s,area_mm2,bound\n"
    trials = read(result.out / "trials.csv")
    assert {row["state"] for row in trials} == {"infeasible"}
    assert {row["constraint"] for row in trials} == {"area_mm2"}
    assert min(float(row["excess"]) for row in trials) == pytest.approx(0.06)


def test_rows_beyond_a_limit_are_dropped_and_counted(tmp_path):
    limits = {"power_w": {"max": 10}, "time_s": {"min": 2, "max": 40}}
    a_sweep = sweep(constraints=limits)
    result = ex.explore(a_sweep, Toy(), tmp_path / "run")
    assert all(row["power_w"] <= 10 and 2 <= row["time_s"] <= 40 for row in result.rows)
    counts = result.manifest["infeasible"]
    assert set(counts) == {"power_w", "time_s"}
    assert sum(counts.values()) + result.tally.feasible == result.tally.points == 1024


def test_an_illegal_design_is_a_trial_that_failed(tmp_path):
    result = ex.explore(sweep(), Broken(), tmp_path / "run")
    trials = read(result.out / "trials.csv")
    assert {row["constraint"] for row in trials if row["rows"] == "2"} == {
        "rows: 2 rows cannot be built"
    }
    assert {row["state"] for row in trials if row["rows"] in "23"} == {"invalid"}
    assert result.manifest["infeasible"] == {
        "metric that is not a finite number": 8 * 4 * 4,
        "no legal design": 8 * 4,
    }
    only = sweep(space={**sweep().model_dump()["space"], "rows": {"choices": [2]}})
    nothing = ex.explore(only, Broken(), tmp_path / "nothing")
    assert (nothing.exit_code, nothing.why) == (4, "rows: 2 rows cannot be built")


def test_numpy_scalars_are_written_as_plain_numbers(tmp_path):
    for name, toy in (("plain", Toy()), ("typed", Typed())):
        ex.explore(sweep(), toy, tmp_path / name)
    plain, typed = ((tmp_path / n / "pareto.csv").read_bytes() for n in ("plain", "typed"))
    assert plain == typed


def test_pareto_csv_is_sorted_and_in_the_stated_order(tmp_path):
    objectives = {"power_w": "maximize", "area_mm2": "minimize"}
    result = ex.explore(sweep(objectives=objectives), Toy(), tmp_path / "run")
    text = (result.out / "pareto.csv").read_text()
    head = "rows,cols,sram_kib,tile,time_s,area_mm2,power_w,bound\n"
    assert text.startswith(head)
    powers = [float(row["power_w"]) for row in read(result.out / "pareto.csv")]
    assert powers == sorted(powers, reverse=True)
    assert "\r" not in text


def test_run_json_says_where_the_result_comes_from(tmp_path):
    config = {"kind": "toy", "search": {"seed": 3}}
    result = ex.explore(
        sweep(search=nsga2(60, seed=3)), Toy(), tmp_path / "run", source=ex.Source(config)
    )
    run = json.loads((result.out / "run.json").read_text())
    assert run == json.loads(json.dumps(result.manifest))
    canonical = '{"kind":"toy","search":{"seed":3}}'
    assert run["config_hash"] == hashlib.sha256(canonical.encode()).hexdigest()
    assert run["config"] == config
    assert (run["seed"], run["outer_trials"], run["stop"]) == (3, 60, "done")
    assert set(run["time_s"]) == {"model", "sampler", "io", "other"}
    assert sum(run["time_s"].values()) == pytest.approx(run["wall_s"])
    assert run["packages"]["optuna"].startswith("5.")
    assert run["front_size"] == len(read(result.out / "pareto.csv"))
    assert set(run["hypervolume_reference"]) == {"time_s", "area_mm2"}


def test_the_hypervolume_never_falls_and_ends_at_that_of_the_run(tmp_path):
    run = ex.explore(sweep(search=nsga2(120)), Toy(), tmp_path / "run").manifest
    volumes = [step["hypervolume"] for step in run["convergence"]]
    assert volumes == sorted(volumes)
    assert volumes[-1] == run["hypervolume"] > 0
