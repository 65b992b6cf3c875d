"""What a sweep may say, and the words for what it may not."""

from fractions import Fraction
from typing import ClassVar, Literal

import jsonschema
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from star_watos.cost import Overflow
from star_watos.explore import Axis, Exploration, Limit, Space
from star_watos.explore.study import OptunaProposer
from star_watos.spec import InputError, parse, validate


class ToySweep(Exploration):
    metrics: ClassVar[frozenset[str]] = frozenset({"tokens_per_s", "area_mm2"})
    kind: Literal["toy"] = "toy"


GOOD = """\
kind: toy
space:
  die.rows: {choices: [12, 14]}
objectives:
  tokens_per_s: maximize
"""


def errors(text: str) -> list[str]:
    with pytest.raises(InputError) as caught:
        validate(ToySweep, parse(text, "s.yaml"))
    return str(caught.value).splitlines()


def axis_error(axis: str) -> str:
    (line,) = errors(GOOD.replace("{choices: [12, 14]}", axis))
    return line


def test_a_sweep_needs_little():
    sweep = validate(ToySweep, parse(GOOD, "s.yaml"))
    assert (sweep.search.strategy, sweep.search.budget, sweep.search.seed) == ("nsga2", 400, 0)
    assert sweep.constraints == {}


@pytest.mark.parametrize(
    ("axis", "values"),
    [
        ({"choices": ["2 TB/s", 3, 1.5, True]}, ("2 TB/s", 3, 1.5, True)),
        ({"range": [2, 6]}, (2, 3, 4, 5, 6)),
        ({"range": [2, 7], "step": 2}, (2, 4, 6)),
        ({"range": [3, 3]}, (3,)),
        ({"range": [0.1, 0.7], "step": 0.1}, (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7)),
        ({"range": [0, 1], "points": 5}, (0.0, 0.25, 0.5, 0.75, 1.0)),
        ({"range": [1e-3, 3e-3], "step": 1e-3}, (0.001, 0.002, 0.003)),
    ],
)
def test_the_values_of_an_axis(axis, values):
    assert Axis.model_validate(axis).values() == values
    assert list(map(type, Axis.model_validate(axis).values())) == list(map(type, values))


@given(low=st.integers(-999, 999), count=st.integers(1, 60), step=st.integers(1, 99))
def test_a_range_in_hundredths_ends_where_it_says(low, count, step):
    high = low + count * step
    axis = Axis.model_validate({"range": [low / 100, high / 100], "step": step / 100})
    assert axis.values() == tuple(float(Fraction(n, 100)) for n in range(low, high + 1, step))


@pytest.mark.parametrize(
    ("axis", "says"),
    [
        ("{}", "s.yaml:3:3  space.die.rows: expected exactly one of choices and range"),
        ("{choices: [1], range: [1, 2]}", "expected exactly one of choices and range"),
        ("{choices: [1], step: 2}", "step and points belong to a range, not to choices"),
        ("{range: [1, 2], step: 1, points: 2}", "expected at most one of step and points"),
        (
            "{choices: []}",
            "s.yaml:3:14  space.die.rows.choices: expected a list of one or more values, got []",
        ),
        ("{choices: 12}", "expected a list of one or more values, got 12"),
        ("{choices: [a, b, a]}", "'a' is listed twice"),
        ("{choices: [1, 1.0]}", "1.0 is listed twice"),
        ("{choices: [~]}", "expected text, a number, true or false, got None"),
        ("{choices: [[1]]}", "expected text, a number, true or false, got [1]"),
        ("{choices: [1e999]}", "expected text, a number, true or false, got inf"),
        ("{range: [6, 2]}", "expected [low, high] with low <= high, got [6, 2]"),
        ("{range: [1, 2, 3]}", "expected [low, high], two numbers, got [1, 2, 3]"),
        ("{range: [1, 2 TB/s]}", "expected a number, got '2 TB/s'"),
        ("{range: [true, 2]}", "expected a number, got True"),
        ("{range: [0, 1e999]}", "expected a number, got inf"),
        ("{range: [0.5, 2]}", "a range of fractions needs a step or a number of points"),
        ("{range: [1, 2], step: 0}", "expected a number above 0, got 0"),
        ("{range: [0, 1e9], step: 1e-9}", "holds more than 100,000 values; give a larger step"),
        ("{range: [1, 2], points: 1}", "expected greater than or equal to 2, got 1"),
        ("{chioces: [1]}", "unknown field (did you mean choices?)"),
        ("[1, 2]", "expected a mapping of keys to values, got [1, 2]"),
    ],
)
def test_a_malformed_axis_is_named(axis, says):
    # An unknown key leaves the axis without values too; the place of the mistake comes first.
    if "chioces" in axis:
        assert any(says in line for line in errors(GOOD.replace("{choices: [12, 14]}", axis)))
    else:
        assert says in axis_error(axis)


def test_choices_are_few_enough_to_be_tried():
    many = f"{{choices: {list(range(1500))}}}\n  die.cols: {{choices: {list(range(501))}}}"
    (line,) = errors(GOOD.replace("{choices: [12, 14]}", many))
    assert line == (
        "s.yaml:2:1  space: at most 2,000 choices in all; a range may have more values; got 2,001"
    )


