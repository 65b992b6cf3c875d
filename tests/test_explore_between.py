"""Keep ratios between measured profiles: a line from one to the next, and nothing beyond."""

import pytest
from pydantic import ValidationError

from star_watos.explore import explore
from star_watos.explore.candidates import load_sweep
from star_watos.explore.star import CoreExploration, CoreProblem
from star_watos.spec import InputError, load
from star_watos.star import AttentionTask, Between, Sparsity
from star_watos.star.ratios import layer_ratios

FAMILY = ("smollm2_2k_90pct", "smollm2_2k", "smollm2_2k_98pct")
SOFA = ("sofa_0pct", "sofa_1pct", "sofa_2pct")
SWEEP = """\
kind: star-exploration
hardware: star_28nm
workload:
  model: smollm2_135m
  seq_len: 2k
  sparsity: {between: [smollm2_2k_90pct, smollm2_2k, smollm2_2k_98pct], at: 1}
space:
  workload.sparsity.at: {range: [0, 2], points: 9}
objectives: {latency_s: minimize, accuracy_loss: minimize}
search: {sampler: exhaustive}
"""


def shipped(names):
    return [load(Sparsity, name, "configs/sparsity") for name in names]


def at(place, names=FAMILY, profiles=None):
    return Between(between=tuple(profiles or shipped(names)), at=place)


@pytest.mark.parametrize("names", [FAMILY, SOFA])
def test_at_whole_numbers_it_is_what_was_measured(names):
    for place, own in enumerate(shipped(names)):
        point = at(place, names)
        assert point.measured
        assert point.profile() == own


def test_a_quarter_of_the_way_by_hand():
    """0.75 x 0.123 + 0.25 x 0.074 = 0.11075; loss 0.75 x 1 % + 0.25 x 2 % = 1.25 %."""
    point = at(1.25, SOFA)
    mixed = point.profile()
    assert not point.measured
    assert mixed.keep_ratio == pytest.approx(0.11075)
    assert mixed.kv_ratio == pytest.approx(0.11075)
    assert mixed.load_ratio is None
    assert mixed.accuracy_loss == pytest.approx(0.0125)
    assert mixed.name == "0.75 sofa_1pct + 0.25 sofa_2pct"
    assert mixed.source.startswith("interpolated, not measured")
    assert mixed.extrapolation == shipped(SOFA)[0].extrapolation


def test_every_layer_is_on_the_line():
    low, high = (layer_ratios(p, 30, 2048) for p in shipped(FAMILY)[:2])
    for place, one, two in zip(layer_ratios(at(0.4).profile(), 30, 2048), low, high, strict=True):
        expected = [0.6 * a + 0.4 * b for a, b in zip(one, two, strict=True)]
        assert list(place) == pytest.approx(expected)


def test_what_holds_at_measured_points_only_is_left_out():
    mixed = at(0.5).profile()
    assert {layer.recall for layer in mixed.layers} == {None}
    assert mixed.measured.perplexity is None
    assert mixed.measured.query_tile == 128
    assert mixed.extrapolation is None


def test_the_loss_falls_as_more_is_kept():
    points = [at(i / 8).profile() for i in range(17)]
    losses = [point.accuracy_loss for point in points]
    kept = [point.keep_ratio for point in points]
    assert losses == sorted(losses, reverse=True)
    assert kept == sorted(kept)


@pytest.mark.parametrize(
    ("place", "names", "says"),
    [
        (2.01, FAMILY, "lies beyond smollm2_2k_98pct, the last measured profile, which is at 2"),
        (-0.1, FAMILY, "greater than or equal to 0"),
        (0, FAMILY[:1], "at least 2 items"),
        (0, ("smollm2_2k", "smollm2_4k"), "smollm2_2k and smollm2_4k differ in seq_len"),
        (0, ("sofa_0pct", "smollm2_4k"), "number of layers"),
        (0, ("sofa_0pct", "sofa_2pct", "sofa_1pct"), "expected falling or rising accuracy loss"),
        (0, ("sofa_1pct", "sofa_1pct"), "expected falling or rising accuracy loss"),
    ],
)
def test_what_is_no_family_or_lies_beyond_it_is_refused(place, names, says):
    with pytest.raises(ValidationError, match=says):
        at(place, names)


@pytest.fixture
def written(tmp_path):
    def write(old="", new=""):
        path = tmp_path / "sweep.yaml"
        path.write_text(SWEEP.replace(old, new, 1), encoding="utf-8")
        return str(path)

    return write


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("at: 1}", "at: 3}", ":6:13  workload.sparsity: at 3 lies beyond smollm2_2k_98pct"),
        ("at: 1}", "att: 1}", ":6:76  workload.sparsity.att: unknown field (did you mean at?)"),
        ("at: 1}", "at: one}", ":6:76  workload.sparsity.at: expected "),
        ("smollm2_2k,", "smol,", ":6:42  workload.sparsity.between[1]: smol: no such file"),
        ("[0, 2], points: 9", "[0, 3]", ":8:3  space.workload.sparsity.at: at 3 lies beyond"),
    ],
)
def test_mistakes_are_named_where_they_stand(written, old, new, says):
    path = written(old, new)
    with pytest.raises(InputError) as caught:
        load_sweep(CoreExploration, path)
    place, _, text = says.partition("  ")
    lines = str(caught.value).splitlines()
    assert any(
        line.startswith(f"{path}{place.rsplit(':', 1)[0]}:") and text in line for line in lines
    )


def test_a_sweep_marks_what_is_measured_and_what_lies_between(written, tmp_path):
    sweep, folder = load_sweep(CoreExploration, written())
    result = explore(sweep, CoreProblem(sweep, folder), tmp_path / "run")
    marks = {row["workload.sparsity.at"]: row["accuracy"] for row in result.rows}
    assert {place for place, mark in marks.items() if mark == "measured"} <= {0.0, 1.0, 2.0}
    assert set(marks.values()) == {"measured", "interpolated"}
    ends = {row["workload.sparsity.at"]: row["accuracy_loss"] for row in result.rows}
    assert (ends[0.0], ends[2.0]) == (0.0442, 0.0038)


def test_a_measured_point_costs_what_its_profile_does(written):
    """To the last digit."""
    sweep, _ = load_sweep(CoreExploration, written())
    for place, name in enumerate(FAMILY):
        point, own = ({"workload.sparsity.at": place}, {"workload.sparsity": name})
        problem = CoreProblem(sweep)
        assert problem.evaluate(point).rows == problem.evaluate(own).rows


def test_a_point_is_a_profile_wherever_one_is():
    point = {"between": shipped(SOFA), "at": 0.5}
    task = AttentionTask(model="llama2_7b", seq_len=4096, sparsity=point)
    assert task.profile.keep_ratio == pytest.approx((0.187 + 0.123) / 2)
    assert AttentionTask.model_validate(task.model_dump()) == task


def test_simulate_takes_a_file_with_a_point(run_star, tmp_path):
    path = tmp_path / "point.yaml"
    path.write_text("{between: [sofa_1pct, sofa_2pct], at: 0.5}")
    code, out, err = run_star("simulate", "--seq-len", "4k", "--sparsity", path)
    assert code == 0, err
    assert "0.5 sofa_1pct + 0.5 sofa_2pct" in " ".join(out.split())
