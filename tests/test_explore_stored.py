"""A run is read back as it was written."""

import json
from pathlib import Path

import pytest

from star_watos.explore import Source, explore
from star_watos.explore.candidates import load_sweep
from star_watos.explore.kinds import Kind, kind_of, types_of
from star_watos.explore.stored import Asked, Stored
from star_watos.files import cell
from star_watos.spec import InputError, names, root

SWEEPS = sorted(path.stem for path in (root() / "sweeps").glob("*.yaml"))


def tool_of(name):
    return "star" if "star" in name else "watos"


@pytest.mark.parametrize("name", SWEEPS)
def test_the_configuration_of_a_run_is_its_sweep(name):
    kind = kind_of(name, tool_of(name))
    sweep, folder = load_sweep(types_of(kind)[0], name)
    config = json.loads(json.dumps(sweep.model_dump(mode="json")))
    asked = Asked.of({"config": config, "beside": str(folder)}, Path("run.json"))
    assert asked == Asked(kind, sweep, folder)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    sweep, folder = load_sweep(types_of(Kind.WAFER)[0], "ci_watos", ["search.trials=8"])
    out = tmp_path_factory.mktemp("stored") / "run"
    config = sweep.model_dump(mode="json")
    problem = types_of(Kind.WAFER)[1](sweep, folder)
    return explore(sweep, problem, out, source=Source(config, folder))


def test_rows_read_back_as_they_were_found(run):
    stored = Stored.load(run.out)
    assert stored.rows == run.rows
    assert Stored.load(run.out / "pareto.csv") == stored
    assert stored.objectives == run.objectives


def test_parameters_are_the_values_of_the_sweep(run):
    stored = Stored.load(run.out)
    asked, row = stored.asked, stored.row(1)
    found = asked.parameters(row)
    assert list(found) == list(asked.sweep.space)
    assert all(value in asked.sweep.space[name].values() for name, value in found.items())


def test_a_text_that_looks_like_a_number_stays_the_sweeps_text(run):
    asked = Stored.load(run.out).asked
    axis = next(iter(asked.sweep.space))
    text = asked.sweep.space[axis].model_copy(update={"choices": ("4", "5"), "ends": None})
    sweep = asked.sweep.model_copy(update={"space": {axis: text}})
    assert Asked(asked.kind, sweep, None).parameters({axis: 5}) == {axis: "5"}
    assert cell(5) == "5"


@pytest.mark.parametrize("number", [0, -1, 10**6])
def test_a_row_that_is_not_there_is_refused(run, number):
    with pytest.raises(InputError, match=r"--row .*expected 1 to "):
        Stored.load(run.out).row(number)


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("run.json", "{", "run.json  not JSON"),
        ("run.json", "[]", "run.json  expected the figures of a run"),
        ("run.json", "{}", "expected the configuration of a run, of kind star-exploration"),
        ("pareto.csv", "a,b\n1\n", "pareto.csv:2  expected 2 values, got 1"),
    ],
)
def test_a_damaged_run_is_refused(tmp_path, name, text, said):
    (tmp_path / "run.json").write_text('{"config": {}}')
    (tmp_path / "pareto.csv").write_text("a\n1\n")
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError) as error:
        _ = Stored.load(tmp_path).asked
    assert said in str(error.value)


def test_a_folder_without_a_run_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"run.json  cannot be read"):
        Stored.load(tmp_path)


def test_every_kind_has_a_shipped_sweep():
    assert {kind_of(name, tool_of(name)) for name in names("sweeps")} == set(Kind)
