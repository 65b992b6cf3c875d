"""Candidates evaluated in processes of this machine.

Workers are spawned, get the problem once, ignore Ctrl-C (the parent decides), and end with their
parent however it ends.
"""

import os
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import active_children, get_context, parent_process
from multiprocessing.connection import wait as wait_for
from multiprocessing.process import BaseProcess

from star_watos.explore.problem import Outcome, Parameters, Problem
from star_watos.explore.workers.batches import (
    Batches,
    Deadline,
    Evaluate,
    Outcomes,
    batches,
    evaluated,
)
from star_watos.explore.workers.signals import blocked
from star_watos.spec import InputError

_problem: Problem
"""What this worker process evaluates; set once when it starts."""


@contextmanager
def processes(problem: Problem, jobs: int) -> Iterator[Evaluate]:
    """Lend a function that evaluates candidates with so many processes."""
    others = set(active_children())
    pool = ProcessPoolExecutor(jobs, get_context("spawn"), _start, (problem,))
    futures: list[Future[Outcomes]] = []
    try:
        _start_all(pool, jobs)
        yield lambda candidates, deadline: _there(
            pool, futures, batches(problem, candidates, jobs), deadline
        )
    finally:
        idle = all(future.done() for future in futures)
        pool.shutdown(wait=idle, cancel_futures=True)
        if not idle:
            _end(set(active_children()) - others)


def _there(
    pool: ProcessPoolExecutor,
    futures: list[Future[Outcomes]],
    asked: Batches,
    deadline: Deadline,
) -> Iterator[Outcome | str]:
    try:
        futures[:] = [pool.submit(_work, some) for some in asked]
        for future in futures:
            left = None if deadline is None else max(0.0, deadline - time.perf_counter())
            if not wait([future], left).done:
                return
            yield from future.result()
    except BrokenProcessPool:
        text = "a worker process died, perhaps for want of memory; --resume with fewer goes on"
        raise InputError.of("--jobs", text) from None
    finally:
        for future in futures:
            future.cancel()


def _start(problem: Problem) -> None:
    global _problem  # noqa: PLW0603 (a worker process has one problem for life)
    _problem = problem
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        wait_for([parent.sentinel])
        os._exit(1)


def _work(candidates: Sequence[Parameters]) -> Outcomes:
    return evaluated(_problem, candidates)


def _ready() -> None:
    """Do nothing, in a process that has started."""


def _start_all(pool: ProcessPoolExecutor, jobs: int) -> None:
    """Start every process with Ctrl-C blocked: it inherits that, and stays quiet from the start."""
    with blocked():
        for _ in range(jobs):
            pool.submit(_ready)


def _end(processes: set[BaseProcess]) -> None:
    for process in processes:
        process.terminate()
    for process in processes:
        process.join()
