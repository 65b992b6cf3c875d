"""One design of a stored front, as what the commands that look at one design take."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from star_watos.errors import nearest
from star_watos.explore.candidates import parts
from star_watos.explore.problem import Row
from star_watos.explore.stored import Asked, Stored
from star_watos.spec import Document, InputError, Mark, Spec, is_file, validate

T = TypeVar("T")
W = TypeVar("W", bound=Spec)


@dataclass(frozen=True, slots=True)
class Chosen:
    """A row of a front and the sweep it comes from."""

    place: str
    """Where the row stands, for messages."""
    asked: Asked
    row: Row

    @classmethod
    def of(cls, stored: Stored, number: int) -> "Chosen":
        """Return a design of a run; the first is number 1. Raises `InputError`."""
        row = stored.row(number)
        return cls(f"{stored.front}, row {number}", stored.asked_of(row), row)

    def parts(self, overrides: Sequence[str] = ()) -> tuple[Any, Any]:
        """Return hardware, changed by `overrides`, and workload. Raises `InputError`."""
        with self.reading():
            built = parts(self.asked.sweep, self.asked.parameters(self.row))
        hardware, workload = built["hardware"], _found(built["workload"], self.asked.beside)
        if not overrides:
            return hardware, workload
        document = Document(hardware.model_dump(mode="json"), {(): Mark(self.place)})
        return validate(type(hardware), document, overrides), workload

    def one_of(self, column: str, known: Mapping[str, T]) -> T:
        """Return which of those known a column names. Raises `InputError`."""
        with self.reading():
            name = str(self.row[column])
        if name not in known:
            text = f"expected one of {', '.join(known)}, got {name!r}{nearest(name, known)}"
            raise InputError.of(self.place, text, column)
        return known[name]

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Say where the row stands if it lacks something, or holds what it cannot."""
        try:
            yield
        except KeyError as error:
            raise InputError.of(self.place, f"has no column {error.args[0]}") from None
        except ValueError as error:
            raise InputError.of(self.place, str(error)) from None


def _found(workload: W, beside: Path | None) -> W:
    """Return the workload with the path of a model that lies beside its sweep."""
    name = getattr(workload, "model", None)
    path = beside / name if beside is not None and isinstance(name, str) else None
    return workload.model_copy(update={"model": str(path)}) if path and is_file(path) else workload
