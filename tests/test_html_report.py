"""The page of a run: what it says, that nothing in it is taken for HTML, and who may make it."""

import json
import re

import numpy as np
import pytest
from typer.testing import CliRunner

from star_watos.cli.star import app as star
from star_watos.cli.watos import app as watos
from star_watos.explore import Sense
from star_watos.explore.stored import Stored
from star_watos.report.html import looks as chosen_looks
from star_watos.report.html.content import content
from star_watos.report.html.importances import importances
from star_watos.report.html.look import Bar, timeline
from star_watos.report.html.looks import best_places, looks
from star_watos.report.html.page import page, write_report
from star_watos.spec import InputError

pytest.importorskip("plotly", reason="the page needs the extra html")

RUNS = {
    "ci_star": (star,),
    "ci_watos": (watos,),
    "star_mesh": (star, "--trials", "4"),
    "watos_deepseek_v3": (watos, "--trials", "4"),
    "watos_serving": (watos, "--trials", "2", "--set", "search.sampler=random"),
}
EVIL = "</script><img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def run_of(tmp_path_factory):
    """Explore a shipped sweep, each once."""
    made = {}

    def run(name):
        if name not in made:
            app, *more = RUNS[name]
            made[name] = out = tmp_path_factory.mktemp("runs") / name
            words = ["explore", name, "--out", str(out), "--jobs", "1", "--json", *more]
            done = CliRunner().invoke(app, words)
            assert done.exit_code == 0, done.output
            assert done.stderr == ""
        return made[name]

    return run


def data_of(text):
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)
    return json.loads(found[1])


@pytest.mark.parametrize("name", RUNS)
def test_exploring_writes_the_page(run_of, name):
    stored = Stored.load(run_of(name))
    text = (stored.folder / "report.html").read_text(encoding="utf-8")
    data = data_of(text)
    columns = {column["name"]: column["values"] for column in data["columns"]}
    assert columns == {key: [row[key] for row in stored.rows] for key in stored.rows[0]}
    assert {n for names in data["best"].values() for n in names} == set(stored.objectives)
    assert f"seed {stored.manifest['seed']}" in text
    assert f"version {stored.manifest['version']}" in text
    assert stored.asked.kind.command in data["again"]
    assert len(text) < 8e6


@pytest.mark.parametrize("name", RUNS)
def test_nothing_on_the_page_is_fetched(run_of, name):
    text = (run_of(name) / "report.html").read_text(encoding="utf-8")
    own = re.sub(r"<script>.*?</script>", "", text, flags=re.DOTALL)
    assert not re.search(r"(src|href)\s*=", own)
    assert "default-src 'none'" in own


def test_parts_add_up_to_the_metrics(run_of):
    """Of a core, a mesh, a wafer in training and one that serves."""
    sums = {
        "ci_star": {"energy": "energy_j", "area": "area_mm2"},
        "star_mesh": {"energy": "energy_j", "area": "area_mm2"},
        "ci_watos": {"time": "iteration_s", "area": "area_mm2", "memory": "memory_capacity_bytes"},
        "watos_deepseek_v3": {"time": "iteration_s", "memory": "memory_capacity_bytes"},
        "watos_serving": {"energy": "energy_per_token_j", "area": "area_mm2"},
    }
    for name, wanted in sums.items():
        stored = Stored.load(run_of(name))
        for place, look in looks(stored).items():
            for key, metric in wanted.items():
                total = sum(look.panels[key].parts.values())
                assert total == pytest.approx(stored.rows[place][metric], rel=1e-9)


def test_the_memory_of_a_wafer_is_that_of_its_fullest_die(run_of):
    stored = Stored.load(run_of("ci_watos"))
    for place, look in looks(stored).items():
        parts = look.panels["memory"].parts
        held = sum(parts.values()) - parts["free"]
        assert held == pytest.approx(stored.rows[place]["memory_per_die_bytes"], rel=1e-9)


def test_the_best_designs_are_looked_at_closely(run_of):
    stored = Stored.load(run_of("ci_watos"))
    found = looks(stored)
    for place in best_places(stored):
        look, row = found[place], stored.rows[place]
        assert max(look.dies.groups) == row["pp"] - 1
        assert sum(group >= 0 for group in look.dies.groups) == row["tp"] * row["pp"] * row["dp"]
        assert any(link[4] > 0 for link in look.dies.links) == (row["tp"] * row["pp"] > 1)
        ends = [start + seconds for _, _, start, seconds in look.timeline.bars]
        assert max(ends) == pytest.approx(row["iteration_s"], rel=0.1)


