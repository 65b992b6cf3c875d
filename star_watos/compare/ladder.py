"""The papers' ladder of gains, step by step, beside what the model gives for the same step."""

import csv
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias, assert_never

from star_watos.cost import Overflow
from star_watos.star import (
    Attention,
    AttentionWork,
    Core,
    Dataflow,
    Predictor,
    Schedule,
    Sorter,
    Tiling,
    simulate,
)

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


_OLDER = Dataflow(
    predictor=Predictor.INT4,
    sorter=Sorter.FULL,
    attention=Attention.FA2,
    schedule=Schedule.IN_ORDER,
    tiling=Tiling.STAGE_ISOLATED,
)
_PREDICTED = replace(_OLDER, predictor=Predictor.DLZS)

FLOWS = {
    Variant.VANILLA: _OLDER,
    Variant.DLZS: _PREDICTED,
    Variant.DLZS_SADS: replace(_PREDICTED, sorter=Sorter.SADS),
    Variant.DLZS_SADS_SUFA: Dataflow(schedule=Schedule.IN_ORDER),
    Variant.FULL: Dataflow(),
    Variant.RASS: replace(_OLDER, schedule=Schedule.RASS),
}
"""What each variant is to the core's model."""


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
    bound: str


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

    >>> gain(Quantity.MEMORY, Metrics(1, 1, 100, "dram"), Metrics(1, 1, 77, "dram"))
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
        return Step(rung.step, rung.quantity, rung.paper, None, "a variant does not fit the core")
    ours = gain(rung.quantity, before, after)
    why = f"ours: {rung.before}, bound by {before.bound}, to {rung.after}, bound by {after.bound}"
    return Step(rung.step, rung.quantity, rung.paper, ours, f"{why}; paper: {rung.source}")


def on_core(core: Core, work: AttentionWork) -> Run:
    """Return what evaluates variants on `core`, each with the tile that is best for it."""

    def run(variant: Variant) -> Metrics | None:
        found = simulate(core, work, flow=FLOWS[variant])
        if isinstance(found, Overflow):
            return None
        bound: Any = found.latency.bound
        figures = {n: float(found.metrics[n]) for n in ("latency_s", "energy_j", "dram_bytes")}
        return Metrics(**figures, bound=bound.value)

    return run
