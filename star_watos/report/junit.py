"""A run as JUnit XML, which continuous integration shows: one test case for it and one a gate."""

import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from star_watos.report.exploration import ending

if TYPE_CHECKING:
    from star_watos.errors import InputError
    from star_watos.explore import Result


class Fault(StrEnum):
    """Why a test case did not pass, as the element of the XML is called."""

    FAILURE = "failure"
    """What was found is not what was expected."""
    ERROR = "error"
    """It could not be found out."""


@dataclass(frozen=True, slots=True)
class Case:
    """A test case; without a fault it passed."""

    name: str
    fault: Fault | None = None
    said: str = ""
    """What is wrong."""
    time_s: float = 0.0


def cases_of(result: "Result") -> list[Case]:
    """Return the run and its gates as test cases."""
    faults = {4: Fault.FAILURE, 130: Fault.ERROR}
    fault = faults.get(result.exit_code)
    return [
        Case("run", fault, ending(result), result.manifest["wall_s"]),
        *(Case(g.name, None if g.passed else Fault.FAILURE, str(g)) for g in result.gates),
    ]


def case_of(error: "InputError") -> Case:
    """Return the test case of a run whose input is wrong."""
    return Case("run", Fault.ERROR, str(error))


def junit_xml(name: str, cases: Sequence[Case]) -> str:
    """Return a test suite of this name as JUnit XML.

    >>> print(junit_xml("ci", [Case("run"), Case("front_size", Fault.FAILURE, "3 found")]))
    <?xml version='1.0' encoding='utf-8'?>
    <testsuites>
      <testsuite name="ci" tests="2" failures="1" errors="0" skipped="0" time="0.000">
        <testcase classname="ci" name="run" time="0.000" />
        <testcase classname="ci" name="front_size" time="0.000">
          <failure message="3 found" type="failure">3 found</failure>
        </testcase>
      </testsuite>
    </testsuites>
    """
    faults = [case.fault for case in cases]
    counts = {"failures": faults.count(Fault.FAILURE), "errors": faults.count(Fault.ERROR)}
    figures = {"tests": len(cases), **counts, "skipped": 0}
    spent = f"{sum(case.time_s for case in cases):.3f}"
    suites = ET.Element("testsuites")
    texts = {key: str(value) for key, value in figures.items()}
    suite = ET.SubElement(suites, "testsuite", {"name": _legal(name), **texts, "time": spent})
    for case in cases:
        _add(suite, case)
    ET.indent(suites)
    text: bytes = ET.tostring(suites, encoding="utf-8", xml_declaration=True)
    return text.decode()


def _add(suite: ET.Element, case: Case) -> None:
    said_by = {"classname": suite.get("name", ""), "name": _legal(case.name)}
    element = ET.SubElement(suite, "testcase", {**said_by, "time": f"{case.time_s:.3f}"})
    if case.fault is not None:
        said = _legal(case.said)
        first = said.partition("\n")[0]
        fault = ET.SubElement(element, case.fault.value, {"message": first, "type": case.fault})
        fault.text = said


def _legal(text: str) -> str:
    """Return `text` with a question mark for each character that XML does not have."""
    return "".join(c if c.isprintable() or c == "\n" else "?" for c in text)
