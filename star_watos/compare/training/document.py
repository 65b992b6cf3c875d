"""The JSON document of `watos compare`."""

import csv
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from star_watos.compare.training.case import PARTS
from star_watos.compare.training.headlines import headlines
from star_watos.compare.training.rows import STEPS, Row
from star_watos.compare.training.trained import Trained
from star_watos.cost import Overflow
from star_watos.watos import Training, Wafer

ASSUMPTIONS = {
    "megatron_wafer": "TP groups of 1, 2, 4 or 8 dies of a row, stages behind each other, replicas "
    "outermost, one policy of none, selective and full recomputation, rings; the best of all plans",
    "megatron_gpu": "eight GPUs a wafer, with its FLOP/s and DRAM between them; the best plan",
    "weight_streaming": "a layer at a time on all dies, weights in and gradients out through "
    "off_wafer.bandwidth, optimizer outside and hidden; the best of all ways",
    "schedule": "1F1B for all that have stages",
    "times": "by events, but for weight streaming, which has a formula",
}
"""What every figure of the document rests on."""
FIGURES = ("tokens_per_s", "mfu", "memory_utilization", "recomputed_share")


def paper_ladder() -> dict[str, str]:
    """Return what the paper says of steps of the ladder.

    >>> paper_ladder()["+ refinement"]
    '1.10 to 1.15 over the step before'
    """
    with Path(__file__).with_name("ladder.csv").open(encoding="utf-8", newline="") as file:
        return {row["step"]: row["paper"] for row in csv.DictReader(file)}


def document(wafer: Wafer, training: Training, rows: Sequence[Row]) -> dict[str, Any]:
    """Return `watos-compare/1`; `training` is the workload of the first model."""
    ladders, paper = [row.ladder for row in rows], paper_ladder()
    return {
        "schema": "watos-compare/1",
        "wafer": wafer.model_dump(mode="json"),
        "workload": training.model_dump(mode="json", exclude={"model"}),
        "models": [_model(row) for row in rows],
        "headline": {
            h.name: {name: value for name, value in asdict(h).items() if name != "name"}
            for h in headlines(rows)
        },
        "ladder": [
            {"step": step, "ours": _mean(column), "paper": paper.get(step)}
            for step, column in zip(STEPS, zip(*ladders, strict=True), strict=True)
        ],
        "assumptions": ASSUMPTIONS,
    }


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _model(row: Row) -> dict[str, Any]:
    figures = {
        name: {strategy: _figure(found, name) for strategy, found in row.trained.items()}
        for name in FIGURES
    }
    return {
        "model": row.known.model,
        "wafers": row.case.wafers,
        **figures,
        "plans": {name: _plan(found) for name, found in row.trained.items()},
        "does_not_fit": {
            name: str(found) for name, found in row.trained.items() if isinstance(found, Overflow)
        },
        "ratios": {
            f"vs_{name}": {
                "ours": row.ratio(name),
                "paper": row.known.paper if name == "megatron_wafer" else None,
            }
            for name in row.trained
            if name != "watos"
        },
        "ladder": dict(zip(STEPS, row.ladder, strict=True)),
        "without": {name: row.speedup(frozenset({name})) for name in PARTS},
        "source": row.known.source,
    }


def _figure(found: Trained | Overflow, name: str) -> float | None:
    return None if isinstance(found, Overflow) else float(getattr(found, name))


def _plan(found: Trained | Overflow) -> dict[str, Any] | None:
    return None if isinstance(found, Overflow) else found.plan
