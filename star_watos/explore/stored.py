"""A run read back from its folder: what was asked, and the designs of its front."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from star_watos.explore import files
from star_watos.explore.front import Sense
from star_watos.explore.kinds import Kind, types_of
from star_watos.explore.problem import Parameters, Problem, Row
from star_watos.explore.sweep import Exploration
from star_watos.files import Scalar, cell
from star_watos.spec import (
    MAX_TABLE_BYTES,
    Document,
    InputError,
    Mark,
    read_rows,
    read_text,
    scalar,
    validate,
)


@dataclass(frozen=True, slots=True)
class Asked:
    """The sweep that a design comes from."""

    kind: Kind
    sweep: Exploration
    beside: Path | None
    """Where the sweep's relative paths start."""

    @classmethod
    def of(cls, manifest: Mapping[str, Any], source: Path) -> "Asked":
        """Return what `manifest`, the content of the `run.json` at `source`, says was asked."""
        config = manifest.get("config")
        known = [kind.value for kind in Kind]
        if not isinstance(config, dict) or config.get("kind") not in known:
            text = f"expected the configuration of a run, of kind {', '.join(known)}"
            raise InputError.of(str(source), text, "config")
        kind = Kind(config["kind"])
        sweep = validate(types_of(kind)[0], Document(config, {(): Mark(str(source))}))
        beside = manifest.get("beside")
        return cls(kind, sweep, Path(beside) if isinstance(beside, str) else None)

    @property
    def problem(self) -> Problem:
        """What the sweep explores."""
        return types_of(self.kind)[1](self.sweep, self.beside)

    def parameters(self, row: Row) -> Parameters:
        """Return what a row of the front says of each axis: the values of the sweep itself."""
        return {
            name: next((v for v in axis.values() if cell(v) == cell(row[name])), row[name])
            for name, axis in self.sweep.space.items()
        }


@dataclass(frozen=True)
class Stored:
    """A run that has ended."""

    folder: Path
    manifest: dict[str, Any]
    """The content of `run.json`."""
    rows: list[Row]
    """The designs of `pareto.csv`, in its order."""

    @classmethod
    def load(cls, path: Path) -> "Stored":
        """Return the run in the folder `path`, or beside the `pareto.csv` at `path`.

        Raises `InputError` where there is none, or one that is damaged.
        """
        front = path if path.suffix == ".csv" else path / files.PARETO
        folder = front.parent
        return cls(folder, manifest_of(folder / files.RUN), list(rows_of(front)))

    @property
    def front(self) -> Path:
        """Where the designs are."""
        return self.folder / files.PARETO

    @property
    def runs(self) -> dict[str, dict[str, Any]]:
        """The `run.json` of each run that the front was merged from; of a run alone, by no name."""
        merged: Any = self.manifest.get("runs") or {"": self.manifest}
        if not isinstance(merged, dict) or not all(isinstance(r, dict) for r in merged.values()):
            text = "expected the figures of each run by its name"
            raise InputError.of(str(self.folder / files.RUN), text, "runs")
        return merged

    @property
    def config(self) -> dict[str, Any]:
        """The configuration; of runs that were merged, that of the first."""
        config: dict[str, Any] = next(iter(self.runs.values()))["config"]
        return config

    @property
    def asked(self) -> Asked:
        """What was asked; of runs that were merged, of the first."""
        return next(iter(self._asked.values()))

    def asked_of(self, row: Row) -> Asked:
        """Return what was asked in the run that found a design: of merged ones, the row's own."""
        run = "" if "" in self.runs else cell(row.get("run"))
        if run not in self._asked:
            text = f"expected one of {', '.join(self._asked)}, got {run!r}"
            raise InputError.of(str(self.front), text, "run")
        return self._asked[run]

    @property
    def objectives(self) -> dict[str, Sense]:
        """What was searched for."""
        return self.asked.sweep.objectives

    @cached_property
    def _asked(self) -> dict[str, Asked]:
        """What was asked in each of the runs."""
        place = self.folder / files.RUN
        return {name: Asked.of(manifest, place) for name, manifest in self.runs.items()}

    def row(self, number: int) -> Row:
        """Return a design; the first line below the names is number 1. Raises `InputError`."""
        if not 1 <= number <= len(self.rows):
            has = f"{self.front} has {len(self.rows):,}"
            raise InputError.of("--row", f"expected 1 to {len(self.rows)}, got {number}; {has}")
        return self.rows[number - 1]


def manifest_of(path: Path) -> dict[str, Any]:
    """Return the content of a `run.json`. Raises `InputError`."""
    try:
        manifest = json.loads(read_text(path, MAX_TABLE_BYTES), parse_constant=_refused)
    except (ValueError, RecursionError) as error:
        raise InputError.of(str(path), f"not JSON: {error}") from None
    if not isinstance(manifest, dict):
        raise InputError.of(str(path), "expected the figures of a run")
    return manifest


def _refused(name: str) -> float:
    raise ValueError(f"{name} is no number of JSON")


def rows_of(path: Path) -> Iterator[Row]:
    """Yield the lines of a file of a run; texts become the numbers that they were."""
    (_, names), *lines = read_rows(path) or [(1, [])]
    for line, values in lines:
        if len(values) != len(names):
            text = f"expected {len(names)} values, got {len(values)}"
            raise InputError.of(f"{path}:{line}", text)
        yield {name: _value(text) for name, text in zip(names, values, strict=True)}


def _value(text: str) -> Scalar:
    """Return what `star_watos.files.cell` wrote.

    >>> _value("0.1"), _value("3"), _value("true"), _value("2 TB/s"), _value("")
    (0.1, 3, True, '2 TB/s', '')
    """
    value = scalar(text)
    return "" if value is None else value
