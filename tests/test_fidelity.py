"""The core's formulas against its event simulation, which shares none of them."""

import json
from pathlib import Path

import numpy as np
import pytest

import star_watos
from star_watos.spec import load
from star_watos.star import (
    Attention,
    AttentionTask,
    Core,
    Dataflow,
    Predictor,
    Resources,
    Schedule,
    Sorter,
    Sparsity,
    Tile,
    Tiling,
    evaluate,
)
from star_watos.star.event import run_events
from star_watos.star.stages import Stages
from star_watos.validate.fidelity import Agreement, Case, document, gap_of, gaps, random_cases
from star_watos.validate.searched import searched_cases


def test_random_designs_agree():
    """A seed subset of `star validate --fidelity event`, whose bounds these are."""
    found = list(gaps(random_cases(seed=7, count=60)))
    agreement = Agreement.of(gap.pct for gap in found)
    assert agreement.median_pct <= 3
    assert agreement.p95_pct <= 10
    report = document("random", found)
    assert len(report["rows"]) == report["agreement"]["all"]["cases"] == 60


def test_designs_of_a_front_agree():
    """A search picks what formulas flatter: so the bounds hold for what it finds, too."""
    found = list(gaps(searched_cases("star_llama2_7b_4k", 12, trials=400)))
    assert len(found) == 12
    agreement = Agreement.of(gap.pct for gap in found)
    assert agreement.median_pct <= 3
    assert agreement.p95_pct <= 10


def test_what_streams_in_is_not_hidden():
    """Tokens and codes at 256 GB/s: closed formulas once were 42 % short of the events here."""
    changes = (
        "queries=96 dlzs.columns=40 kv_generation.columns=7 sufa.columns=8 "
        "sram.token.capacity=256KiB sram.weight.capacity=64KiB sram.temp.capacity=28KiB "
        "sram.weight.banks=10 sram.temp.banks=4 dram.bandwidth=256GB/s"
    )
    core = load(Core, "star_28nm", "configs/cores", changes.split())
    profile = load(Sparsity, "sofa_2pct", "configs/sparsity")
    task = AttentionTask(model="llama2_7b", seq_len=4096, sparsity=profile)
    case = Case(core, task.work(task.load()), Tile(120.0), Dataflow())
    assert abs(gap_of(case).pct) < 5


def test_cases_are_legal_and_of_every_kind():
    drawn = list(random_cases(0, 150))
    for kinds, name in (
        (Predictor, "predictor"),
        (Sorter, "sorter"),
        (Attention, "attention"),
        (Schedule, "schedule"),
        (Tiling, "tiling"),
    ):
        assert {getattr(case.flow, name) for case in drawn} == set(kinds)
    assert {case.work.causal for case in drawn} == {True, False}
    assert any(case.work.q_len == 1 for case in drawn)
    assert any(case.tile.heads > 1 for case in drawn)
    for case in drawn:
        assert evaluate(Resources.of(case.core), case.work, case.tile, case.flow).fits


def test_the_same_seed_draws_the_same_cases():
    first, again = ([case.work for case in random_cases(4, 10)] for _ in range(2))
    assert first == again
    assert first != [case.work for case in random_cases(5, 10)]


def test_both_count_the_same_work():
    """Busy time of every array, and bytes moved; few tiles split their quotas less evenly."""
    gaps_of = {name: [] for name in (*Stages._fields, "dram")}
    for case in random_cases(3, 24):
        found = evaluate(Resources.of(case.core), case.work, case.tile, case.flow)
        events = run_events(case.core, case.work, case.tile, case.flow)
        for name in Stages._fields:
            if events.busy_s[name]:
                gaps_of[name].append(float(found.latency.stage_s[name]) / events.busy_s[name] - 1)
        gaps_of["dram"].append(float(found.metrics["dram_bytes"]) / events.dram_moved_bytes - 1)
    for name, part in gaps_of.items():
        assert np.median(np.abs(part)) < 0.005, name
        assert np.percentile(np.abs(part), 90) < 0.06, name


@pytest.mark.parametrize("name", ["predict", "sort", "kv_generation", "attention"])
def test_work_of_the_shipped_point_is_the_same(name):
    case = next(iter(random_cases(0, 1)))
    found = evaluate(Resources.of(case.core), case.work, case.tile, Dataflow())
    events = run_events(case.core, case.work, case.tile, Dataflow())
    assert np.isclose(float(found.latency.stage_s[name]), events.busy_s[name], rtol=0.02)


def test_the_command_compares_designs_of_a_front(run_star, tmp_path):
    code, out, err = run_star(
        "validate",
        "--fidelity",
        "event",
        "--sweep",
        "ci_star",
        "--designs",
        2,
        "--jobs",
        1,
        "--json",
    )
    report = json.loads(out)
    assert (code, err) == (0, "")
    assert report["cases"] == "designs of the front of ci_star"
    assert [row["tiling"] for row in report["rows"]] == ["cross-stage"] * 2
    sweep = (Path(star_watos.__file__).parents[1] / "sweeps" / "ci_star.yaml").read_text()
    (tmp_path / "none.yaml").write_text(sweep + "\nconstraints: {area_mm2: {max: 0.001}}\n")
    code, out, err = run_star("validate", "--fidelity", "event", "--sweep", tmp_path / "none.yaml")
    assert (code, out) == (4, "")
    assert "nothing fits: star explore " in err
