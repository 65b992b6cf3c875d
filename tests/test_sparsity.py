"""Sparsity profiles: what they may say, layer by layer, and what holds beyond their length."""

import json
import subprocess
import sys
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from star_watos.cost import Overflow
from star_watos.explore.candidates import load_sweep
from star_watos.explore.star import CoreExploration, CoreProblem
from star_watos.spec import InputError, load, parse, root, validate
from star_watos.star import (
    AttentionTask,
    AttentionWork,
    Core,
    Resources,
    Sparsity,
    Tile,
    beyond,
    document,
    notes,
    run_task,
    simulate,
)
from star_watos.star import evaluate as evaluate_resources
from star_watos.star.layer import Layer
from star_watos.star.ratios import layer_ratios, mean
from star_watos.star.stages import all_stages
from star_watos.workload import load_model

CORE = load(Core, "star_28nm", "configs/cores")
PROFILE = """\
name: mine
keep_ratio: 0.2
kv_ratio: 0.5
load_ratio: 0.35
accuracy_loss: 0
seq_len: 4k
source: "made up for a test"
layers:
  - keep_ratio: 0.3
    kv_ratio: 0.6
    load_ratio: 0.5
    group_load_ratio: 0.55
    recall: 0.9
    mass_kept: 0.96
    rel_l2: 0.1
    cosine: 0.99
    segments: [0.5, 0.2, 0.1, 0.2]
  - {keep_ratio: 0.1, kv_ratio: 0.4, load_ratio: 0.2}
measured:
  model: smollm2_135m
  text: four chapters of a novel
  predictor: DLZS, weights to 4-bit codes
  sorter: SADS 16 to 4
  segments: 4
  query_tile: 128
  target: softmax mass >= 0.95
  perplexity: {dense: 13, exact_topk: 13.4, star: 13.9}
extrapolation: {exponent: -0.5, low: -1, high: 0, source: "made up for a test"}
"""
MEASURED = validate(Sparsity, parse(PROFILE, "f.yaml"))
TASK = AttentionTask(model="llama2_7b", seq_len=4096, sparsity=MEASURED)
LLAMA = load_model("llama2_7b")


def work(n_layers=1.0, seq_len=4096.0, **ratios):
    """Return Llama-2 7B with the ratios of some layers."""
    shape = (4096.0, n_layers, 32.0, 32.0, 128.0, seq_len, seq_len)
    return AttentionWork(*shape, **ratios)


def evaluate(core, task, keys):
    return evaluate_resources(Resources.of(core), task, Tile(keys, np.ones(np.shape(keys))))


def layer_of(task, keys):
    return Layer.of(Resources.of(CORE), task, Tile(keys))


FIRST = {"keep_ratio": 0.3, "kv_ratio": 0.6, "load_ratio": 0.5}
SECOND = {"keep_ratio": 0.1, "kv_ratio": 0.4, "load_ratio": 0.2}
BOTH = {key: np.array([FIRST[key], SECOND[key]]) for key in FIRST}


def task(seq_len, sparsity=MEASURED, **fields):
    return AttentionTask(model="llama2_7b", seq_len=seq_len, sparsity=sparsity, **fields)


def profile(**fields):
    data = {"keep_ratio": 0.1, "kv_ratio": 0.1, "accuracy_loss": 0, "seq_len": 4096}
    return Sparsity.model_validate({"name": "p", "source": "made up for a test", **data, **fields})


def rule(exponent, low=-1, high=0.5):
    return {"exponent": exponent, "low": low, "high": high, "source": "made up for a test"}


# Layer by layer.


def test_operations_of_two_layers_by_hand():
    """S = q = 4, 32 heads of 128: k = 1 keeps 4 pairs of a head, k = 2 keeps 1 + 2 + 2 + 2 = 7.

    A pair is 128 MACs for the score and 128 for the output, a MAC 2 operations; layers 3 and 1.
    """
    ratios = {"keep_ratio": np.array([0.25, 0.5]), "kv_ratio": np.array([0.5, 0.5])}
    some = work(np.array([3.0, 1.0]), 4.0, **ratios)
    stage = all_stages(layer_of(some, 64.0)).attention
    assert some.total(stage.ops) == 4 * 128 * 32 * (3 * 4 + 7)


