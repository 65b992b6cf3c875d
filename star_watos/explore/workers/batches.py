"""Candidates in batches, and what one worker does with a batch."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TypeAlias

import numpy as np

from star_watos.explore.problem import Batched, Outcome, Parameters, Problem, mistake
from star_watos.spec import InputError

Deadline: TypeAlias = float | None
"""A `perf_counter` reading after which nothing more is waited for."""
Evaluate: TypeAlias = Callable[[Sequence[Parameters], Deadline], Iterator[Outcome | str]]
"""Candidates to outcomes; ends early at the deadline. A text says why one is no legal design."""
Outcomes: TypeAlias = list[Outcome | str]
Batches: TypeAlias = list[Sequence[Parameters]]
TOGETHER = 64
"""Most candidates that are evaluated at once, between two looks at the clock."""
IN_TURN = 8
"""Most candidates of a batch that is evaluated one by one: some 0.1 s, far more than it takes to
send it, and little to lose at a time limit."""


def batches(problem: Problem, candidates: Sequence[Parameters], workers: int) -> Batches:
    """Return the candidates in order, in batches for so many workers.

    A problem that takes many at once gets as few batches as keep every worker busy.
    """
    count = len(candidates)
    if isinstance(problem, Batched):
        even = max(1, min(TOGETHER, -(-count // workers)))
        sizes = [min(even, count - at) for at in range(0, count, even)]
    else:
        sizes = shrinking(count, workers)
    ends = np.cumsum(sizes, dtype=int).tolist()
    return [candidates[end - size : end] for size, end in zip(sizes, ends, strict=True)]


def shrinking(count: int, workers: int) -> list[int]:
    """Return sizes of batches, each half of a worker's even share of what is left.

    Large ones first, for their small overhead; single ones last, so that workers end together.

    >>> shrinking(20, 2), shrinking(3, 1)
    ([5, 4, 3, 2, 2, 1, 1, 1, 1], [2, 1])
    """
    sizes: list[int] = []
    while count:
        sizes.append(min(IN_TURN, -(-count // (2 * workers))))
        count -= sizes[-1]
    return sizes


def evaluated(problem: Problem, candidates: Sequence[Parameters]) -> Outcomes:
    """Return the outcomes of a batch."""
    together = problem.evaluate_all if isinstance(problem, Batched) else None
    found = together(candidates) if together else [_one(problem, one) for one in candidates]
    return [one if isinstance(one, str) else _plain(one) for one in found]


def _one(problem: Problem, candidate: Parameters) -> Outcome | str:
    try:
        return problem.evaluate(candidate)
    except InputError as error:
        return mistake(error)


def _plain(outcome: Outcome) -> Outcome:
    """Return the outcome with Python's own scalars, whose text does not depend on NumPy."""
    rows = [
        {k: v.item() if isinstance(v, np.generic) else v for k, v in row.items()}
        for row in outcome.rows
    ]
    return replace(outcome, rows=rows)