def test_the_best_are_those_of_each_objective(run_of):
    stored = Stored.load(run_of("ci_watos"))
    for place, names in best_places(stored).items():
        for name in names:
            pick = max if stored.objectives[name] is Sense.MAXIMIZE else min
            assert stored.rows[place][name] == pick(row[name] for row in stored.rows)


def test_a_long_front_has_parts_of_some_designs_and_the_best(run_of, monkeypatch):
    monkeypatch.setattr(chosen_looks, "MOST", 7)
    monkeypatch.setattr(chosen_looks, "MOST_CLOSELY", 4)
    stored = Stored.load(run_of("ci_watos"))
    found = looks(stored)
    assert len(found) == 7
    assert sum(look.timeline is not None for look in found.values()) == 4
    assert best_places(stored).keys() <= found.keys()


def test_bars_that_follow_each_other_are_one():
    bars = [Bar(0, "forward", 0, 1), Bar(0, "forward", 1, 2), Bar(0, "forward", 3, 4)]
    found = timeline("", ["a", "b"], [*bars, Bar(1, "backward", 2, 3), Bar(0, "backward", 2, 3)])
    assert found.kinds == ["backward", "forward"]
    assert found.bars == [(0, 1, 0, 2), (0, 0, 2, 1), (1, 0, 2, 1), (0, 1, 3, 1)]


def test_a_timeline_says_what_it_leaves_out():
    bars = [Bar(0, "ab"[i % 2], i, i + 1) for i in range(4000)]
    found = timeline("Work", ["a"], bars)
    assert len(found.bars) == 3000
    assert found.title == "Work, the first 3,000 of 4,000 bars"


def test_the_parameter_that_decides_is_the_important_one(run_of, tmp_path):
    """Energy follows rows of dies alone, price stacks alone, throughput a bit of each."""
    run = run_of("ci_watos")
    head, *rows = (line.split(",") for line in (run / "trials.csv").read_text().splitlines())
    for row in rows:
        grid, _, stacks = map(int, row[2:5])
        row[5:8] = [str(grid + stacks), str(grid), str(stacks)]
    (tmp_path / "trials.csv").write_text("\n".join(",".join(row) for row in [head, *rows]) + "\n")
    for name in ("run.json", "pareto.csv"):
        (tmp_path / name).write_bytes((run / name).read_bytes())
    found = importances(Stored.load(tmp_path))
    assert found.trials == 64
    names = [parameter.rpartition(".")[2] for parameter in found.parameters]
    shares = {key: names[int(np.argmax(values))] for key, values in found.shares.items()}
    assert found.shares["energy_per_token_j"][2] < 0.05
    assert shares["wafer_cost_usd"] == "stacks_per_die"
    assert found.parameters[int(np.argmax(found.shares["energy_per_token_j"]))].endswith(
        "grid.rows"
    )
    assert all(sum(values) == pytest.approx(1) for values in found.shares.values())


def test_few_trials_or_none_tell_nothing(run_of, tmp_path):
    assert importances(Stored.load(run_of("watos_deepseek_v3"))) is None
    for name in ("run.json", "pareto.csv"):
        (tmp_path / name).write_bytes((run_of("ci_watos") / name).read_bytes())
    stored = Stored.load(tmp_path)
    assert importances(stored) is None
    assert content(stored)["importances"] is None


def test_what_a_sweep_says_is_never_html(run_of, tmp_path):
    """In a value, in the name of the folder and in the configuration."""
    run = run_of("ci_star")
    folder = tmp_path / "<b>run&1"
    folder.mkdir()
    manifest = json.loads((run / "run.json").read_text())
    manifest["packages"]["python"] = manifest["version"] = EVIL
    (folder / "run.json").write_text(json.dumps(manifest))
    head, *rows = (run / "pareto.csv").read_text().splitlines()
    lines = [f'{row},"{EVIL}"' for row in rows]
    (folder / "pareto.csv").write_text("\n".join([f"{head},<i>note</i>", *lines]) + "\n")
    text = page(Stored.load(folder))
    assert EVIL not in text
    assert "<b>run" not in text
    assert "<i>note" not in text
    assert data_of(text)["columns"][-1]["values"] == [EVIL] * len(rows)


