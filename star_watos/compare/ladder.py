"""The papers' ladder of gains, step by step, beside what the model gives for the same step."""

import csv
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import TypeAlias, assert_never

_FILE = Path(__file__).with_name("ladder.csv")


class Variant(StrEnum):
    """Designs that a step leads from and to."""

    VANILLA = "vanilla"
    """Prediction by 4-bit products, a full sort, FlashAttention-2, stages one after the other."""
    DLZS = "dlzs"
    """Prediction by shifts and adds."""
    DLZS_SADS = "dlzs_sads"
    """Also sorting by segments."""
    DLZS_SADS_SUFA = "dlzs_sads_sufa"
    """Also sorted-updating attention and the tiled pipeline."""
    FULL = "full"
    """Also loads ordered for sharing: all of STAR."""
    RASS = "rass"
    """`VANILLA` with loads ordered for sharing."""


class Quantity(StrEnum):
    """What a step changes."""

    THROUGHPUT = "throughput"
    """A factor."""
    ENERGY = "energy"
    """A factor on the operations a joule."""
    MEMORY = "memory access"
    """Percent of DRAM bytes, negative where fewer."""


@dataclass(frozen=True, slots=True)
class Metrics:
    """What a variant takes for one workload."""

    latency_s: float
    energy_j: float
    dram_bytes: float


@dataclass(frozen=True, slots=True)
class Rung:
    """A step as a paper prints it."""

    step: str
    quantity: Quantity
    before: Variant | None
    after: Variant | None
    paper: float
    source: str


@dataclass(frozen=True, slots=True)
class Step:
    """One step: the papers' figure, ours, and why they differ."""

    step: str
    quantity: Quantity
    paper: float
    ours: float | None
    why: str


Run: TypeAlias = Callable[[Variant], Metrics | None]
"""Evaluates a variant; None where it cannot."""


def rungs() -> list[Rung]:
    """Return the papers' steps.

    >>> from math import prod
    >>> round(prod(r.paper for r in rungs() if r.quantity is Quantity.THROUGHPUT), 2)
    9.59
    """
    with _FILE.open(encoding="utf-8", newline="") as file:
        return [
            Rung(
                step=row["step"],
                quantity=Quantity(row["quantity"]),
                before=Variant(row["before"]) if row["before"] else None,
                after=Variant(row["after"]) if row["after"] else None,
                paper=float(row["paper"]),
                source=row["source"],
            )
            for row in csv.DictReader(file)
        ]


def gain(quantity: Quantity, before: Metrics, after: Metrics) -> float:
    """Return what the papers print of a step: a factor, or percent of the bytes.

    >>> gain(Quantity.MEMORY, Metrics(1, 1, 100), Metrics(1, 1, 77))
    -23.0
    """
    match quantity:
        case Quantity.THROUGHPUT:
            return before.latency_s / after.latency_s
        case Quantity.ENERGY:
            return before.energy_j / after.energy_j
        case Quantity.MEMORY:
            return 100 * (after.dram_bytes - before.dram_bytes) / before.dram_bytes
        case _:
            assert_never(quantity)


def ladder(run: Run) -> list[Step]:
    """Return every step of the papers beside ours; `run` is asked for each variant once."""
    once = cache(run)
    return [_step(rung, once) for rung in rungs()]


def _step(rung: Rung, run: Run) -> Step:
    if rung.before is None or rung.after is None:
        why = "GPU software; not modelled"
        return Step(rung.step, rung.quantity, rung.paper, None, why)
    before, after = run(rung.before), run(rung.after)
    if before is None or after is None:
        why = "not yet: the variants are not wired to the model"
        return Step(rung.step, rung.quantity, rung.paper, None, why)
    why = f"ours: one core, {rung.before} to {rung.after}; paper's: on an A100, {rung.source}"
    return Step(rung.step, rung.quantity, rung.paper, gain(rung.quantity, before, after), why)


def not_wired(variant: Variant) -> Metrics | None:  # noqa: ARG001 (no variant can be evaluated)
    """Evaluate nothing."""
    return None
