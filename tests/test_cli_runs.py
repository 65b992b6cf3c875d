"""`merge` and `diff` of runs that have ended."""

import csv
import json
import shutil
from pathlib import Path

import pytest

from star_watos.cli.star import app as star
from star_watos.cli.watos import app as watos
from star_watos.explore import Sense, Source, explore
from star_watos.explore.candidates import load_sweep
from star_watos.explore.diff import Best, diff
from star_watos.explore.several import load_alike
from star_watos.explore.star import CoreExploration, CoreProblem


def made(out, *changes):
    """Write a run of `ci_star` with changes, its gates left out."""
    sweep, folder = load_sweep(CoreExploration, "ci_star", ["expect=~", *changes])
    source = Source(sweep.model_dump(mode="json"), folder)
    explore(sweep, CoreProblem(sweep, folder), out, source=source)


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """Return a folder with the whole space, its two halves, another length and other objectives."""
    folder = tmp_path_factory.mktemp("runs")
    axis = "space.hardware.dlzs.columns.choices"
    made(folder / "whole")
    made(folder / "small", f"{axis}=[16]")
    made(folder / "large", f"{axis}=[32, 64]")
    made(folder / "longer", "workload.seq_len=8k")
    made(folder / "latency", "objectives={latency_s: minimize}")
    made(folder / "nothing", "constraints.area_mm2.max=1")
    return folder


@pytest.fixture
def here(stored, run, tmp_path):
    """Return the runner of a command, in a folder with copies of the runs."""
    for folder in stored.iterdir():
        shutil.copytree(folder, tmp_path / folder.name)
    return run


def front(name):
    with Path(name, "pareto.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_halves_of_a_space_merge_to_the_front_of_the_whole(here):
    code, _, err = here(star, "merge", "small", "large", "--out", "both")
    assert (code, err) == (0, "")
    rows = front("both")
    assert {row.pop("run") for row in rows} == {"small", "large"}
    assert rows == front("whole")
    told = json.loads(Path("both/run.json").read_text())
    assert told["front_size"] == len(rows)
    assert sum(part["left"] for part in told["runs"].values()) == len(rows)
    assert list(told["runs"]) == ["small", "large"]
    assert {p.name for p in Path("both").iterdir()} == {"pareto.csv", "run.json"}


def test_a_merged_front_can_be_compared_and_merged_again(here):
    made(Path("again"), "search.sampler=random", "search.trials=5")
    assert here(star, "merge", "again", "whole/pareto.csv", "--out", "both")[0] == 0
    code, out, _ = here(star, "diff", "whole", "both", "--json")
    assert code == 0
    assert json.loads(out)["b_dominates_a"] == {"b": [], "a": []}
    assert len(json.loads(out)["both"]) == len(front("whole"))
    assert here(star, "merge", "both", "longer", "--out", "three")[0] == 0
    runs = json.loads(Path("three/run.json").read_text())["runs"]
    assert list(runs) == ["again", "whole", "longer"]
    assert {row["run"] for row in front("three")} <= set(runs)
    for number, row in enumerate(front("three"), start=1):
        code, out, _ = here(star, "simulate", "--from", "three", "--row", number, "--json")
        assert code == 0
        assert json.loads(out)["metrics"]["area_mm2"] == float(row["area_mm2"])


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (
            ("merge", "whole", "latency", "--out", "o"),
            "latency  has objectives minimize latency_s; whole has maximize throughput_gops, min",
        ),
        (("diff", "whole", "latency"), "latency  has objectives minimize latency_s; whole has"),
        (("diff", "whole", "nowhere"), "nowhere/run.json  cannot be read: No such file"),
        (("merge", "whole", "whole/pareto.csv", "--out", "o"), "whole  is given twice"),
        (("merge", "whole", "--out", "whole", "--force"), "--out whole  is one of the runs that"),
        (("merge", "whole", "--out", "small"), "small  holds a run already"),
    ],
)
def test_what_cannot_be_compared_is_refused(here, words, says):
    before = sorted(Path().rglob("*"))
    code, out, err = here(star, *words)
    assert (code, out) == (2, "")
    assert err.startswith(says)
    assert err.count("\n") == 1
    assert sorted(Path().rglob("*")) == before