def test_loads_by_hand():
    """1,024 tokens in query tiles that see 128 t keys, t = 1 .. 8, and keep k = ceil(102.4) = 103.

    A tile loads 128 t times the ratio, and no fewer than the 103 of its fullest query:
    0.2: 103 in tiles 1 to 4, then 25.6 (5 + 6 + 7 + 8) = 665.6: 1,077.6 rows a head;
    0.3: 103 in tiles 1 and 2, then 38.4 (3 + ... + 8) = 1,267.2: 1,473.2 rows.
    A row is 2 x 128 values of 2 bytes, 16 bursts.
    """
    loads = {
        ratio: layer_of(work(seq_len=1024.0, keep_ratio=0.1, kv_ratio=0.4, load_ratio=ratio), 64.0)
        for ratio in (0.2, 0.3)
    }
    less, more = (all_stages(layer) for layer in loads.values())
    moved = [
        stages.attention.moved_bytes
        for layer, stages in zip(loads.values(), (less, more), strict=True)
    ]
    assert moved[1] - moved[0] == pytest.approx(32 * (1473.2 - 1077.6) * 2 * 128 * 2)
    for name in ("cycles", "moved_bytes", "traffic", "ops"):
        assert getattr(more.kv_generation, name) == getattr(less.kv_generation, name)


def test_a_load_ratio_left_out_is_the_kv_ratio():
    told = evaluate(CORE, work(keep_ratio=0.1, kv_ratio=0.4, load_ratio=0.4), 64.0)
    assert evaluate(CORE, work(keep_ratio=0.1, kv_ratio=0.4), 64.0).metrics == told.metrics
    assert profile(kv_ratio=0.3).loaded == 0.3


ADDED = ("latency_s", "energy_j", "dram_bytes")


@pytest.mark.parametrize("counts", [(1.0, 1.0), (2.0, 30.0)])
def test_layers_are_the_sum_of_runs_of_one_layer(counts):
    """As two calls of `star simulate` would have it, each for the layers that are equal."""
    whole = evaluate(CORE, work(np.array(counts), **BOTH), 64.0)
    parts = [evaluate(CORE, work(n, **r), 64.0) for n, r in zip(counts, (FIRST, SECOND), strict=1)]
    for name in ADDED:
        assert whole.metrics[name] == pytest.approx(sum(p.metrics[name] for p in parts), rel=1e-12)
    for kind in ("stage_s", "memory_s"):
        for name, value in getattr(whole.latency, kind).items():
            by_part = sum(getattr(p.latency, kind)[name] for p in parts)
            assert value == pytest.approx(by_part, rel=1e-12), name
    for kind in ("blocks_j", "stages_j"):
        for name, value in getattr(whole.energy, kind).items():
            by_part = sum(getattr(p.energy, kind)[name] for p in parts)
            assert value == pytest.approx(by_part, rel=1e-12), name


def test_tiles_in_a_column_are_single_tiles_with_layers_too():
    some, tiles = work(np.array([2.0, 30.0]), **BOTH), np.array([32.0, 64.0, 512.0])
    column = evaluate(CORE, some, tiles)
    for i, tile in enumerate(tiles):
        single = evaluate(CORE, some, float(tile))
        for name, values in column.metrics.items():
            assert np.broadcast_to(values, tiles.shape)[i] == single.metrics[name], name
        assert column.fits[i] == single.fits
        assert column.latency.bound[i] is single.latency.bound


def test_the_bound_is_that_of_the_summed_times():
    """One dense layer computes longer than 31 that keep a key in a thousand predict and load."""
    counts = np.array([1.0, 31.0])
    both = {key: np.array([1.0, 0.001]) for key in FIRST}
    dense, sparse = (dict.fromkeys(FIRST, ratio) for ratio in (1.0, 0.001))
    runs = [evaluate(CORE, work(1.0, **r), 64.0).latency for r in (dense, sparse)]
    assert runs[0].bound is not runs[1].bound
    whole = evaluate(CORE, work(counts, **both), 64.0).latency
    predict = whole.stage_s["predict"]
    compute = max(whole.stage_s["kv_generation"], whole.stage_s["attention"])
    assert whole.bound.value == ("predict" if predict > compute else "compute")


def test_what_fits_does_not_depend_on_what_layers_keep():
    """Identifiers leave as they are found: what is held at once follows from the tile alone."""
    small = load(Core, "star_28nm", "configs/cores", ["sram.temp.capacity=6 KiB"])
    dense = dict.fromkeys(FIRST, 1.0)
    both = {key: np.array([1.0, ratio]) for key, ratio in SECOND.items()}
    alone, sparse, whole = (
        simulate(small, work(n, **r), 32)
        for n, r in ((1.0, dense), (1.0, SECOND), (np.ones(2), both))
    )
    assert isinstance(whole, Overflow)
    assert whole == alone == sparse


