"""Gates of a sweep: what is missed, where it is said, and the jobs of continuous integration."""

import json
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
import yaml

from star_watos.cli.star import app as star
from star_watos.explore import Gate, Limit
from star_watos.explore.candidates import load_sweep
from star_watos.explore.star import CoreExploration
from star_watos.report.junit import Case, Fault, junit_xml
from star_watos.spec import InputError, root

DOCS = root() / "docs"
ATTRIBUTES = {
    "testsuites": set(),
    "testsuite": {"name", "tests", "failures", "errors", "skipped", "time"},
    "testcase": {"classname", "name", "time"},
    "failure": {"message", "type"},
    "error": {"message", "type"},
}
"""Elements of the JUnit schema that are written, and the attributes that it has for them."""
CHILDREN = {
    "testsuites": {"testsuite"},
    "testsuite": {"testcase"},
    "testcase": {"failure", "error"},
}
EXPLORE = ("explore", "ci_star", "--jobs", 1, "--junit", "new/j.xml", "--out", "o")


def suite():
    """Return the test suite in `new/j.xml`, once it is what the schema says."""
    whole = ET.parse("new/j.xml").getroot()  # noqa: S314 (our own)
    assert whole.tag == "testsuites"
    for element in whole.iter():
        assert set(element.attrib) == ATTRIBUTES[element.tag]
        assert {child.tag for child in element} <= CHILDREN.get(element.tag, set())
    (only,) = whole
    cases = only.findall("testcase")
    assert only.get("tests") == str(len(cases))
    assert only.get("failures") == str(len(only.findall("testcase/failure")))
    assert only.get("errors") == str(len(only.findall("testcase/error")))
    return {case.get("name"): {child.tag: child for child in case} for case in cases}


def test_a_sweep_that_meets_its_gates_ends_with_0(run):
    code, out, err = run(star, *EXPLORE, "--json")
    assert (code, err) == (0, "")
    found = json.loads(out)["expect"]
    assert [gate["gate"] for gate in found] == [
        "hypervolume over that of fronts/ci_star.csv",
        "best throughput_gops",
        "best area_mm2",
        "front_size",
    ]
    assert {gate["missed_by"] for gate in found} == {0.0}
    assert json.loads(Path("o/run.json").read_text())["expect"] == found
    assert suite() == {name: {} for name in ("run", *(gate["gate"] for gate in found))}


def test_what_falls_short_is_in_a_table_on_stderr(run):
    limits = ("--set", "expect.best.area_mm2.max=4", "--set", "expect.front_size.min=22")
    code, out, err = run(star, *EXPLORE, "--json", *limits)
    assert code == 3
    rows = [re.split(r"\s{2,}", line.strip()) for line in err.splitlines()]
    area, size = (json.loads(out)["expect"][i] for i in (2, 3))
    assert rows == [
        ["not as expected:"],
        ["expected", "found", "missed by"],
        ["best area_mm2", "at most 4", f"{area['found']:,.6g}", f"{100 * area['missed_by']:.4g} %"],
        ["front_size", "at least 22", "11", "50 %"],
    ]
    assert area["missed_by"] == pytest.approx(area["found"] / 4 - 1)
    assert size == {"gate": "front_size", "found": 11, "min": 22, "max": None, "missed_by": 0.5}
    cases = suite()
    assert [name for name, faults in cases.items() if faults] == ["best area_mm2", "front_size"]
    said = cases["front_size"]["failure"].get("message")
    assert said == "front_size: at least 22 expected, 11 found, missed by 50 %"


def test_where_nothing_fits_the_run_is_a_failure(run):
    code, _, err = run(star, *EXPLORE, "--set", "constraints.area_mm2.max=1")
    assert code == 4
    ((name, faults),) = suite().items()
    assert name == "run"
    assert faults["failure"].text.strip() == err.strip()


def test_a_wrong_input_is_an_error_with_every_mistake(run):
    code, _, err = run(star, *EXPLORE, "--set", "search.trials=0", "--set", "tiles=many")
    assert code == 2
    assert suite()["run"]["error"].text == err.rstrip("\n")


def test_an_interrupted_run_is_an_error(run, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("star_watos.explore.star.CoreProblem.evaluate_all", interrupted)
    assert run(star, *EXPLORE)[0] == 130
    assert "error" in suite()["run"]


def test_a_folder_is_no_place_for_the_report(run):
    Path("new/j.xml").mkdir(parents=True)
    code, _, err = run(star, *EXPLORE)
    assert (code, err) == (2, "--junit new/j.xml  is a folder, not a file\n")
    assert not Path("o").exists()


def test_what_xml_does_not_have_is_a_question_mark():
    text = junit_xml("a\0b", [Case("<&>", Fault.ERROR, "\x1b[31m\ud800\nnext")])
    case = ET.fromstring(text)[0][0]  # noqa: S314 (our own)
    assert (case.get("classname"), case.get("name")) == ("a?b", "<&>")
    assert case[0].text == "?[31m?\nnext"


@pytest.mark.parametrize(
    ("found", "limit", "missed_by"),
    [
        (63.0, {"min": 70}, 0.1),
        (70.0, {"min": 70, "max": 70}, 0.0),
        (77.0, {"max": 70}, 0.1),
        (3.0, {"max": 0}, 3.0),
        (-3.0, {"min": -2}, 0.5),
    ],
)
def test_a_gate_is_missed_by_a_share_of_its_limit(found, limit, missed_by):
    gate = Gate("g", found, Limit(**limit))
    assert gate.missed_by == pytest.approx(missed_by)
    assert gate.passed == (missed_by == 0)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        (["expect={}"], "expect: expected one or more of hypervolume, best and front_size"),
        (["expect.best.area_mm3.max=1"], "expect.best.area_mm3: unknown metric (did you mean area"),
        (["expect.best.area_mm2={}"], "expect.best.area_mm2: expected max, min or both"),
        (["expect.front_size={min: 2, max: 1}"], "expect.front_size: max 1 is below min 2"),
        (
            ["expect.best.power_w={min: 1, max: 2}"],
            "expect.best.power_w: expected max or min: it is no objective",
        ),
    ],
)
def test_a_wrong_expectation_is_named(changes, says):
    with pytest.raises(InputError) as caught:
        load_sweep(CoreExploration, "ci_star", changes)
    assert any(says in line for line in str(caught.value).splitlines()), str(caught.value)


def lines_of(path):
    """Return the shell lines of a job, but those that install."""
    jobs = yaml.safe_load(path.read_text(encoding="utf-8"))
    if path.stem == "github":
        steps = jobs["jobs"]["explore"]["steps"]
        return [
            ({}, step["run"])
            for step in steps
            if "pip install" not in step.get("run", "pip install")
        ]
    job = jobs["explore"]
    return [(values, line) for values in job["parallel"]["matrix"] for line in job["script"]]


@pytest.mark.parametrize("name", ["github.yml", "gitlab.yml"])
def test_a_job_runs_as_it_is_written(name, tmp_path):
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    for values, line in lines_of(DOCS / "ci" / name):
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", line],  # noqa: S607 (as the job does)
            cwd=tmp_path,
            env=os.environ | values | {"PATH": path},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
    assert {file.name for file in (tmp_path / "out/junit").iterdir()} == {
        "ci_star.xml",
        "ci_watos.xml",
    }
    for sweep in ("ci_star", "ci_watos"):
        assert (tmp_path / "out" / sweep / "pareto.csv").is_file()
