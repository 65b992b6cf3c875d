"""Published figures, each with its source, and the comparison of ours against them."""

import csv
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

_FILE = Path(__file__).with_name("published.csv")


@dataclass(frozen=True, slots=True)
class Comparison:
    """One published figure beside ours."""

    table: str
    item: str
    unit: str
    published: float
    predicted: float
    calibrated: str
    """`yes`: a constant of ours comes from this row; `partly`: from parts of it; `no`: neither."""
    source: str
    constants: str
    """Where the constants behind our figure come from."""
    note: str = ""
    """What else to know of our figure, such as an extrapolation."""

    @property
    def error_pct(self) -> float:
        """Ours over theirs, less one, in percent."""
        return 100 * (self.predicted / self.published - 1)


def compare(tables: Mapping[str, Mapping[str, float]]) -> list[Comparison]:
    """Return every published row of `tables` (table -> item -> our figure), in the file's order.

    A figure of ours without a published row, or the other way round, is our mistake: `KeyError`.
    """
    with _FILE.open(encoding="utf-8", newline="") as file:
        rows = [
            Comparison(
                table=row["table"],
                item=row["item"],
                unit=row["unit"],
                published=float(row["published"]),
                predicted=tables[row["table"]][row["item"]],
                calibrated=row["calibrated"],
                source=row["source"],
                constants=row["constants"],
            )
            for row in csv.DictReader(file)
            if row["table"] in tables
        ]
    missing = {(t, i) for t, items in tables.items() for i in items} - {
        (r.table, r.item) for r in rows
    }
    if missing:
        raise KeyError(f"no published row for {sorted(missing)}")
    return rows


def published_items(table: str) -> list[str]:
    """Return what is published of `table`, in the file's order.

    >>> published_items("temp_6x8")[0]
    'FLOP rate of a die'
    """
    with _FILE.open(encoding="utf-8", newline="") as file:
        return [row["item"] for row in csv.DictReader(file) if row["table"] == table]


def document(schema: str, rows: list[Comparison]) -> dict[str, Any]:
    """Return the JSON document of a `validate` command.

    Ranks and regret compare runs of one quantity, which these tables do not hold: they are null.
    """
    return {
        "schema": schema,
        "tables": summaries(rows),
        "rows": [asdict(row) | {"error_pct": row.error_pct} for row in rows],
    }


def summaries(rows: list[Comparison]) -> list[dict[str, Any]]:
    """Return count, mean absolute error, 95th percentile and bias of each table."""
    return [_summary(table, rows) for table in dict.fromkeys(r.table for r in rows)]


def _summary(table: str, rows: list[Comparison]) -> dict[str, Any]:
    errors = np.array([row.error_pct for row in rows if row.table == table])
    return {
        "table": table,
        "column": "predicted",
        "rows": len(errors),
        "mae_pct": float(np.mean(np.abs(errors))),
        "p95_pct": float(np.percentile(np.abs(errors), 95)),
        "bias_pct": float(np.mean(errors)),
        "spearman": None,
        "spearman_within": None,
        "regret_pct": None,
    }
