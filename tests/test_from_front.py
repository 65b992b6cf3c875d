"""Designs of a stored front, run again: the same figures to the last digit."""

import json
import shutil

import pytest
from typer.testing import CliRunner

from star_watos.cli.star import app as star
from star_watos.cli.watos import app as watos
from star_watos.explore.kinds import kind_of
from star_watos.explore.stored import Stored
from star_watos.spec import InputError, load, locate
from star_watos.watos import Wafer

APPS = {"star": star, "watos": watos}
FEW = ("--trials", "8", "--jobs", "1", "--json", "--set", "search.sampler=random")
FEW += ("--set", "expect=null")  # of a whole search
RUNS = {
    "ci_star": (),
    "ci_watos": (),
    "star_llama2_7b_4k": (),
    "star_long_context": ("--set", "workload.phase=chunked", "--set", "workload.queries=32k"),
    "star_mesh": (),
    "star_smollm2_2k": ("--set", "workload.phase=chunked", "--set", "workload.queries=512"),
    "watos_deepseek_v3": (),
    "watos_gpt3_175b": ("--set", "wafers=2"),
    "watos_llama3_70b": (),
    "watos_serving": ("--trials", "2"),
}


def invoke(*words):
    tool, *rest = map(str, words)
    return CliRunner().invoke(APPS[tool], rest)


def tool_of(name):
    return "star" if "star" in name else "watos"


@pytest.fixture(scope="module")
def run_of(tmp_path_factory):
    """Explore a shipped sweep, each once."""
    made = {}

    def run(name):
        if name not in made:
            made[name] = out = tmp_path_factory.mktemp("runs") / name
            done = invoke(tool_of(name), "explore", name, "--out", out, *FEW, *RUNS[name])
            assert done.exit_code == 0, done.output
        return made[name]

    return run


def again(run, *more):
    """Return the document of the command that looks at a design of a run."""
    done = invoke(*Stored.load(run).asked.kind.command.split(), "--from", run, *more, "--json")
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def metrics(document):
    return document["metrics"] if "metrics" in document else document["ways"][document["best"]]


@pytest.mark.parametrize("name", RUNS)
def test_every_design_has_the_figures_of_its_row(run_of, name):
    stored = Stored.load(run_of(name))
    assert stored.rows
    for number, row in enumerate(stored.rows, start=1):
        document = again(run_of(name), "--row", number)
        found = metrics(document)
        shared = row.keys() & found.keys()
        assert len(shared) >= 5
        assert {key: found[key] for key in shared} == {key: row[key] for key in shared}
        if "key_tile" in row:
            assert document["design"]["key_tile"] == row["key_tile"]


def test_the_runs_are_of_all_kinds_and_shapes(run_of):
    kinds = {kind_of(name, tool_of(name)).value for name in RUNS}
    assert len(kinds) == 4
    assert any(isinstance(row["key_tile"], str) for row in rows_of(run_of, "star_smollm2_2k"))
    assert any(row["ep"] > 1 for row in rows_of(run_of, "watos_deepseek_v3"))
    assert any(row["way"] == "apart" for row in rows_of(run_of, "watos_serving"))


def rows_of(run_of, name):
    return Stored.load(run_of(name)).rows


def test_the_first_design_is_taken_when_none_is_named(run_of):
    run = run_of("ci_star")
    assert again(run / "pareto.csv") == again(run, "--row", 1)


def test_a_model_beside_its_sweep_is_found_again(tmp_path, monkeypatch):
    """From another folder than that in which the run was started."""
    shutil.copy(locate("llama2_7b", "configs/models"), tmp_path / "mine.json")
    text = locate("ci_star", "sweeps").read_text(encoding="utf-8")
    assert "model: llama2_7b" in text
    own = text.replace("model: llama2_7b", "model: mine.json")
    (tmp_path / "sweep.yaml").write_text(own, encoding="utf-8")
    run = tmp_path / "run"
    done = invoke("star", "explore", tmp_path / "sweep.yaml", "--out", run, *FEW)
    assert done.exit_code == 0, done.output
    monkeypatch.chdir("/")
    row = Stored.load(run).row(1)
    assert again(run)["metrics"]["latency_s"] == row["latency_s"]


def merged(stored, name, folder):
    """Write a front whose one design is the first of the run `name`, as merging writes it."""
    runs = {each: one.manifest for each, one in stored.items()}
    (folder / "run.json").write_text(json.dumps({"runs": runs}))
    head, first = stored[name].front.read_text().splitlines()[:2]
    (folder / "pareto.csv").write_text(f"{head},run\n{first},{name}\n")


def test_a_row_of_merged_runs_is_of_its_own_run(run_of, tmp_path):
    runs = {"a": run_of("watos_llama3_70b"), "7": run_of("ci_watos")}
    stored = {name: Stored.load(path) for name, path in runs.items()}
    for name, run in runs.items():
        merged(stored, name, tmp_path)
        assert again(tmp_path) == again(run)
        assert Stored.load(tmp_path).asked == stored["a"].asked