def test_equal_layers_are_one_group_and_move_nothing():
    layers = [{"keep_ratio": 0.1, "kv_ratio": 0.1, "load_ratio": 0.1}] * 3
    plain, layered = (task(4096, profile(**f)).work(LLAMA) for f in ({}, {"layers": layers}))
    assert plain == layered
    assert (plain.n_layers, plain.keep_ratio) == (32.0, 0.1)


def test_traffic_of_a_profile_without_layers_by_hand():
    """40 layers of 40 heads, no powers of two; D = 5,120, 1,024 tokens, key tile 64, 8 query tiles.

    Bytes of a head, of which 76 = ceil(0.074 x 1,024) keys are kept:
    K^ loaded: 128 (0 + ... + 7) tokens x 256 = 917,504; stored: 1,024 x 256 = 262,144;
    Q in and the output out: 1,024 x 256 = 262,144 each; tokens: 1,024 x 5,120 = 5,242,880;
    codes of a block: 5,120 x 128 x 5/8 = 409,600, of which 98,304 - 86,016 stay, 0.03: over 32
      groups 409,600 x (32 x 0.97 + 0.03) = 12,726,272;
    identifiers out and in: 2 x 8 x 128 x 76 x 2 = 311,296;
    K/V of ceil(0.241 x 1,024) = 247 tokens: 247 x 5,120 = 1,264,640 in, 247 x 512 = 126,464 out,
      and 2 x 128 x 5,120 x 2 = 2,621,440 of weights for each of 11 batches of 24 tokens, as many
      as 196,608 - (32,768 + 32,768 + 8,192) bytes hold;
    rows: 0.241 x 128 t = 30.848 t keys, 76 at least: 76 + 76 + 30.848 (3 + ... + 8) = 1,169.984,
      x 512.
    """
    shape = load_model("llama2_13b")
    sofa = load(Sparsity, "sofa_2pct_union", "configs/sparsity")
    some = AttentionTask(model="llama2_13b", seq_len=1024, sparsity=sofa).work(shape)
    predict = 917_504 + 2 * 262_144 + 5_242_880 + 12_726_272
    generate = 1_264_640 + 126_464 + 11 * 2_621_440
    attend = 1169.984 * 512 + 262_144
    found = evaluate(CORE, some, 64.0).metrics["dram_bytes"]
    assert found == pytest.approx(40 * 40 * (predict + 311_296 + generate + attend), rel=1e-12)


# Whose layers.


@pytest.mark.parametrize(
    ("measured", "model", "expected"),
    [
        (30, 30, list(range(30))),
        (30, 32, [*range(8), *range(7, 23), *range(22, 30)]),
        (30, 15, list(range(1, 30, 2))),
        (2, 5, [0, 0, 1, 1, 1]),
        (1, 3, [0, 0, 0]),
    ],
)
def test_a_layer_takes_the_measured_one_at_its_depth(measured, model, expected):
    ratios = [(i + 1) / measured for i in range(measured)]
    layers = [{"keep_ratio": r, "kv_ratio": r, "load_ratio": r} for r in ratios]
    top = sum(ratios) / measured
    own = profile(keep_ratio=top, kv_ratio=top, layers=layers)
    taken = [r.keep_ratio for r in layer_ratios(own, model, 4096)]
    assert taken == [ratios[i] for i in expected]


def test_equal_depths_are_counted():
    """32 layers of a profile of 2: 16 each."""
    assert TASK.work(LLAMA).n_layers.tolist() == [16.0, 16.0]
    assert TASK.work(LLAMA).load_ratio.tolist() == [0.5, 0.2]


# Beyond the measured length.


def test_a_constant_number_of_keys_by_hand():
    """ceil(0.074 x 4096) = 304 keys at 4k, with exponent -1 at 128k too; with 0 32 times 303.1."""
    sofa = load(Sparsity, "sofa_2pct", "configs/sparsity")
    at_4k, longer = task(4096, sofa), task(131_072, sofa)
    assert at_4k.work(LLAMA).kept_per_row == longer.work(LLAMA, -1).kept_per_row == 304
    assert longer.work(LLAMA, 0).kept_per_row == longer.work(LLAMA).kept_per_row == 9700
    assert longer.work(LLAMA, -1).keep_ratio == 0.074 / 32


