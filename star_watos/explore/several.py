"""Several runs beside each other: they must have asked for the same."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from star_watos.explore.front import Sense, Values
from star_watos.explore.gate import LARGEST
from star_watos.explore.problem import Row
from star_watos.explore.record import values_of
from star_watos.explore.stored import Asked, Stored
from star_watos.spec import InputError

RUN_COLUMN = "run"
"""Column of a merged front: the folder that a row comes from."""
OF_METRICS = ("bound", "accuracy")
"""Columns that follow from a design, as its metrics do."""


@dataclass(frozen=True, slots=True)
class Run:
    """A run that has ended, and what it was asked."""

    stored: Stored
    asked: Asked

    @classmethod
    def load(cls, path: Path, tool: str) -> "Run":
        """Return the run at `path`, whose objectives are numbers in every row.

        Raises `InputError` where there is none, or one of another command than `tool`.
        """
        stored = Stored.load(path)
        asked = stored.asked
        if asked.kind.tool != tool:
            raise InputError.of(str(path), f"is a run of {asked.kind.tool}, not of {tool}")
        for number, row in enumerate(stored.rows, start=1):
            for name in asked.sweep.objectives:
                if not _is_number(row.get(name)):
                    text = f"design {number}: expected a number, got {str(row.get(name))[:40]!r}"
                    raise InputError.of(str(path), text, name)
        return cls(stored, asked)

    @property
    def name(self) -> str:
        """The folder."""
        return str(self.stored.folder)

    @property
    def rows(self) -> list[Row]:
        """The front."""
        return self.stored.rows

    @property
    def objectives(self) -> dict[str, Sense]:
        """What was searched for."""
        return self.asked.sweep.objectives

    @property
    def values(self) -> Values:
        """The objectives of the front, [n, m]."""
        return values_of(self.rows, self.objectives)


def _is_number(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return abs(value) <= LARGEST


def load_alike(paths: Sequence[Path], tool: str) -> list[Run]:
    """Return the runs at `paths`; `InputError` says how one differs in kind or objectives."""
    runs = [Run.load(path, tool) for path in paths]
    first = runs[0]
    for other in runs[1:]:
        for what, own, theirs in (
            ("kind", other.asked.kind.value, first.asked.kind.value),
            ("objectives", _said(other.objectives), _said(first.objectives)),
        ):
            if own != theirs:
                text = f"has {what} {own}; {first.name} has {theirs}"
                raise InputError.of(other.name, text)
    return runs


def _said(objectives: dict[str, Sense]) -> str:
    return ", ".join(f"{sense} {name}" for name, sense in objectives.items())
