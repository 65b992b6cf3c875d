"""`watos compare`: the paper's models under every strategy, part by part."""

import json

import pytest

from star_watos.cli.watos import app
from star_watos.compare.training import Case, Known, Row, document, known_models
from star_watos.compare.training.case import CENTRAL, PARTS
from star_watos.compare.training.rows import ALL, STEPS
from star_watos.cost import Overflow
from star_watos.spec import load
from star_watos.watos import Training, Wafer

WAFER = load(Wafer, "watos_config3", "configs/wafers")


def row(model, wafers=1, wafer=WAFER, **workload):
    training = Training(model=model, precision="fp16", **workload)
    return Row(Known(model, wafers, None, "a test"), Case(wafer, wafers, training.load(), training))


@pytest.fixture(scope="module", params=["gshard_137b", "gpt3_175b"])
def compared(request):
    return row(request.param, global_batch=64)


@pytest.fixture(scope="module")
def report():
    found = row("gshard_137b")
    return json.loads(json.dumps(document(WAFER, found.case.training, [found])))


def test_the_papers_models_are_known():
    assert [known.model for known in known_models()] == [
        "llama_30b",
        "llama3_70b",
        "gshard_137b",
        "gpt3_175b",
        "deepseek_v3",
    ]
    assert [known.wafers for known in known_models()] == [1, 1, 1, 1, 4]


def test_every_step_of_the_ladder_is_as_fast_as_the_one_before(compared):
    ladder = compared.ladder
    assert len(ladder) == len(STEPS) == len(PARTS) + 1
    assert ladder[0] == 1.0
    assert ladder == sorted(ladder)
    assert ladder[-1] > 1.0


@pytest.mark.parametrize("part", PARTS)
def test_no_part_left_out_is_faster(compared, part):
    assert compared.speedup(frozenset({part})) <= compared.ladder[-1]


def test_what_is_found_is_found_again_alone(compared):
    """The raw search without everything is Megatron-LM's plan; the whole one is no slower."""
    nothing, everything = compared.case.without(ALL), compared.case.without(frozenset())
    assert nothing.setting is compared.case.megatron
    assert compared.found[frozenset()].iteration_s <= everything.iteration_s
    assert compared.case.without(frozenset({CENTRAL})).iteration_s <= nothing.iteration_s


def test_shares_are_shares(compared):
    for trained in compared.trained.values():
        assert 0 < trained.mfu < 1
        assert 0 < trained.memory_utilization <= 1
        assert 0 <= trained.recomputed_share < 1
        assert trained.tokens_per_s == pytest.approx(64 * 4096 / trained.iteration_s)


def test_deepseek_fits_where_stages_keep_for_each_other():
    """61 layers share evenly over few numbers of stages; each wafer's stages keep for their own."""
    found = row("deepseek_v3", 4)
    assert found.case.without(frozenset({"memory-scheduler"})) is None
    best = found.case.without(frozenset())
    assert best is not None
    assert best.balanced is not None
    parked = best.balanced.scheduled.balance.parked_bytes
    assert parked.any()
    wafer = [stage // (len(parked) // 4) for stage in range(len(parked))]
    assert all(wafer[a] == wafer[b] for a, b in zip(*parked.nonzero(), strict=True))


def test_what_does_not_fit_says_so():
    small = WAFER.dram.model_copy(update={"stack_capacity_bytes": 2e9})
    found = row("gpt3_175b", wafer=WAFER.model_copy(update={"dram": small}), global_batch=64)
    assert isinstance(found.trained["watos"], Overflow)
    assert isinstance(found.trained["megatron_wafer"], Overflow)
    assert found.ratio("megatron_wafer") is None
    assert found.ladder == [None] * len(STEPS)


def test_the_document_is_the_contract(report):
    assert report["schema"] == "watos-compare/1"
    (model,) = report["models"]
    strategies = {"watos", "megatron_wafer", "megatron_gpu", "weight_streaming"}
    assert model["model"] == "gshard_137b"
    assert set(model["tokens_per_s"]) == set(model["plans"]) == strategies
    names = {"vs_megatron_wafer", "vs_weight_streaming", "vs_megatron_gpu"}
    assert set(report["headline"]) == names
    papers = {name: found["paper"] for name, found in report["headline"].items()}
    assert papers == {
        "vs_megatron_wafer": 2.74,
        "vs_weight_streaming": 1.53,
        "vs_megatron_gpu": 1.92,
    }
    for name, found in report["headline"].items():
        assert found["why"]
        assert found["ours"] == pytest.approx(model["ratios"][name]["ours"])
        assert found["other_readings"]
    assert [step["step"] for step in report["ladder"]] == list(STEPS)
    assert set(model["without"]) == set(PARTS)


def test_readings_go_the_way_they_must(report):
    headline = report["headline"]
    fed = headline["vs_weight_streaming"]
    slow = fed["other_readings"]["150 GB/s into the wafer"]
    assert slow > fed["other_readings"]["400 GB/s into the wafer"] >= fed["ours"]
    gpus = headline["vs_megatron_gpu"]
    assert all(ratio > gpus["ours"] for ratio in gpus["other_readings"].values())
    megatron = headline["vs_megatron_wafer"]
    assert megatron["other_readings"]["TP 8 and full recomputation"] > megatron["ours"]


def test_the_command_prints_all_tables(run):
    asked = ("compare", "--model", "llama2_13b", "--global-batch", "64")
    code, out, _ = run(app, *asked, "--json")
    assert code == 0
    assert json.loads(out)["models"][0]["ratios"]["vs_megatron_wafer"]["paper"] is None
    code, out, _ = run(app, *asked)
    assert code == 0
    text = " ".join(out.split())
    for title in ("Throughput over the others", "part by part", "each part left out alone"):
        assert title in text


def test_mistakes_are_named(run, closed_wafer):
    code, _, err = run(app, "compare", closed_wafer)
    assert code == 2
    assert "off_wafer.bandwidth" in err
    code, _, err = run(app, "compare", "--model", "lama3_70b")
    assert code == 2
    assert "llama3_70b" in err