def test_all_ratios_of_all_layers_scale_by_one_factor():
    """Twice the length, exponent -1/2: all by 0.7071."""
    first, *_, last = task(8192).ratios(LLAMA)
    assert first == pytest.approx([r / 2**0.5 for r in (0.3, 0.6, 0.5, 0.55)])
    assert last == pytest.approx([*(r / 2**0.5 for r in (0.1, 0.4, 0.2)), None])


def test_ratios_end_at_one_key_and_at_all_of_them():
    few = profile(keep_ratio=1e-6, kv_ratio=0.5, extrapolation=rule(-1))
    assert layer_ratios(few, 1, 8192)[0] == (1 / 8192, 0.25, 0.25, None)
    many = profile(keep_ratio=0.3, kv_ratio=0.6, extrapolation=rule(0.5))
    assert layer_ratios(many, 1, 4 * 4096)[0] == (0.6, 1.0, 1.0, None)


@pytest.mark.parametrize("seq_len", [1, 100, 4096])
def test_within_the_measured_length_ratios_are_those_measured(seq_len):
    assert mean(task(seq_len).ratios(LLAMA)) == pytest.approx((0.2, 0.5, 0.35, None))
    assert beyond(CORE, task(seq_len), LLAMA) is None


@settings(max_examples=25)
@given(
    exponents=st.lists(st.floats(-1, 0.5), min_size=3, max_size=3).map(sorted),
    seq_len=st.sampled_from([4097, 10_000, 131_072, 2**20]),
)
def test_what_is_used_is_within_the_band(exponents, seq_len):
    low, used, high = exponents
    own = profile(kv_ratio=0.2, load_ratio=0.15, extrapolation=rule(used, low, high))
    ahead = beyond(CORE, task(seq_len, own), LLAMA)
    latency_s = simulate(CORE, task(seq_len, own).work(LLAMA)).metrics["latency_s"]
    for (least, most), value in (
        (ahead.keep_ratio_band, ahead.keep_ratio),
        (ahead.latency_s_band, latency_s),
    ):
        assert least <= value * (1 + 1e-9)
        assert value <= most * (1 + 1e-9)


def test_the_band_is_what_two_simulations_give():
    ahead = beyond(CORE, task(8192), LLAMA, 32)
    assert ahead.keep_ratio_band == pytest.approx((0.1, 0.2))
    ends = [simulate(CORE, task(8192).work(LLAMA, e), 32).metrics["latency_s"] for e in (-1, 0)]
    assert list(ahead.latency_s_band) == ends


def test_ends_of_the_band_that_do_not_fit_are_said():
    small = load(Core, "star_28nm", "configs/cores", ["sram.temp.capacity=2 KiB"])
    ahead = beyond(small, task(8192), LLAMA)
    assert ahead.latency_s_band == (None, None)
    none = "none, as it does not fit"
    assert notes(task(8192), LLAMA, ahead)[-1].endswith(f"a latency of {none} to {none}")


@pytest.mark.parametrize(
    ("own", "text"),
    [
        (
            MEASURED,
            (
                "keep ratio 0.2 was measured up to 4,096 tokens; at 8,192 tokens 2^-0.5 times "
                "that is used, 0.1414. Exponents from -1 to 0 give 0.1 to 0.2 and a latency of "
            ),
        ),
        (
            profile(),
            (
                "keep ratio 0.1 was measured up to 4,096 tokens and is held constant up to 8,192; "
                "no band is known"
            ),
        ),
    ],
)
def test_the_note_beyond_the_measured_length(own, text):
    ahead = beyond(CORE, task(8192, own), LLAMA)
    assert notes(task(8192, own), LLAMA, ahead)[-1].startswith(text)


def test_the_note_of_another_number_of_layers():
    (text,) = notes(TASK, LLAMA, None)
    assert text == (
        "mine was measured on 2 layers, llama2_7b has 32: layer i, from 0, takes measured layer "
        "floor((2 i + 1) * 2 / 64)"
    )


# Mistakes.


