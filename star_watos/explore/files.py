"""The files of a run: `pareto.csv`, `trials.csv` and `run.json` in one folder.

A file is written beside its place and moved there, so a reader finds the old one or the new one,
whole. Only `trials.csv` grows: each batch is added to it in one write.
"""

import csv
import io
import json
import os
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from star_watos.explore.front import Sense
from star_watos.explore.problem import Row, Scalar
from star_watos.explore.record import Trial
from star_watos.explore.space import Space
from star_watos.spec import InputError

PARETO, TRIALS, RUN = "pareto.csv", "trials.csv", "run.json"
_OUTCOME = ("points", "feasible", "constraint", "excess", "repeat_of")


class Folder:
    """Where a run is written. Every way it cannot be written is an `InputError`."""

    def __init__(self, path: Path, *, force: bool) -> None:
        """Make the folder; refuse one that holds a run, or with `force` clear that run away."""
        self.path = path
        with self._writing():
            path.mkdir(parents=True, exist_ok=True)
            held = [name for name in (PARETO, TRIALS, RUN) if (path / name).exists()]
            if held and not force:
                text = f"holds a run already ({', '.join(held)}); --force replaces it"
                raise InputError.of(str(path), text)
            for name in held:
                (path / name).unlink()

    def replace(self, name: str, text: str) -> None:
        """Write the file `name`, whole or not at all."""
        target, draft = self.path / name, self.path / f".{name}.draft"
        with self._writing():
            try:
                draft.write_bytes(text.encode())
                draft.replace(target)
            finally:
                draft.unlink(missing_ok=True)

    def append(self, name: str, text: str) -> None:
        """Add whole lines to the file `name` in one write."""
        with self._writing(), (self.path / name).open("ab", buffering=0) as file:
            data = text.encode()
            if file.write(data) != len(data):
                raise OSError(0, os.strerror(28))

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            text = f"cannot be written: {error.strerror or error}"
            raise InputError.of(str(error.filename or self.path), text) from None


def cell(value: Scalar | None) -> str:
    """Return the text of a value: floats so that they read back the same, nothing for None.

    >>> cell(0.1), cell(3), cell(True), cell("2 TB/s"), cell(None)
    ('0.1', '3', 'true', '2 TB/s', '')
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return repr(float(value)) if isinstance(value, float) else str(value)


def lines(rows: Iterable[Sequence[Scalar | None]]) -> str:
    r"""Return the rows as CSV.

    >>> lines([("tp", "note"), (4, "a, b")])
    'tp,note\n4,"a, b"\n'
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows([cell(value) for value in row] for row in rows)
    return text.getvalue()


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
    return lines([("number", "state", *space.axes, *objectives, *_OUTCOME)])


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
