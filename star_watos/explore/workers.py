"""Evaluates candidates, here or in worker processes; outcomes come in the order asked.

Workers are spawned, get the problem once, ignore Ctrl-C (the parent decides), and end with their
parent however it ends.
"""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import replace
from multiprocessing import active_children, get_context, parent_process
from multiprocessing.connection import wait as wait_for
from multiprocessing.process import BaseProcess
from typing import TypeAlias

import numpy as np

from star_watos.explore.problem import Batched, Outcome, Parameters, Problem, mistake
from star_watos.spec import InputError

Deadline: TypeAlias = float | None
"""A `perf_counter` reading after which nothing more is waited for."""
Evaluate: TypeAlias = Callable[[Sequence[Parameters], Deadline], Iterator[Outcome | str]]
"""Candidates to outcomes; ends early at the deadline. A text says why one is no legal design."""
Outcomes: TypeAlias = Future[list[Outcome | str]]
TOGETHER = 64
"""Most candidates that are evaluated at once, between two looks at the clock."""

_problem: Problem
"""What this worker process evaluates; set once when it starts."""


@contextmanager
def evaluator(problem: Problem, jobs: int) -> Iterator[Evaluate]:
    """Lend a function that evaluates candidates with `jobs` processes (1: this one)."""
    if jobs == 1:
        yield lambda candidates, deadline: _here(problem, candidates, deadline)
        return
    others = set(active_children())
    pool = ProcessPoolExecutor(jobs, get_context("spawn"), _start, (problem,))
    futures: list[Outcomes] = []
    try:
        _start_all(pool, jobs)
        yield lambda candidates, deadline: _there(
            pool, futures, _batches(problem, candidates, jobs), deadline
        )
    finally:
        idle = all(future.done() for future in futures)
        pool.shutdown(wait=idle, cancel_futures=True)
        if not idle:
            _end(set(active_children()) - others)


def _here(
    problem: Problem, candidates: Sequence[Parameters], deadline: Deadline
) -> Iterator[Outcome | str]:
    for some in _batches(problem, candidates, 1):
        yield from _evaluate(problem, some)
        if deadline is not None and time.perf_counter() >= deadline:
            return


def _there(
    pool: ProcessPoolExecutor,
    futures: list[Outcomes],
    batches: Sequence[Sequence[Parameters]],
    deadline: Deadline,
) -> Iterator[Outcome | str]:
    try:
        futures[:] = [pool.submit(_work, some) for some in batches]
        for future in futures:
            left = None if deadline is None else max(0.0, deadline - time.perf_counter())
            if not wait([future], left).done:
                return
            yield from future.result()
    except BrokenProcessPool:
        text = "a worker process died, perhaps for want of memory; try fewer"
        raise InputError.of("--jobs", text) from None
    finally:
        for future in futures:
            future.cancel()


def _batches(
    problem: Problem, candidates: Sequence[Parameters], jobs: int
) -> list[Sequence[Parameters]]:
    """Return the candidates in as few parts as keep every process busy; singly if that is alike."""
    even = -(-len(candidates) // jobs)
    most = max(1, min(TOGETHER, even)) if isinstance(problem, Batched) else 1
    return [candidates[at : at + most] for at in range(0, len(candidates), most)]


def _evaluate(problem: Problem, candidates: Sequence[Parameters]) -> list[Outcome | str]:
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


def _work(candidates: Sequence[Parameters]) -> list[Outcome | str]:
    return _evaluate(_problem, candidates)


def _ready() -> None:
    """Do nothing, in a process that has started."""


def _start_all(pool: ProcessPoolExecutor, jobs: int) -> None:
    """Start every process with Ctrl-C blocked: it inherits that, and stays quiet from the start."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        for _ in range(jobs):
            pool.submit(_ready)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _end(processes: set[BaseProcess]) -> None:
    for process in processes:
        process.terminate()
    for process in processes:
        process.join()


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Hold Ctrl-C back until the block is left, so that what it writes is whole."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    held: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: held.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before if before is not None else signal.SIG_DFL)
    if held:
        raise KeyboardInterrupt