def test_a_run_of_the_other_command_is_refused(here):
    code, _, err = here(watos, "merge", "whole", "--out", "o")
    assert (code, err) == (2, "whole  is a run of star, not of watos\n")


@pytest.mark.parametrize(
    ("name", "old", "new", "says"),
    [
        ("run.json", '"seed": 0', '"seed": NaN', "not JSON: NaN is no number of JSON"),
        ("run.json", '"seed": 0', '"seed": ' + "[" * 100_000, "not JSON"),
        ("run.json", '"star-exploration"', '"other"', "expected the configuration of a run"),
        ("pareto.csv", "area_mm2", "area", "area_mm2: design 1: expected a number, got 'None'"),
        ("pareto.csv", "measured,", 'measured,"', "not a table of comma-separated values"),
    ],
)
def test_a_damaged_run_is_refused(here, name, old, new, says):
    path = Path("whole", name)
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    code, out, err = here(star, "diff", "whole", "small")
    assert (code, out) == (2, "")
    assert says in err
    assert err.count("\n") == 1


def test_the_difference_of_a_run_to_itself_is_nothing(here):
    code, out, err = here(star, "diff", "whole", "whole", "--json")
    found = json.loads(out)
    size = len(front("whole"))
    assert (code, err) == (0, "")
    assert found["hypervolume"]["a"] == found["hypervolume"]["b"] > 0
    assert {best["change_pct"] for best in found["best"]} == {0.0}
    assert found["both"] == [{"a": i, "b": i} for i in range(1, size + 1)]
    assert found["changed"] == []
    assert found["config"] == {}


def test_a_part_of_a_space_is_no_better_than_the_whole(stored):
    """Every design of the part is in the whole, or one of the whole dominates it."""
    part, whole = load_alike([stored / "small", stored / "whole"], "star")
    found = diff(part, whole)
    assert found.hypervolume[0] <= found.hypervolume[1]
    assert found.a_over_b.by == []
    kept = {a for a, _ in found.both}
    assert kept.isdisjoint(found.b_over_a.rows)
    assert len(kept) + len(found.b_over_a.rows) == len(part.rows)
    assert list(found.config) == ["space.hardware.dlzs.columns.choices"]


def test_designs_that_dominate_are_those_that_are_nowhere_worse(stored):
    a, b = load_alike([stored / "whole", stored / "longer"], "star")
    found = diff(a, b)

    def dominates(one, other):
        ours, theirs = ((-row["throughput_gops"], row["area_mm2"]) for row in (one, other))
        return ours != theirs and all(x <= y for x, y in zip(ours, theirs, strict=True))

    pairs = [
        (i, j)
        for i, one in enumerate(b.rows, start=1)
        for j, other in enumerate(a.rows, start=1)
        if dominates(one, other)
    ]
    assert found.b_over_a.by == sorted({i for i, _ in pairs})
    assert found.b_over_a.rows == sorted({j for _, j in pairs})
    assert found.config == {"workload.seq_len": (4096, 8192)}


def test_the_terminal_says_what_got_better_and_what_worse(here):
    _, out, _ = here(star, "diff", "whole", "longer")
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert any(line.startswith("best throughput_gops") and line.endswith("worse") for line in lines)
    assert any(line.startswith("best area_mm2") and line.endswith("same") for line in lines)
    assert "workload.seq_len 4096 8192" in lines


def test_an_empty_front_can_be_compared_and_merged(here):
    _, out, _ = here(star, "diff", "nothing", "whole", "--json")
    found = json.loads(out)
    assert found["hypervolume"]["a"] == 0 < found["hypervolume"]["b"]
    assert {(best["a"], best["change_pct"]) for best in found["best"]} == {(None, None)}
    assert here(star, "diff", "nothing", "nothing")[0] == 0
    assert here(star, "merge", "nothing", "whole", "--out", "both")[0] == 0
    assert len(front("both")) == len(front("whole"))
    assert here(star, "merge", "nothing", "--out", "none")[0] == 0
    assert front("none") == []


def test_a_change_from_zero_has_no_share():
    assert Best("x", Sense.MINIMIZE, 0.0, 1.0).change_pct is None
    assert Best("x", Sense.MINIMIZE, -2.0, -1.0).change_pct == 50.0