def test_a_row_of_an_unknown_run_is_refused(run_of, tmp_path):
    merged({"a": Stored.load(run_of("ci_star"))}, "a", tmp_path)
    front = tmp_path / "pareto.csv"
    front.write_text(front.read_text().replace(",a\n", ",b\n"))
    done = invoke("star", "simulate", "--from", tmp_path)
    assert isinstance(done.exception, InputError)
    assert "run: expected one of a, got 'b'" in str(done.exception)


def test_the_event_simulation_replays_a_design(run_of, tmp_path):
    trace = tmp_path / "trace.json"
    for name in ("ci_star", "star_smollm2_2k", "ci_watos", "star_mesh"):
        document = again(run_of(name), "--fidelity", "event", "--trace", trace)
        row = Stored.load(run_of(name)).row(1)
        played = document["metrics"].get("latency_s", document["metrics"].get("iteration_s"))
        formula = row.get("latency_s", row.get("iteration_s"))
        assert played == pytest.approx(formula, rel=0.15)
        assert json.loads(trace.read_text())["traceEvents"]


def test_a_design_can_be_balanced_broken_and_changed(run_of, tmp_path):
    run = run_of("ci_watos")
    assert again(run, "--balance")["balance"]
    assert again(run, "--faults", "links=0.02,seed=1")["faults"]
    assert again(run, "--chakra", tmp_path / "et")["chakra"]["files"]
    slower = again(run, "--set", "d2d.latency=1 us")
    assert slower["metrics"]["iteration_s"] > again(run)["metrics"]["iteration_s"]
    assert load(Wafer, slower["wafer"]["name"], "configs/wafers").d2d.latency_s != 1e-6


def test_both_parts_of_a_mesh_can_be_changed(run_of):
    run = run_of("star_mesh")
    changed = again(run, "--set", "noc.hop_latency.value=1 us", "--set", "queries=64")
    assert changed["design"]["queries"] == 64
    assert changed["metrics"]["latency_s"] > again(run)["metrics"]["latency_s"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("star", "simulate", "star_28nm", "--from"), ["CORE  cannot be given with --from"]),
        (
            ("star", "simulate", "--tile", "64", "--model", "llama2_7b", "--from"),
            ["--model  cannot", "--tile  cannot"],
        ),
        (("star", "simulate", "--no-causal", "--from"), ["--causal  cannot"]),
        (("star", "simulate", "--plot", "x.png", "--from"), ["--plot  is of a mesh of cores"]),
        (("star", "simulate", "--row", "0", "--from"), ["--row  expected 1 to "]),
        (("watos", "serve", "--from"), ["whose designs `star simulate` takes"]),
        (("watos", "simulate", "--tp", "4", "--from"), ["--tp  cannot"]),
    ],
)
def test_what_contradicts_the_design_is_refused(run_of, words, said):
    done = invoke(*words, run_of("ci_star"))
    assert isinstance(done.exception, InputError)
    for text in said:
        assert text in str(done.exception)


def test_a_row_without_a_run_is_refused():
    assert "--row  is of a run: --from RUN" in str(invoke("watos", "serve", "--row", "2").exception)


@pytest.mark.parametrize(
    ("name", "column", "value", "said"),
    [
        ("ci_star", "key_tile", None, "row 1  has no column key_tile"),
        ("ci_star", "key_tile", "64x", "row 1  expected what each of 32 layers has"),
        ("star_mesh", "ring", "round", "row 1  ring: expected one of "),
        ("ci_watos", "recompute", "some", "row 1  recompute: expected one of none, "),
        ("ci_watos", "tp", "3.5e5", "no legal plan has it"),
        ("watos_serving", "sequences", "5", "no way to serve has these plans"),
    ],
)
def test_a_damaged_row_is_refused(run_of, tmp_path, name, column, value, said):
    run = run_of(name)
    shutil.copy(run / "run.json", tmp_path)
    head, *rows = (line.split(",") for line in (run / "pareto.csv").read_text().splitlines())
    place = head.index(column)
    head[place], rows[0][place] = (column, value) if value else ("other", rows[0][place])
    (tmp_path / "pareto.csv").write_text("\n".join(",".join(r) for r in (head, *rows)) + "\n")
    done = invoke(*Stored.load(run).asked.kind.command.split(), "--from", tmp_path)
    assert isinstance(done.exception, InputError)
    assert said in str(done.exception)


def test_exploring_says_how_to_look_at_the_first_design(tmp_path):
    out = tmp_path / "my run"
    done = invoke("star", "explore", "ci_star", "--out", out, "--trials", "4", "--jobs", "1")
    assert f"star simulate --from '{out}' --row 1" in done.stdout.replace("\n", " ")
