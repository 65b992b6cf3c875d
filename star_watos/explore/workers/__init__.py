"""Who evaluates candidates: this process, others on this machine, or a Dask cluster.

Outcomes come in the order asked, so that no result depends on who evaluates, or on how many do.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from star_watos.explore.problem import Problem
from star_watos.explore.workers.address import Address
from star_watos.explore.workers.batches import Deadline, Evaluate
from star_watos.explore.workers.here import here
from star_watos.explore.workers.signals import uninterrupted

__all__ = ["Address", "Deadline", "Evaluate", "evaluator", "uninterrupted"]


@contextmanager
def evaluator(problem: Problem, jobs: int, scheduler: Address | None = None) -> Iterator[Evaluate]:
    """Lend a function that evaluates candidates with `jobs` processes (1: this one).

    With `scheduler` the workers of a Dask cluster do it instead.
    """
    if scheduler is not None:
        from star_watos.explore.workers.cluster import cluster  # noqa: PLC0415 (0.5 s to import)

        with cluster(problem, scheduler) as evaluate:
            yield evaluate
    elif jobs == 1:
        yield lambda candidates, deadline: here(problem, candidates, deadline)
    else:
        from star_watos.explore.workers.processes import processes  # noqa: PLC0415 (used or not)

        with processes(problem, jobs) as evaluate:
            yield evaluate
