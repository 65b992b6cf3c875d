"""Candidates evaluated by the workers of a Dask cluster: one of its own here, or one that runs.

The search stays in this process. A worker gets the problem once, when it joins; batches go out as
futures. The batches of a worker that dies are computed again by others.
"""

import logging
import time
import uuid
from collections.abc import Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

from dask import config
from distributed import Client, Future, KilledWorker, LocalCluster, WorkerPlugin, get_worker, wait
from distributed.versions import get_versions

from star_watos.explore.problem import Outcome, Parameters, Problem
from star_watos.explore.workers.address import OPTION, Address
from star_watos.explore.workers.batches import Deadline, Evaluate, Outcomes, batches, evaluated
from star_watos.explore.workers.signals import blocked
from star_watos.spec import InputError

ANSWER_S = 10.0
"""How long the scheduler may take to answer."""
WORKERS_S = 60.0
"""How long it may be without a worker, at the start or later."""
LOOK_S = 1.0
"""How often it is asked for its workers while a batch takes its time."""
_SAME = ("star-watos", "moocore", "numpy")
"""Packages that decide the bytes of a result."""


@contextmanager
def cluster(problem: Problem, address: Address) -> Iterator[Evaluate]:
    """Lend a function that evaluates candidates with the workers at `address`."""
    with ExitStack() as stack:
        client = _connected(address, stack)
        _check_versions(client)
        team = _Team(client, problem)
        stack.callback(team.leave)
        yield team.evaluate


def _connected(address: Address, stack: ExitStack) -> Client:
    """Return a client of a scheduler that has a worker; all ends with the stack."""
    try:
        with blocked():
            at = stack.enter_context(_own(address.local)) if address.local else address.scheduler
            client: Client = stack.enter_context(Client(at, timeout=ANSWER_S, set_as_default=False))
    except (OSError, TypeError, ValueError) as error:
        text = f"no Dask scheduler answered within {ANSWER_S:g} s: {str(error) or 'timed out'}"
        raise InputError.of(f"{OPTION} {address}", text) from None
    try:
        client.wait_for_workers(1, timeout=WORKERS_S)
    except TimeoutError:
        raise _no_workers() from None
    return client


def _own(workers: int) -> LocalCluster:
    """Return workers of this machine.

    Dask makes them give freed memory back at once. To get it anew for every column of figures takes
    as much time as to compute the column, so they keep it, as other processes do.
    """
    with config.set({"distributed.nanny.pre-spawn-environ.MALLOC_TRIM_THRESHOLD_": None}):
        return LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            dashboard_address=None,
            scheduler_kwargs={"dashboard_address": "127.0.0.1:0"},  # a free port, whoever else runs
            silence_logs=logging.CRITICAL,  # what goes wrong is said once, in one line
        )


def _no_workers() -> InputError:
    return InputError.of(OPTION, f"the Dask scheduler has had no workers for {WORKERS_S:g} s")


def _versions() -> dict[str, str | None]:
    found: dict[str, str | None] = get_versions(_SAME)["packages"]
    return found


def _differing(own: dict[str, str | None], theirs: dict[str, str | None]) -> str:
    """Return how other versions differ from our own; nothing if results are the same.

    >>> _differing({"python": "3.11.7", "numpy": "2.1"}, {"python": "3.11.2", "numpy": None})
    'numpy is 2.1 here, missing there'
    """
    pairs = {name: (own[name], theirs.get(name)) for name in ("python", *_SAME) if name in own}
    pairs["python"] = (_minor(own["python"]), _minor(theirs["python"]))
    return ", ".join(
        f"{name} is {ours or 'missing'} here, {other or 'missing'} there"
        for name, (ours, other) in pairs.items()
        if ours != other
    )


def _minor(version: str | None) -> str:
    return ".".join((version or "").split(".")[:2])


def _check_versions(client: Client) -> None:
    """Refuse a cluster on which results could differ from those of this process."""
    found: Any = client.get_versions(packages=_SAME)
    places = {"the Dask scheduler": found["scheduler"], **found["workers"]}
    for place, theirs in places.items():
        text = _differing(found["client"]["packages"], theirs["packages"])
        if text:
            raise InputError.of(OPTION, f"{place}: {text}")


class _Lent(WorkerPlugin):
    """The problem, as a worker has it."""

    def __init__(self, problem: Problem) -> None:
        """Note with which versions it is meant to be evaluated."""
        self.problem = problem
        self.versions = _versions()

    @property
    def mistake(self) -> str:
        """Why this worker may not evaluate it."""
        return _differing(self.versions, _versions())


class _OtherVersionsError(Exception):
    """A worker that joined later has other versions."""


def _work(name: str, candidates: Sequence[Parameters]) -> Outcomes:
    worker = get_worker()
    lent = worker.plugins[name]
    assert isinstance(lent, _Lent)  # noqa: S101 (our own invariant)
    if lent.mistake:
        raise _OtherVersionsError(f"{worker.address}: {lent.mistake}")
    return evaluated(lent.problem, candidates)


class _Team:
    """The workers, each with the problem."""

    def __init__(self, client: Client, problem: Problem) -> None:
        """Send the problem to all that are there; the scheduler sends it to who joins later."""
        self._client, self._problem = client, problem
        self._name = f"star-watos-{uuid.uuid4().hex}"
        client.register_plugin(_Lent(problem), name=self._name)

    def leave(self) -> None:
        """Take the problem away."""
        with suppress(OSError):
            self._client.unregister_worker_plugin(self._name)

    def evaluate(
        self, candidates: Sequence[Parameters], deadline: Deadline
    ) -> Iterator[Outcome | str]:
        """Yield the outcomes, as far as there are any before the deadline."""
        futures: list[Future[Outcomes]] = []
        try:
            threads = sum(self._client.nthreads().values())
            some = batches(self._problem, candidates, max(1, threads))
            futures = self._client.map(_work, [self._name] * len(some), some, pure=False)
            for future in futures:
                if not self._waited(future, deadline):
                    return
                yield from future.result()
        except KilledWorker as error:
            died = f"{error.allowed_failures + 1} workers died of the same batch"
            raise InputError.of(OPTION, f"{died}, perhaps for want of memory") from None
        except _OtherVersionsError as error:
            raise InputError.of(OPTION, str(error)) from None
        except (CancelledError, OSError) as error:
            raise InputError.of(OPTION, "the connection to the Dask scheduler was lost") from error
        finally:
            with suppress(OSError):
                self._client.cancel([future for future in futures if not future.done()])

    def _waited(self, future: Future[Outcomes], deadline: Deadline) -> bool:
        """Whether a batch is finished before the deadline. Raises if the workers have gone."""
        seen = time.perf_counter()
        while True:
            now = time.perf_counter()
            try:
                left = LOOK_S if deadline is None else max(0.0, min(LOOK_S, deadline - now))
                with self._client.as_current():
                    wait([future], timeout=left)
            except TimeoutError:
                if deadline is not None and time.perf_counter() >= deadline:
                    return False
            else:
                return True
            if self._client.nthreads():
                seen = now
            elif now - seen > WORKERS_S:
                raise _no_workers()