def test_all_mistakes_come_at_once_each_at_its_place():
    text = """\
kind: toy
space:
  die.rows: {choices: []}
  die.cols: {range: [1, 4]}
objectives:
  tokns_per_s: maximize
  area_mm2: smallest
constraints:
  area_mm2: {max: 10, min: 20}
  weight: {max: 1}
search: {sampler: nsga, trials: 0, seed: -1}
expect: {hypervolume: {min_ratio: 0, reference: a.csv}}
"""
    samplers = "'nsga2', 'tpe', 'gp', 'random' or 'exhaustive'"
    assert errors(text) == [
        "s.yaml:3:14  space.die.rows.choices: expected a list of one or more values, got []",
        "s.yaml:6:3  objectives.tokns_per_s: unknown metric (did you mean tokens_per_s?)",
        "s.yaml:7:3  objectives.area_mm2: expected 'maximize' or 'minimize', got 'smallest'",
        "s.yaml:9:3  constraints.area_mm2: max 10 is below min 20",
        "s.yaml:10:3  constraints.weight: unknown metric (known: area_mm2, tokens_per_s)",
        f"s.yaml:11:10  search.sampler: expected {samplers}, got 'nsga' (did you mean nsga2?)",
        "s.yaml:11:25  search.trials: expected greater than or equal to 1, got 0",
        "s.yaml:11:36  search.seed: expected greater than or equal to 0, got -1",
        "s.yaml:12:24  expect.hypervolume.min_ratio: expected greater than 0, got 0",
    ]


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("  tokens_per_s: maximize\n", "  {}\n", "objectives: expected 1 to 4 objectives, got 0"),
        ("objectives:\n  tokens_per_s: maximize", "", "objectives: required, but missing"),
        ("  tokens_per_s: maximize", "  - tokens_per_s", "objectives: expected a mapping"),
        ("  die.rows: {choices: [12, 14]}\n", "  {}\n", "space: expected at least one parameter"),
        ("kind: toy", "kind: toy\nconstraints: {area_mm2: {}}", "area_mm2: expected max, min or"),
        ("kind: toy", "kind: toy\nsearch: {seed: true}", "search.seed: expected a valid integer"),
        ("kind: toy", "kind: toy\nsearch: {population: 1}", "population: expected greater than or"),
    ],
)
def test_what_is_missing_or_too_much_is_named(old, new, says):
    (line,) = errors(GOOD.replace(old, new))
    assert says in line


def test_the_schema_of_a_sweep_accepts_what_the_sweep_does():
    schema = ToySweep.model_json_schema(by_alias=True)
    jsonschema.validate(parse(GOOD, "s.yaml").data, schema)
    axis = schema["$defs"]["Axis"]["properties"]
    assert set(axis) == {"choices", "range", "step", "points"}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**parse(GOOD, "s.yaml").data, "search": {"sampler": "x"}}, schema)


def test_gp_without_its_packages_says_how_to_get_them(monkeypatch):
    monkeypatch.setattr("star_watos.explore.sweep.find_spec", lambda _: None)
    (line,) = errors(GOOD + "search: {sampler: gp}")
    assert line == (
        "s.yaml:6:10  search.sampler: gp needs torch and scipy, not installed: "
        "pip install 'star-watos[gp]', or take tpe"
    )


@given(st.lists(st.integers(1, 5), min_size=1, max_size=4))
def test_every_point_of_a_space_is_counted_once(sizes):
    space = Space({f"a{i}": tuple(range(size)) for i, size in enumerate(sizes)})
    points = [space.point(index) for index in range(space.size)]
    assert sorted(set(points)) == points
    assert len(points) == space.size == np.prod(sizes)
    assert all(space.locate(space.parameters(point)) == point for point in points)


def test_a_baseline_outside_the_space_is_not_there():
    space = Space({"rows": (12, 14), "bandwidth": ("2 TB/s",)})
    assert space.locate({"rows": 13, "bandwidth": "2 TB/s"}) is None
    assert space.locate({"rows": 12}) is None


def test_a_large_space_takes_no_memory():
    sweep = validate(ToySweep, parse(GOOD, "s.yaml"))
    axis = Axis.model_validate({"range": [1, 50_000]})
    sweep = sweep.model_copy(update={"space": dict.fromkeys("abcd", axis)})
    space = Space.of(sweep.space)
    assert space.size == 50_000**4
    assert len(OptunaProposer(sweep, space, None).ask(3)) == 3


@given(value=st.floats(1, 1e6), low=st.floats(1, 1e3), room=st.floats(0, 1e3))
def test_the_excess_of_a_column_is_that_of_each_value(value, low, room):
    limit = Limit(min=low, max=low + room)
    miss = limit.overflow("area_mm2", value)
    excess = limit.excess(np.array([value]))[0]
    assert excess == (miss.excess if miss else 0.0)
    assert (excess > 0) == (not low <= value <= low + room) or excess < 1e-12


def test_a_miss_has_the_unit_of_its_metric():
    assert Limit(max=10.0).overflow("latency_s", 12.5) == Overflow("latency_s", 12.5, 10.0, "s")
    slow = Limit(min=10.0).overflow("tokens_per_s", 8.0)
    assert (slow.excess, slow.unit) == (0.25, "token/s")
    assert Limit(max=0.0).overflow("errors", 1.0).excess == float("inf")
    assert list(Limit(max=0.0).excess(np.array([0.0, 1.0]))) == [0.0, float("inf")]
    assert list(Limit(min=1.0).excess(np.array([0.0, 1.0]))) == [float("inf"), 0.0]
