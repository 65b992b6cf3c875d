"""Candidates a second with one worker and more: processes of this machine, and Dask workers.

Run it as `python benchmarks/workers.py [MOST]`, MOST workers (all cores). Every team is started
first, and its start timed apart. Then each gets the same candidates in turn, round after round, so
that noise meets all alike; the median rates, and their ratios to one worker, are the result.
"""

import random
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from itertools import islice

from star_watos.cli.exploring import n_jobs
from star_watos.explore import Parameters, Space
from star_watos.explore.candidates import load_sweep
from star_watos.explore.kinds import Kind, types_of
from star_watos.explore.workers import Address, Evaluate, evaluator

ROUNDS = 3
CANDIDATES = 1000
"""Wafers a team evaluates in a round."""
GENERATIONS = (20, 200)
"""Candidates that are asked for at a time: none of the next before all of these are done."""


def sample(space: Space) -> list[Parameters]:
    """Return distinct candidates, the same in every run."""
    numbers = random.Random(0).sample(range(space.size), CANDIDATES)  # noqa: S311 (no secret)
    return [space.parameters(space.point(number)) for number in numbers]


def generations(candidates: Sequence[Parameters], size: int) -> Iterator[list[Parameters]]:
    """Yield the candidates, so many at a time."""
    rest = iter(candidates)
    while some := list(islice(rest, size)):
        yield some


def rate(evaluate: Evaluate, candidates: Sequence[Parameters], size: int) -> float:
    """Return candidates a second."""
    before = time.perf_counter()
    done = sum(len(list(evaluate(some, None))) for some in generations(candidates, size))
    return done / (time.perf_counter() - before)


def measure(teams: dict[str, list[Evaluate]], candidates: Sequence[Parameters], size: int) -> None:
    """Print the rate of every team, and its ratio to one worker of its kind."""
    rates: dict[tuple[str, int], list[float]] = {}
    for _ in range(ROUNDS):
        for kind, sizes in teams.items():
            for workers, evaluate in enumerate(sizes, 1):
                rates.setdefault((kind, workers), []).append(rate(evaluate, candidates, size))
    middle = {team: statistics.median(several) for team, several in rates.items()}
    for (kind, workers), per_s in middle.items():
        ratio = per_s / middle[kind, 1]
        print(f"{size:4} at a time, {workers} {kind:10}{per_s:8.1f} candidates/s {ratio:6.2f}x")


def main(most: int) -> None:
    """Start the teams, warm them up, measure and print."""
    sweep_type, problem_type = types_of(Kind.WAFER)
    sweep, folder = load_sweep(sweep_type, "watos_llama3_70b")
    problem, candidates = problem_type(sweep, folder), sample(Space.of(sweep.space))
    teams: dict[str, list[Evaluate]] = {"processes": [], "dask": []}
    with ExitStack() as stack:
        for workers in range(1, most + 1):
            for kind, team in teams.items():
                before = time.perf_counter()
                address = Address(local=workers) if kind == "dask" else None
                evaluate = stack.enter_context(evaluator(problem, workers, address))
                list(evaluate(candidates[: 2 * workers], None))
                print(f"{workers} {kind} started in {time.perf_counter() - before:.1f} s")
                rate(evaluate, candidates, max(GENERATIONS))  # plans of every grid are kept
                team.append(evaluate)
        for size in GENERATIONS:
            measure(teams, candidates, size)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else n_jobs(None))
