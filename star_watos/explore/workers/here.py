"""Candidates evaluated in this process."""

import time
from collections.abc import Iterator, Sequence

from star_watos.explore.problem import Batched, Outcome, Parameters, Problem
from star_watos.explore.workers.batches import TOGETHER, Deadline, evaluated


def here(
    problem: Problem, candidates: Sequence[Parameters], deadline: Deadline
) -> Iterator[Outcome | str]:
    """Yield the outcomes, singly unless many at once are faster."""
    most = TOGETHER if isinstance(problem, Batched) else 1
    for at in range(0, len(candidates), most):
        yield from evaluated(problem, candidates[at : at + most])
        if deadline is not None and time.perf_counter() >= deadline:
            return
