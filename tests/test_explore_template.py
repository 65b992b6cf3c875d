"""The template's own point against the front; the shipped sweep dominates the published core."""

import json
import re

import pytest

from star_watos.explore import explore
from star_watos.explore.candidates import baseline, load_sweep
from star_watos.explore.star import CoreExploration, CoreProblem
from star_watos.spec import load
from star_watos.star import AttentionTask, Core, Sparsity
from star_watos.star.run import run_task

FEW = (
    "space={hardware.queries: {choices: [96, 128]},"
    " hardware.dlzs.columns: {choices: [32, 48]},"
    " hardware.kv_generation.columns: {choices: [4, 7]},"
    " hardware.sufa.columns: {choices: [4, 8]},"
    " hardware.sram.temp.capacity: {choices: [24 KiB, 28 KiB]},"
    " workload.sparsity.at: {choices: [1.0, 1.75, 2.0]}}"
)


@pytest.fixture
def run_of(tmp_path):
    def run(*options):
        sweep, folder = load_sweep(CoreExploration, "star_llama2_7b_4k", options)
        problem = CoreProblem(sweep, folder)
        return explore(sweep, problem, tmp_path / "run", baseline=baseline(sweep))

    return run


BETTER = (
    "queries=96 dlzs.columns=64 kv_generation.columns=7 sufa.columns=6 sram.token.capacity=256KiB"
    " sram.weight.capacity=192KiB sram.temp.capacity=24KiB sram.temp.banks=4"
)
"""One of those that the shipped sweep finds."""


def run_at_published_point(*options):
    """Return the shipped core, changed by `options`, at the published point."""
    profile = load(Sparsity, "sofa_2pct", "configs/sparsity")
    task = AttentionTask(model="llama2_7b", seq_len=4096, sparsity=profile)
    return run_task(load(Core, "star_28nm", "configs/cores", options), task)


def published():
    """Return the figures of the published point."""
    return run_at_published_point().result.metrics | {"accuracy_loss": 0.02}


def test_designs_of_the_shipped_sweep_dominate_the_published_core(run_of):
    """A part of its space, whole: lower latency, lower energy, less silicon, no more loss."""
    result, own = run_of(FEW), published()
    assert result.template.row["latency_s"] == pytest.approx(own["latency_s"], rel=1e-12)
    faster = [
        row
        for row in result.rows
        if row["latency_s"] < own["latency_s"]
        and row["energy_j"] < own["energy_j"]
        and row["area_mm2"] < own["area_mm2"]
        and row["accuracy_loss"] <= own["accuracy_loss"]
    ]
    assert len(faster) >= 1
    assert sum(n for count, n in result.template.better_in.items() if count >= 3) >= len(faster)
    assert min(row["latency_s"] for row in faster) < 0.85 * own["latency_s"]


def test_one_of_them_dominates_event_by_event_too():
    better, own = (
        run_at_published_point(*options).played().result.metrics for options in (BETTER.split(), ())
    )
    assert better["latency_s"] < 0.93 * own["latency_s"]
    assert better["energy_j"] < 0.86 * own["energy_j"]
    assert better["area_mm2"] < own["area_mm2"]


def test_the_parts_of_its_space_are_in_it():
    few, _ = load_sweep(CoreExploration, "star_llama2_7b_4k", [FEW])
    whole, _ = load_sweep(CoreExploration, "star_llama2_7b_4k")
    for key, axis in few.space.items():
        assert set(axis.values()) <= set(whole.space[key].values())


def test_what_is_written_of_the_template(run_of):
    result = run_of(FEW)
    document = json.loads((result.out / "run.json").read_text(encoding="utf-8"))["template"]
    assert list(document["point"]) == list(result.objectives)
    assert document["dominated_by"] == sum(document["better_in"].values()) > 0
    assert document["point"]["accuracy_loss"] == 0.02


def test_a_template_on_the_front_is_dominated_by_nothing(run_of):
    result = run_of("space={hardware.queries: {choices: [128]}}")
    assert result.template.better_in == {}
    assert result.template.row["latency_s"] == result.rows[0]["latency_s"]


def test_a_template_beyond_a_limit_has_no_point(run_of):
    result = run_of(FEW, "constraints.area_mm2.max=5.7")
    assert result.rows
    assert result.template is None
    assert result.manifest["template"] is None


@pytest.mark.parametrize(
    ("space", "says"),
    [
        (FEW, r"the template itself: latency_s 0\.72\d+, .* of the front dominate it: "),
        ("space={hardware.queries: {choices: [128]}}", "; nothing dominates it"),
    ],
)
def test_the_terminal_says_so(run_star, tmp_path, space, says):
    code, out, err = run_star(
        "explore", "star_llama2_7b_4k", "--out", tmp_path / "run", "--jobs", 1, "--set", space
    )
    assert code == 0, err
    assert re.search(says, " ".join(out.split()))
