"""Throughput against the share of dies, links or cores that are broken."""

import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from multiprocessing import get_context
from typing import Any

import numpy as np
from numpy.typing import NDArray

from star_watos.files import Scalar
from star_watos.watos.faults.draw import Faults
from star_watos.watos.faults.study import Outcome, Study
from star_watos.watos.plans import Plans, Recompute


class Kind(StrEnum):
    """What is broken."""

    DIES = "dies"
    LINKS = "links"
    CORES = "cores"


TOGETHER = 2
"""Draws that a process does between two looks at the others."""
SCHEDULES = ("robust", "replanned", "non_robust")
"""As attributes of `Draw`."""


@dataclass(frozen=True, slots=True)
class Draw:
    """What one seed breaks, and the tokens a second that each schedule then reaches."""

    rate: float
    seed: int
    dies: int
    """That can be used."""
    broken_dies: int
    broken_links: int
    least_cores: int
    """Alive on the die that has fewest, of those that can be used."""
    robust: float
    replanned: float
    non_robust: float
    plan: dict[str, Scalar | None] | None
    """Of the robust schedule; None where nothing fits."""

    def row(self) -> dict[str, Scalar | None]:
        """Return it as a line of a table."""
        names = ("rate", "seed", "dies", "broken_dies", "broken_links", "least_cores")
        plan: dict[str, Scalar | None] = dict.fromkeys(PLAN)
        return (
            {name: getattr(self, name) for name in names}
            | {f"{name}_tokens_per_s": getattr(self, name) for name in SCHEDULES}
            | plan
            | (self.plan or {})
        )


PLAN = ("tp_rows", "tp_cols", "pp", "dp", "microbatch", "recompute", "sp", "zero")
"""Columns of a plan that are told."""


def draws(
    study: Study, kind: Kind, rates: Sequence[float], seeds: int, jobs: int = 1
) -> Iterator[Draw]:
    """Yield what each rate and seed does, in order, in `jobs` processes; rate 0 has one seed."""
    cases = cases_of(rates, seeds)
    one: Callable[[tuple[float, int]], Draw] = partial(draw, study, kind)
    if min(jobs, len(cases)) == 1:
        yield from map(one, cases)
        return
    with ProcessPoolExecutor(min(jobs, len(cases)), get_context("spawn")) as pool:
        with _without_ctrl_c():
            found = pool.map(one, cases, chunksize=TOGETHER)
        try:
            yield from found
        except KeyboardInterrupt:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


@contextmanager
def _without_ctrl_c() -> Iterator[None]:
    """Start processes with Ctrl-C blocked: they inherit that, and the parent decides."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def cases_of(rates: Sequence[float], seeds: int) -> list[tuple[float, int]]:
    """Return rate and seed of every draw.

    >>> cases_of([0.0, 0.1], 2)
    [(0.0, 0), (0.1, 0), (0.1, 1)]
    """
    return [(rate, seed) for rate in rates for seed in range(seeds if rate > 0 else 1)]


def draw(study: Study, kind: Kind, case: tuple[float, int]) -> Draw:
    """Return what a rate and a seed do."""
    rate, seed = case
    rates = {Kind.DIES: 0.0, Kind.LINKS: 0.0, Kind.CORES: 0.0} | {kind: rate}
    faults = Faults(rates[Kind.DIES], rates[Kind.LINKS], rates[Kind.CORES], seed)
    outcome = study.outcome(faults.on(study.wafer))
    damage = outcome.damage
    tokens = study.tokens_per_s
    return Draw(
        rate,
        seed,
        damage.n_dies,
        damage.broken_dies,
        damage.broken_links,
        damage.least_cores,
        tokens(outcome.robust),
        tokens(outcome.replanned),
        tokens(outcome.fixed),
        _plan(outcome),
    )


def _plan(outcome: Outcome) -> dict[str, Scalar | None] | None:
    return None if outcome.robust is None else told(outcome.robust.iteration.plans)


def told(plans: Plans) -> dict[str, Scalar | None]:
    """Return what is told of a plan, one row.

    >>> from star_watos.watos.plans import plans_of
    >>> told(plans_of(pp=4))["recompute"]
    'none'
    """
    row: dict[str, Scalar | None] = {name: int(getattr(plans, name)[0]) for name in PLAN}
    return row | {"recompute": Recompute(int(plans.recompute[0])).label}


def rate_row(found: Sequence[Draw], healthy: float) -> dict[str, Any]:
    """Return what the seeds of one rate come to, throughputs over the healthy wafer's.

    >>> one = Draw(0.1, 0, 50, 6, 0, 324, robust=9.0, replanned=8.0, non_robust=6.0, plan=None)
    >>> row = rate_row([one], healthy=10.0)
    >>> row["robust"]["mean"], row["gain"]
    (0.9, 0.5)
    """
    columns = {name: np.array([getattr(d, name) for d in found]) for name in SCHEDULES}
    return {
        "rate": found[0].rate,
        "dies": float(np.mean([d.dies for d in found])),
        **{name: _spread(column / healthy) for name, column in columns.items()},
        "gain": _gain(columns["robust"], columns["non_robust"]),
        "gain_over_replanned": _gain(columns["robust"], columns["replanned"]),
    }


def _spread(values: NDArray[np.float64]) -> dict[str, float]:
    """Return mean, 10th and 90th percentile, and the share of draws in which anything fits."""
    low, high = np.quantile(values, [0.1, 0.9])
    fits = np.mean(values > 0)
    return {
        "mean": float(values.mean()),
        "p10": float(low),
        "p90": float(high),
        "fits": float(fits),
    }


def _gain(one: NDArray[np.float64], other: NDArray[np.float64]) -> float | None:
    """Return by how much the mean is larger; None where the other's is 0."""
    return float(one.mean() / other.mean() - 1) if other.any() else None


def document(study: Study, kind: Kind, found: Sequence[Draw]) -> dict[str, Any]:
    """Return the JSON document `watos-faults/1` of all draws."""
    healthy, training = study.healthy_tokens_per_s, study.healthy.training
    by_rate: dict[float, list[Draw]] = {}
    for each in found:
        by_rate.setdefault(each.rate, []).append(each)
    return {
        "schema": "watos-faults/1",
        "wafer": study.wafer.model_dump(mode="json"),
        "workload": training.model_dump(mode="json") | {"model": study.healthy.model.name},
        "of": kind.value,
        "seeds": max(map(len, by_rate.values())),
        "healthy_tokens_per_s": healthy,
        "healthy_plan": told(study.healthy.iteration.plans),
        "rates": [rate_row(some, healthy) for some in by_rate.values()],
        "draws": [each.row() for each in found],
    }
