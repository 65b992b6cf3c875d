"""The files of a run: `pareto.csv`, `trials.csv`, `run.json`, `journal.jsonl` in one folder.

`refined.csv` is there if asked, and `report.html` is made of the others (`star_watos.report.html`).
`trials.csv` and the journal grow, each batch in one write.
"""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from star_watos.explore.front import Sense
from star_watos.explore.problem import Row
from star_watos.explore.record import Trial
from star_watos.explore.space import Space
from star_watos.files import Scalar, cell, lines

PARETO, TRIALS, RUN, REFINED = "pareto.csv", "trials.csv", "run.json", "refined.csv"
JOURNAL, REPORT = "journal.jsonl", "report.html"
NAMES = PARETO, TRIALS, RUN, REFINED, JOURNAL, REPORT
OUTCOME = ("points", "feasible", "constraint", "excess", "repeat_of")
"""What `trials.csv` says of a candidate beside its state, parameters and objectives."""


def ordered(rows: Iterable[Row], objectives: Mapping[str, Sense]) -> list[Row]:
    """Return the rows best first by the first objective, then the others, then everything."""

    def key(row: Row) -> tuple[tuple[float, ...], tuple[str, ...]]:
        losses = (
            float(row[name]) * (1 if sense is Sense.MINIMIZE else -1)
            for name, sense in objectives.items()
        )
        return tuple(losses), tuple(map(cell, row.values()))

    return sorted(rows, key=key)


def columns(rows: Iterable[Row], parameters: Iterable[str], metrics: Collection[str]) -> list[str]:
    """Return the names of the columns: parameters, mapping, metrics, `bound`."""
    first = list(parameters)
    rest = [name for name in dict.fromkeys(k for row in rows for k in row) if name not in first]
    mapping = [name for name in rest if name not in metrics and name != "bound"]
    return [*first, *mapping, *(n for n in rest if n in metrics), "bound"]


def pareto_csv(rows: Sequence[Row], names: Sequence[str]) -> str:
    """Return `pareto.csv`."""
    return lines([names, *([row.get(name) for name in names] for row in rows)])


def trials_head(space: Space, objectives: Iterable[str]) -> str:
    """Return the first line of `trials.csv`; the objectives are those of a trial's ideal point."""
    return lines([("number", "state", *space.axes, *objectives, *OUTCOME)])


def trials_lines(trials: Iterable[Trial], space: Space, objectives: Collection[str]) -> str:
    """Return the lines of `trials.csv` for these trials."""
    return lines(_trial(trial, space, len(objectives)) for trial in trials)


def _trial(trial: Trial, space: Space, objectives: int) -> list[Scalar | None]:
    record = trial.record
    ideal = record.ideal or (None,) * objectives
    miss = None if record.nearest is None else record.excess
    counts = record.points, record.feasible, record.why, miss, trial.repeat_of
    return [
        trial.number,
        record.state.value,
        *space.parameters(trial.point).values(),
        *ideal,
        *counts,
    ]


def run_json(manifest: Mapping[str, Any]) -> str:
    """Return `run.json`."""
    return json.dumps(manifest, indent=2, allow_nan=False, ensure_ascii=False) + "\n"
