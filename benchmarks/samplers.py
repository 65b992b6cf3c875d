"""How much of the exact front each sampler finds, by trials, on a space that is enumerated first.

Run it as `python benchmarks/samplers.py`. 100 % is the hypervolume of the exact front; the
reference point lies beyond that front by a tenth of its range. Medians and minima are over seeds.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import product
from pathlib import Path
from typing import Any

from star_watos.explore import (
    Exploration,
    Outcome,
    Parameters,
    Row,
    Space,
    explore,
    hypervolume,
    non_dominated,
    signs_of,
)
from star_watos.explore.candidates import baseline, load_sweep
from star_watos.explore.front import Values, beyond, ideal, worst
from star_watos.explore.kinds import kind_of, types_of
from star_watos.explore.record import judge, values_of
from star_watos.explore.space import Point
from star_watos.explore.workers import evaluator
from star_watos.spec import InputError

TRIALS = (100, 200, 400, 800)


@dataclass(frozen=True, slots=True)
class Known:
    """A space whose outcomes are all known."""

    sweep: Exploration
    space: Space
    outcomes: dict[Point, Outcome | str]

    @classmethod
    def of(cls, name: str, jobs: int) -> "Known":
        """Return the space of a shipped sweep, every candidate evaluated."""
        kind, maker = types_of(kind_of(name, "star" if "star" in name else "watos"))
        sweep, folder = load_sweep(kind, name)
        space = Space.of(sweep.space)
        points = [space.point(index) for index in range(space.size)]
        with evaluator(maker(sweep, folder), jobs) as evaluate:
            found = evaluate([space.parameters(point) for point in points], None)
            outcomes = {point: slim(one, sweep) for point, one in zip(points, found, strict=True)}
        return cls(sweep, space, outcomes)

    def evaluate(self, parameters: Parameters) -> Outcome:
        """Return what is known of a candidate."""
        point = self.space.locate(parameters)
        assert point is not None  # noqa: S101 (it is of the space)
        outcome = self.outcomes[point]
        if isinstance(outcome, str):
            raise InputError.of("candidate", outcome)
        return outcome

    def front(self) -> Values:
        """Return the objectives of the exact front."""
        objectives, limits = self.sweep.objectives, self.sweep.constraints
        judged = (judge(outcome, objectives, limits) for outcome in self.outcomes.values())
        values = values_of([row for _, rows in judged for row in rows], objectives)
        front: Values = values[non_dominated(values, signs_of(objectives.values()))]
        return front


def slim(outcome: Outcome | str, sweep: Exploration) -> Outcome | str:
    """Return an outcome whose rows have only what a search looks at."""
    if isinstance(outcome, str):
        return outcome
    wanted = {*sweep.objectives, *sweep.constraints, "bound"}
    rows: list[Row] = [{k: v for k, v in row.items() if k in wanted} for row in outcome.rows]
    return Outcome(rows, outcome.points, outcome.feasible, outcome.infeasible, outcome.nearest)


def found(known: Known, search: dict[str, Any]) -> Values:
    """Return the objectives of the front that one search finds."""
    asked = type(known.sweep.search).model_validate(search)
    sweep = known.sweep.model_copy(update={"search": asked})
    with tempfile.TemporaryDirectory() as out:
        run = explore(sweep, known, Path(out) / "run", baseline=baseline(known.sweep))
    return values_of(run.rows, sweep.objectives)


def main(arguments: Sequence[str] | None = None) -> None:
    """Enumerate, search, print a line for each sampler and number of trials."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sweep", default="watos_llama3_70b")
    parser.add_argument("--samplers", nargs="+", default=["nsga2", "tpe", "gp", "random"])
    parser.add_argument("--trials", type=int, nargs="+", default=TRIALS)
    parser.add_argument("--population", type=int, nargs="+", default=[None])
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--jobs", type=int, default=2)
    asked = parser.parse_args(arguments)
    known = Known.of(asked.sweep, asked.jobs)
    front, signs = known.front(), signs_of(known.sweep.objectives.values())
    reference = beyond(ideal(front, signs), worst(front, signs), signs)
    whole = hypervolume(front, reference, signs)
    print(f"{asked.sweep}: {known.space.size:,} candidates, exact front of {len(front)}")
    for sampler, population, trials in product(asked.samplers, asked.population, asked.trials):
        if sampler == "gp" and not (find_spec("torch") and find_spec("scipy")):
            print("gp: torch and scipy are not installed")
            continue
        search = {"sampler": sampler, "trials": trials, "population": population}
        start = time.perf_counter()
        fronts = [found(known, search | {"seed": seed}) for seed in range(asked.seeds)]
        each_s = (time.perf_counter() - start) / asked.seeds
        shares = [hypervolume(values, reference, signs) / whole for values in fronts]
        print(
            f"{sampler:8}{trials:6} trials  {f'of {population}' if population else '':8}"
            f"median {statistics.median(shares):8.3%}  "
            f"least {min(shares):8.3%}  {each_s:6.2f} s a search without the model"
        )


if __name__ == "__main__":
    main()