def said(text):
    with pytest.raises(InputError) as caught:
        validate(Sparsity, parse(text, "f.yaml"))
    return str(caught.value).split("\n")


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        (
            "load_ratio: 0.35",
            "load_ratio: 0.15",
            (
                "f.yaml:1:1  load_ratio 0.15 is below keep_ratio 0.2: keys are kept whose K and V "
                "would never be loaded"
            ),
        ),
        (
            "    load_ratio: 0.5",
            "    load_ratio: 0.2",
            (
                "f.yaml:9:5  layers[0]: load_ratio 0.2 is below keep_ratio 0.3: keys are kept "
                "whose K and V would never be loaded"
            ),
        ),
        (
            "kv_ratio: 0.6",
            "kv_ratio: 0.2",
            (
                "f.yaml:9:5  layers[0]: kv_ratio 0.2 is below keep_ratio 0.3: keys are kept "
                "whose K and V would never be generated"
            ),
        ),
        (
            "group_load_ratio: 0.55",
            "group_load_ratio: 0.45",
            (
                "f.yaml:9:5  layers[0]: group_load_ratio 0.45 is below load_ratio 0.5: the heads "
                "of a group together load at least what one of them does"
            ),
        ),
        (
            "0.1, 0.2]",
            "0.1, 0.1]",
            "f.yaml:9:5  layers[0]: segments sum to 0.9, expected shares that sum to 1",
        ),
        (
            "keep_ratio: 0.2\nkv_ratio: 0.5",
            "keep_ratio: 0.25\nkv_ratio: 0.55",
            (
                "f.yaml:1:1  keep_ratio is 0.25, but its mean over layers is 0.2; kv_ratio is "
                "0.55, but its mean over layers is 0.5: change layers, or leave them out"
            ),
        ),
        (
            "load_ratio: 0.35\n",
            "",
            (
                "f.yaml:1:1  load_ratio is 0.5, but its mean over layers is 0.35: change layers, "
                "or leave them out"
            ),
        ),
        (
            "low: -1, high: 0",
            "low: -0.25, high: 0",
            "f.yaml:28:1  extrapolation: expected low <= exponent <= high, got -0.25, -0.5, 0",
        ),
        (
            "low: -1, high: 0",
            "low: -2, high: 0",
            "f.yaml:28:33  extrapolation.low: expected greater than or equal to -1, got -2",
        ),
        (
            "    recall: 0.9",
            "    recal: 0.9",
            "f.yaml:13:5  layers[0].recal: unknown field (did you mean recall?)",
        ),
        ("cosine: 0.99", "cosine: 2", "f.yaml:16:5  layers[0].cosine: expected less than or equal"),
        (
            "text: four chapters of a novel\n  ",
            "",
            "f.yaml:19:1  measured.text: required, but miss",
        ),
    ],
)
def test_mistakes(old, new, line):
    assert old in PROFILE
    (found,) = said(PROFILE.replace(old, new, 1))
    assert found.startswith(line)


def test_a_profile_goes_through_json_and_back():
    assert Sparsity.model_validate(json.loads(MEASURED.model_dump_json())) == MEASURED


