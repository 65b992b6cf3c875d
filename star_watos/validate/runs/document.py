"""Predictions as plain data: rows for CSV and JSON, and what is printed beside them."""

import csv
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from star_watos.validate.runs.baseline import baseline
from star_watos.validate.runs.predict import Prediction
from star_watos.validate.runs.row import MEASURED
from star_watos.validate.runs.summary import Summary, summaries

_PEERS = Path(__file__).with_name("peers.csv")


def run_rows(predictions: Sequence[Prediction]) -> list[dict[str, Any]]:
    """Return one flat row a run: what was given, measured, predicted, and the errors in percent.

    `error_pct` is that of the first of the columns measured; others are named after theirs.
    """
    return [_row(prediction) for prediction in predictions]


def _row(prediction: Prediction) -> dict[str, Any]:
    given = prediction.run.model_dump(mode="json")
    errors = {column: prediction.error_pct(column) for column in MEASURED}
    measured = [column for column in MEASURED if errors[column] is not None]
    return {
        "table": prediction.table,
        **given,
        "dp": prediction.run.replicas,
        **{f"predicted_{column}": getattr(prediction, column) for column in MEASURED},
        "error_pct": errors[measured[0]],
        **{f"error_pct_{column}": errors[column] for column in MEASURED},
        "predicted_fits": prediction.fits,
        "bound": prediction.bound,
        "outside_table": " ".join(prediction.outside_table),
        **{f"{name}_s": seconds for name, seconds in prediction.time_s.items()},
    }


def baselines(predictions: Sequence[Prediction]) -> list[Summary]:
    """Return the baseline's summary of each table and column of times or rates."""
    tables = dict.fromkeys(p.table for p in predictions)
    own = [baseline([p for p in predictions if p.table == table]) for table in tables]
    return [s for rows in own for s in summaries(rows) if s.column != "memory_gib"]


def peers(table: str) -> list[dict[str, str]]:
    """Return what other tools were measured to reach on a table."""
    with _PEERS.open(encoding="utf-8", newline="") as file:
        return [row for row in csv.DictReader(file) if row["table"] == table]


def calibration(predictions: Sequence[Prediction]) -> dict[str, list[dict[str, Any]]]:
    """Return, for each device of the runs, every constant it is described by, and its source."""
    devices = {p.run.device: p.run.hardware for p in predictions}
    return {device: _constants(own.model_dump(mode="json")) for device, own in devices.items()}


def _constants(data: dict[str, Any], path: str = "") -> list[dict[str, Any]]:
    found = []
    for key, value in data.items():
        here = f"{path}.{key}" if path else key
        if isinstance(value, dict) and set(value) == {"value", "source"}:
            found.append({"constant": here, **value})
        elif isinstance(value, dict):
            found += _constants(value, here)
    return found


def document_parts(predictions: Sequence[Prediction]) -> tuple[list[dict[str, Any]], ...]:
    """Return tables and rows of the JSON document."""
    beside = {(s.table, s.column): s for s in baselines(predictions)}
    tables = []
    for item in summaries(predictions):
        other = beside.get((item.table, item.column))
        found = asdict(item)
        found["baseline"] = asdict(other) if other else None
        found["peers"] = peers(item.table) if item.column == "iter_time_s" else []
        tables.append(found)
    return tables, run_rows(predictions)
