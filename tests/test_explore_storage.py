"""Runs in Optuna's storage, SQLite and a real PostgreSQL server, as optuna-dashboard reads them."""

import json
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import optuna
import postgres
import pytest
from test_explore_run import read

from star_watos.cli.star import app as star
from star_watos.cli.watos import app as watos
from star_watos.explore.export import distribution, study_name
from star_watos.explore.space import Axis

BIN = Path(sys.executable).parent


@pytest.fixture(scope="module")
def database():
    """The URL of a server that lives as long as these tests."""
    if postgres.programs() is None:
        pytest.skip("no PostgreSQL server is installed (Debian package postgresql)")
    pytest.importorskip("psycopg", reason="needs the extra postgres")
    with postgres.server() as url:
        yield url


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A finished run in which some wafers are too large, made by the command."""
    out = tmp_path_factory.mktemp("runs") / "ci"
    limits = ["--set", "constraints.area_mm2.max=30000", "--set", "expect=null"]
    command = [BIN / "watos", "explore", "ci_watos", "--jobs", "1", *limits, "--out", out]
    subprocess.run(command, check=True, capture_output=True)
    return out


def check(url, folder, name=None):
    """Hold the study against the files of the run."""
    manifest = json.loads((folder / "run.json").read_text())
    trials, front = read(folder / "trials.csv"), read(folder / "pareto.csv")
    store = optuna.storages.RDBStorage(url)
    study = optuna.load_study(
        study_name=name or study_name("ci", manifest["config_hash"]), storage=store
    )
    assert study.metric_names == list(manifest["config"]["objectives"])
    assert study.user_attrs["seed"] == manifest["seed"]
    assert [t.number for t in study.trials] == [int(row["number"]) for row in trials]
    for trial, row in zip(study.trials, trials, strict=True):
        assert {key: str(value) for key, value in trial.params.items()} == {
            key: row[key] for key in manifest["config"]["space"]
        }
        assert trial.constraints == {"excess": float(row["excess"] or 0)}
        done = row["state"] == "complete"
        values = [float(row[key]) for key in study.metric_names] if done else None
        assert trial.values == values
    assert sum(t.user_attrs["designs_on_front"] for t in study.trials) == len(front)
    best = [t for t in study.trials if t.user_attrs["designs_on_front"]]
    assert best
    assert all(t.user_attrs["tp"] >= 1 for t in best)
    store.remove_session()
    store.engine.dispose()


def test_an_exported_run_is_a_study(run, tmp_path, folder):
    url = f"sqlite:///{tmp_path}/studies.db"
    code, out, err = run(watos, "export", folder, "--storage", url, "--json")
    assert (code, err, json.loads(out)["trials"]) == (0, "", 64)
    check(url, folder)
    states = {row["state"] for row in read(folder / "trials.csv")}
    assert states == {"complete", "infeasible"}


def test_a_study_is_not_overwritten_and_may_have_a_name(run, tmp_path, folder):
    url = f"sqlite:///{tmp_path}/studies.db"
    assert run(watos, "export", folder, "--storage", url)[0] == 0
    code, _, err = run(watos, "export", folder, "--storage", url)
    assert code == 2
    assert err.endswith(" already; --name gives this one another name\n")
    assert run(star, "export", folder, "--storage", url, "--name", "mine")[0] == 0
    check(url, folder, "mine")


def test_what_cannot_be_finished_leaves_no_study(run, tmp_path, folder, monkeypatch):
    def full(*_):
        raise KeyboardInterrupt

    url = f"sqlite:///{tmp_path}/studies.db"
    with monkeypatch.context() as broken:
        broken.setattr(optuna.Study, "add_trials", full)
        assert run(watos, "export", folder, "--storage", url)[0] == 130
    assert run(watos, "export", folder, "--storage", url)[0] == 0


def test_an_exported_run_is_a_study_in_postgresql(run, database, folder):
    code, _, err = run(watos, "export", folder, "--storage", database)
    assert (code, err) == (0, "")
    check(database.replace("postgresql:", "postgresql+psycopg:"), folder)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("secret", "secret", 'password authentication failed for user "tester"'),
        ("/postgres", "/nothing", 'database "nothing" does not exist'),
    ],
)
def test_what_a_server_refuses_is_one_line_without_the_password(
    run, database, folder, old, new, says
):
    url = database.replace("se%40cret", "other") if old == new else database[: -len(old)] + new
    code, out, err = run(watos, "export", folder, "--storage", url)
    assert (code, out, len(err.splitlines())) == (2, "", 1)
    assert err.startswith("--storage postgresql+psycopg://tester:***@127.0.0.1:")
    assert says in err
    assert "cret" not in err
    assert "other" not in err


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("mysql://a:hidden@h/d", "--storage  expected sqlite:///FILE or postgresql://USER:PASSWO"),
        ("postgresql://a:hidden@h", "got no postgresql database"),
        ("sqlite://", "got no sqlite database to keep it in"),
        ("hidden", "--storage  expected sqlite:///FILE or"),
        ("postgresql://a:b@hidden:port/d", "--storage  expected sqlite:///FILE or"),
        ("sqlite:////nowhere/studies.db", "unable to open database file"),
        ("postgresql://a:hidden@127.0.0.1:1/d", "onnection refused"),
        ("sqlite:///text", "file is not a database"),
    ],
)
def test_a_storage_that_cannot_be_is_refused_in_one_line(run, tmp_path, folder, url, says):
    (tmp_path / "text").write_text("no database, but more than a hundred bytes of text" * 9)
    code, out, err = run(watos, "export", folder, "--storage", url)
    assert (code, out, len(err.splitlines())) == (2, "", 1)
    assert says in err
    assert "hidden" not in err


def test_without_a_driver_the_cure_is_named(run, folder, monkeypatch):
    monkeypatch.setattr("star_watos.explore.storage.find_spec", lambda _: None)
    code, _, err = run(watos, "export", folder, "--storage", "postgresql://h/d")
    assert (code, err) == (2, "--storage  needs psycopg: pip install 'star-watos[postgres]'\n")


@pytest.mark.parametrize(
    ("old", "new"), [("complete", "done"), ("number,state", "number"), (",4,12,", ",5000,12,")]
)
def test_a_damaged_run_is_refused(run, tmp_path, folder, old, new):
    broken = tmp_path / "broken"
    broken.mkdir()
    for name in ("run.json", "pareto.csv", "trials.csv"):
        (broken / name).write_text((folder / name).read_text().replace(old, new))
    code, _, err = run(watos, "export", broken, "--storage", "sqlite:///s.db")
    assert (code, len(err.splitlines())) == (2, 1)
    assert not (tmp_path / "s.db").exists()


def test_the_dashboard_shows_an_exported_run(run, tmp_path, folder):
    pytest.importorskip("optuna_dashboard", reason="needs optuna-dashboard")
    url, port = f"sqlite:///{tmp_path}/studies.db", postgres.free_port()
    assert run(watos, "export", folder, "--storage", url)[0] == 0
    command = [BIN / "optuna-dashboard", url, "--port", str(port), "--quiet"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as shown:
        try:
            said = fetched(f"http://127.0.0.1:{port}/api/studies/1", shown)
        finally:
            shown.terminate()
    assert len(said["trials"]) == 64
    assert said["objective_names"] == ["tokens_per_s", "energy_per_token_j", "wafer_cost_usd"]
    names = {parameter["name"] for parameter in said["union_search_space"]}
    assert names == set(json.loads((folder / "run.json").read_text())["config"]["space"])


def fetched(url, process):
    until = time.perf_counter() + 30
    while True:
        try:
            with urllib.request.urlopen(url, timeout=30) as answer:  # noqa: S310 (this machine)
                return json.load(answer)
        except urllib.error.URLError:
            assert process.poll() is None
            assert time.perf_counter() < until
            time.sleep(0.1)


@pytest.mark.parametrize(
    "axis",
    [
        Axis(choices=("2 TB/s", "3 TB/s")),
        Axis(choices=(1, 4, 16)),
        Axis(range=[2, 6]),
        Axis(range=[2, 7], step=2),
        Axis(range=[0.1, 0.5], step=0.2),
        Axis(range=[0, 2], points=9),
    ],
)
def test_every_value_of_an_axis_is_in_its_distribution(axis):
    held = distribution(axis)
    assert all(held._contains(held.to_internal_repr(value)) for value in axis.values())


FEW = ("--trials", 12, "--set", "search.sampler=nsga2", "--jobs", 1, "--set", "expect=null")


def shared(url):
    """Trials and objectives of the one study of `ci_watos` that searches share."""
    store = optuna.storages.RDBStorage(url)
    (name,) = (n for n in optuna.get_all_study_names(store) if n.startswith("ci_watos-"))
    study = optuna.load_study(study_name=name, storage=store)
    trials, names = study.trials, study.metric_names
    store.remove_session()
    store.engine.dispose()
    return trials, names


def test_searches_started_by_hand_share_a_study(tmp_path, database):
    """Two at once; their seeds differ, their sweep does not."""
    command = [BIN / "watos", "explore", "ci_watos", "--storage", database, "--set", "expect=null"]
    running = [
        subprocess.Popen([*map(str, [*command, *FEW, "--seed", seed, "--out", tmp_path / seed])])
        for seed in "01"
    ]
    assert [process.wait(120) for process in running] == [0, 0]
    trials, names = shared(database.replace("postgresql:", "postgresql+psycopg:"))
    assert names == ["tokens_per_s", "energy_per_token_j", "wafer_cost_usd"]
    asked = [read(tmp_path / seed / "trials.csv") for seed in "01"]
    assert [len(rows) for rows in asked] == [12, 12]
    ours = sorted(tuple(str(v) for v in trial.params.values()) for trial in trials)
    axes = list(trials[0].params)
    assert ours == sorted(tuple(row[axis] for axis in axes) for rows in asked for row in rows)
    assert {trial.state.name for trial in trials} == {"COMPLETE"}
    values = sorted(float(row["tokens_per_s"]) for rows in asked for row in rows)
    assert sorted(trial.values[0] for trial in trials) == values


def test_a_later_search_goes_on_with_the_study(run, tmp_path):
    """As a key of the sweep; the limit leaves some candidates without a design that fits."""
    url = f"sqlite:///{tmp_path}/shared.db"
    limit = ("--set", f"storage={url}", "--set", "constraints.area_mm2.max=25000")
    for name in "ab":
        assert run(watos, "explore", "ci_watos", *FEW, *limit, "--out", name)[0] == 0
    trials, _ = shared(url)
    assert len(trials) == 24
    excess = sorted(trial.constraints["excess"] for trial in trials)
    rows = [row for name in "ab" for row in read(tmp_path / name / "trials.csv")]
    assert excess == sorted(float(row["excess"] or 0) for row in rows)
    assert excess[-1] > 0


def test_trials_that_were_not_evaluated_are_told_as_failed(run, tmp_path, monkeypatch):
    def stopped(*_):
        raise KeyboardInterrupt
        yield

    monkeypatch.setattr("star_watos.explore.workers.here", stopped)
    url = f"sqlite:///{tmp_path}/shared.db"
    assert run(watos, "explore", "ci_watos", *FEW, "--storage", url, "--out", "o")[0] == 130
    assert {trial.state.name for trial in shared(url)[0]} == {"FAIL"}


def test_the_password_is_in_no_file_of_a_run(run, tmp_path, database):
    code, out, err = run(
        watos, "explore", "ci_watos", *FEW, "--storage", database, "--out", "o", "--json"
    )
    text = "".join(path.read_text() for path in (tmp_path / "o").iterdir())
    assert code == 0
    assert "tester:***@127.0.0.1" in text
    said = text + out + err
    assert all(secret not in said for secret in ("@cret", "40cret"))


def test_every_candidate_is_not_shared_out(run, tmp_path):
    code, _, err = run(watos, "explore", "ci_watos", "--storage", "sqlite:///s.db", "--out", "o")
    assert code == 2
    assert err.startswith("storage  a shared study is sampled")
    assert sorted(path.name for path in tmp_path.iterdir()) == []