def test_editors_accept_it():
    schema = json.loads((root() / "docs" / "schema" / "star-sparsity.json").read_text())
    data = parse(PROFILE, "f.yaml").data
    jsonschema.validate(data, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(data | {"layers": [{"keep_ratio": 0.1}]}, schema)


# In a sweep.

SWEEP = """\
kind: star-exploration
hardware: star_28nm
workload: {{model: llama2_7b, seq_len: 8k, sparsity: {profile}}}
space:
  hardware.dlzs.columns: {{choices: [16, 32]}}
  {axis}
objectives: {{latency_s: minimize}}
"""


def sweep(folder, name, axis=""):
    (folder / "p.yaml").write_text(PROFILE)
    (folder / "s.yaml").write_text(SWEEP.format(profile=name, axis=axis))
    return load_sweep(CoreExploration, str(folder / "s.yaml"))


def test_a_sweep_takes_the_layers_and_the_extrapolation(tmp_path):
    loaded, folder = sweep(tmp_path, "p.yaml")
    (row,) = CoreProblem(loaded, folder).evaluate({"hardware.dlzs.columns": 32}).rows
    best = simulate(CORE, task(8192).work(LLAMA))
    assert row["latency_s"] == best.metrics["latency_s"]
    assert row["key_tile"] == best.layer.tile.keys


KEEP = "workload.sparsity.keep_ratio: {choices: [0.05, 0.06]}"


def test_a_sweep_over_the_keep_ratio_needs_a_profile_without_layers(tmp_path):
    loaded, folder = sweep(tmp_path, "sofa_2pct", KEEP)
    assert CoreProblem(loaded, folder).evaluate({"workload.sparsity.keep_ratio": 0.05}).rows
    with pytest.raises(InputError) as caught:
        sweep(tmp_path, "p.yaml", KEEP)
    assert (
        str(caught.value)
        .splitlines()[0]
        .endswith(
            "s.yaml:6:3  space.workload.sparsity.keep_ratio: keep_ratio is 0.05, but its mean over "
            "layers is 0.2: change layers, or leave them out"
        )
    )


# On the command line.


def star(folder, *arguments):
    (folder / "p.yaml").write_text(PROFILE)
    result = subprocess.run(
        [Path(sys.executable).parent / "star", "simulate", "--sparsity", "p.yaml", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        cwd=folder,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout, result.stderr.splitlines()


def test_a_profile_with_layers_from_end_to_end(tmp_path):
    out, said = star(tmp_path, "--seq-len", "8k", "--json")
    assert [line.split(" ")[1] for line in said] == ["mine", "keep"]
    report = json.loads(out)
    found = report["workload"]
    assert found["keep_ratio"] == pytest.approx(0.2 / 2**0.5)
    assert found["kv_ratio"] == pytest.approx(0.5 / 2**0.5)
    assert found["load_ratio"] == pytest.approx(0.35 / 2**0.5)
    assert found["keep_ratio_by_layer"] == pytest.approx(
        [c / 2**0.5 for c in [0.3] * 16 + [0.1] * 16]
    )
    ahead = found["extrapolation"]
    assert set(ahead) == {
        "measured_seq_len",
        "exponent",
        "keep_ratio",
        "keep_ratio_band",
        "latency_s_band",
    }
    assert (ahead["measured_seq_len"], ahead["exponent"]) == (4096, -0.5)
    assert ahead["keep_ratio"] == found["keep_ratio"]
    fast, slow = ahead["latency_s_band"]
    assert fast < report["metrics"]["latency_s"] < slow
    stages = sum(stage["dram_bytes"] for stage in report["stages"].values())
    assert stages == pytest.approx(report["metrics"]["dram_bytes"], rel=1e-12)


def test_the_report_says_the_range_and_the_band(tmp_path):
    out, _ = star(tmp_path, "--seq-len", "8k")
    text = " ".join(out.split())
    assert "keep ratio 0.071 to 0.21 by layer, mean 0.14 (mine)" in text
    assert (
        "keep ratio and accuracy loss 0 measured up to 4,096 tokens; beyond, 0.1 to 0.2: latency "
        in text
    )


def test_within_the_measured_length_there_is_no_extrapolation(tmp_path):
    out, said = star(tmp_path, "--seq-len", "4k", "--json")
    assert json.loads(out)["workload"]["extrapolation"] is None
    assert len(said) == 1


@pytest.mark.parametrize(
    ("options", "ratios"),
    [
        (["--keep-ratio", "0.05"], (0.05, 0.05, 0.05)),
        (["--keep-ratio", "0.05", "--kv-ratio", "0.1"], (0.05, 0.1, 0.1)),
        (["--kv-ratio", "0.9"], (0.2, 0.9, 0.35)),
    ],
)
def test_a_ratio_given_is_of_all_layers_at_this_length(tmp_path, options, ratios):
    out, said = star(tmp_path, "--seq-len", "8k", "--json", *options)
    found = json.loads(out)["workload"]
    assert (found["keep_ratio"], found["kv_ratio"], found["load_ratio"]) == ratios
    assert found["keep_ratio_by_layer"] is None
    text = " is of all layers: those of the sparsity profile are left out"
    assert said[0] == f"note: {options[0]}{text}"
    assert any("no band is known" in line for line in said) is ("--keep-ratio" not in options)


def test_the_document_of_a_run_has_its_workload():
    report = document(run_task(CORE, TASK))
    json.dumps(report, allow_nan=False)
    assert report["workload"]["model"] == "llama2_7b"
    assert report["workload"]["phase"] == "prefill"


def test_unions_have_exponents_of_their_own():
    """Four times the length: keep times 4^-0.5, loads times 4^-0.25; generation as it was."""
    rule = {"exponent": -0.5, "kv_exponent": 0, "load_exponent": -0.25, "low": -1, "high": 0}
    own = profile(
        keep_ratio=0.2,
        kv_ratio=0.8,
        load_ratio=0.4,
        extrapolation=rule | {"source": "made up for a test"},
    )
    (taken,) = layer_ratios(own, 1, 4 * own.seq_len)
    assert taken == pytest.approx((0.1, 0.8, 0.4 / 4**0.25, None))
    (low,) = layer_ratios(own, 1, 4 * own.seq_len, exponent=-1)
    assert low == pytest.approx((0.05, 0.4, 0.4 / 4**0.75, None))