def test_merged_runs_have_a_page_too(run_of, tmp_path):
    one = Stored.load(run_of("ci_star"))
    runs = {"a": one.manifest, "b": one.manifest | {"seed": 77}}
    (tmp_path / "run.json").write_text(json.dumps({"runs": runs}))
    head, *rows = one.front.read_text().splitlines()
    lines = [f"{row},{'ab'[i % 2]}" for i, row in enumerate(rows)]
    (tmp_path / "pareto.csv").write_text("\n".join([f"{head},run", *lines]) + "\n")
    done = CliRunner().invoke(star, ["report", str(tmp_path)])
    assert done.exit_code == 0, done.output
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "<dt>run b</dt><dd>seed 77," in text
    assert data_of(text)["convergence"] is None


def test_the_page_is_made_anew_with_the_same_bytes(run_of):
    run = run_of("ci_watos")
    before = (run / "report.html").read_bytes()
    (run / "report.html").unlink()
    done = CliRunner().invoke(watos, ["report", str(run / "pareto.csv")])
    assert done.output.strip() == str(run / "report.html")
    assert (run / "report.html").read_bytes() == before


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([star, "report"], "is a run of watos-exploration: watos report"),
        ([watos, "report", "--missing"], "run.json  cannot be read"),
    ],
)
def test_what_has_no_page_is_refused(run_of, tmp_path, words, said):
    app, word, *missing = words
    folder = tmp_path if missing else run_of("ci_watos")
    done = CliRunner().invoke(app, [word, str(folder)])
    assert isinstance(done.exception, InputError)
    assert said in str(done.exception)


def test_an_empty_front_is_refused(run_of, tmp_path):
    run = run_of("ci_star")
    (tmp_path / "run.json").write_bytes((run / "run.json").read_bytes())
    (tmp_path / "pareto.csv").write_text((run / "pareto.csv").read_text().splitlines()[0] + "\n")
    with pytest.raises(InputError, match="has no designs to show"):
        write_report(Stored.load(tmp_path))


@pytest.mark.parametrize(
    ("name", "old", "new", "said"),
    [
        ("pareto.csv", "tokens_per_s", "other", "pareto.csv  has no column tokens_per_s"),
        ("pareto.csv", "hardware.grid.rows", "other", "has no column hardware.grid.rows"),
        ("trials.csv", "energy_per_token_j", "other", "is not of this run: 'energy_per_token_j'"),
        ("trials.csv", "0,complete,4", "0,complete,99", "is not of this run: '99'"),
        ("run.json", '"seed"', '"runs": [1], "seed"', "runs: expected the figures of each run"),
    ],
)
def test_a_damaged_run_is_refused(run_of, tmp_path, name, old, new, said):
    for each in ("run.json", "pareto.csv", "trials.csv"):
        text = (run_of("ci_watos") / each).read_text()
        assert each != name or old in text
        (tmp_path / each).write_text(text.replace(old, new, 1) if each == name else text)
    done = CliRunner().invoke(watos, ["report", str(tmp_path)])
    assert isinstance(done.exception, InputError)
    assert said in str(done.exception)
    assert not (tmp_path / "report.html").exists()


def test_without_plotly_exploring_goes_on_and_says_how_to_get_the_page(tmp_path, monkeypatch):
    monkeypatch.setattr("star_watos.report.html.page.find_spec", lambda _: None)
    out = str(tmp_path / "run")
    done = CliRunner().invoke(star, ["explore", "ci_star", "--out", out, "--jobs", "1", "--json"])
    assert done.exit_code == 0
    cure = "needs plotly: pip install 'star-watos[html]'"
    assert done.stderr == f"no report.html: {cure}, then `star report {out}`\n"
    assert not (tmp_path / "run" / "report.html").exists()
    refused = CliRunner().invoke(star, ["report", out])
    assert str(refused.exception) == f"report.html  {cure}"


def test_a_page_that_cannot_be_written_does_not_stop_an_exploration(tmp_path, monkeypatch):
    def refuse(_):
        raise InputError.of("report.html", "cannot be written: no space left")

    monkeypatch.setattr("star_watos.report.html.page.write_report", refuse)
    out = str(tmp_path / "run")
    done = CliRunner().invoke(star, ["explore", "ci_star", "--out", out, "--jobs", "1", "--json"])
    assert done.exit_code == 0
    assert json.loads(done.stdout)["front"]
    assert done.stderr == "no report.html: report.html  cannot be written: no space left\n"


def test_a_wafer_whose_loads_are_not_told_says_so(run_of):
    stored = Stored.load(run_of("watos_deepseek_v3"))
    split = [look for place, look in looks(stored).items() if stored.rows[place]["ep"] > 1]
    closely = [look for look in split if look.dies]
    assert closely
    assert all(not look.dies.links and "one wafer" in look.dies.note for look in closely)
