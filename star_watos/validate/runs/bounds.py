"""What a table's figures may be: recorded, so that a change that makes one worse is seen.

`bounds.csv` holds for each shipped table what was reached, rounded up; `watos validate` ends with 3
where a figure leaves it. A user's own table has no bounds.
"""

import csv
from collections.abc import Sequence
from pathlib import Path

from star_watos.validate.runs.summary import Summary

_FILE = Path(__file__).with_name("bounds.csv")


def beyond_bounds(found: Sequence[Summary]) -> list[str]:
    """Return what is worse than recorded, a sentence each."""
    recorded = {(row["table"], row["column"]): row for row in _read()}
    return [
        text
        for item in found
        for text in _beyond(item, recorded.get((item.table, item.column), {}))
    ]


def _read() -> list[dict[str, str]]:
    with _FILE.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _beyond(item: Summary, limits: dict[str, str]) -> list[str]:
    name = f"{item.table}, {item.column}"
    most = {"mae_pct": item.mae_pct, "p95_pct": item.p95_pct, "regret_pct": item.regret_pct}
    least = {"spearman_within": item.spearman_within}
    return [
        f"{name}: {key} is {value:.3g}, recorded is at most {limits[key]}"
        for key, value in most.items()
        if limits.get(key) and value is not None and value > float(limits[key])
    ] + [
        f"{name}: {key} is {value:.3g}, recorded is at least {limits[key]}"
        for key, value in least.items()
        if limits.get(key) and value is not None and value < float(limits[key])
    ]
