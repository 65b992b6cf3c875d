"""The best of a front once more, each with the expensive part of the model."""

from collections.abc import Iterator
from typing import Protocol, runtime_checkable

from star_watos.explore import files
from star_watos.explore.problem import Parameters, Problem, Row
from star_watos.explore.run import Result
from star_watos.files import lines, write_whole


@runtime_checkable
class Refining(Problem, Protocol):
    """A problem that has something to refine."""

    def refined(self, parameters: Parameters) -> Row:
        """Return one hardware candidate of the front, refined."""
        ...


def refine(problem: Refining, result: Result, most: int) -> list[Row]:
    """Refine up to `most` hardware candidates of the front, and write them to `refined.csv`.

    They are taken in the order of `pareto.csv`, each once.
    """
    candidates = _distinct(result, most)
    rows = [problem.refined(parameters) for parameters in candidates]
    if rows:
        text = lines([tuple(rows[0]), *(tuple(row.values()) for row in rows)])
        write_whole(result.out / files.REFINED, text)
    return rows


def _distinct(result: Result, most: int) -> Iterator[Parameters]:
    """Yield the parameters of the first candidates."""
    axes = result.manifest["config"]["space"]
    every = [{axis: row[axis] for axis in axes} for row in result.rows]
    unique = {tuple(parameters.values()): parameters for parameters in every}
    yield from list(unique.values())[:most]
