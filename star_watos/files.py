"""Files that a reader finds whole: written beside their place and moved there; and CSV text."""

import csv
import errno
import io
import os
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias

from star_watos.errors import InputError

Scalar: TypeAlias = str | int | float | bool
"""What a cell may hold."""


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    """Turn every way that `path` cannot be written into an `InputError`."""
    try:
        yield
    except OSError as error:
        text = f"cannot be written: {error.strerror or error}"
        raise InputError.of(str(error.filename or path), text) from None


def write_whole(path: Path, text: str) -> None:
    """Write a file, whole or not at all."""
    draft = path.with_name(f".{path.name}.draft")
    with _writing(path):
        try:
            draft.write_bytes(text.encode())
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)


class Folder:
    """Where a run is written. Every way it cannot be read or written is an `InputError`."""

    def __init__(
        self,
        path: Path,
        names: Collection[str],
        *,
        force: bool,
        resume: bool = False,
        journal: str | None = None,
    ) -> None:
        """Make the folder; refuse one that holds any of `names`, or with `force` clear them.

        With `resume` one that holds a `journal` is left as it is, to go on from.
        """
        self.path = path
        with _writing(path):
            path.mkdir(parents=True, exist_ok=True)
            held = [name for name in names if (path / name).exists()]
        if resume and journal in held:
            return
        if held and not force:
            going = "--resume goes on from it, " if journal in held else ""
            text = f"holds a run already ({', '.join(held)}); {going}--force replaces it"
            raise InputError.of(str(path), text)
        with _writing(path):
            for name in held:
                (path / name).unlink()

    def replace(self, name: str, text: str) -> None:
        """Write the file `name`, whole or not at all."""
        write_whole(self.path / name, text)

    def append(self, name: str, text: str, *, sync: bool = False) -> None:
        """Add whole lines to the file `name` in one write; with `sync` wait for the disk."""
        with _writing(self.path / name), (self.path / name).open("ab", buffering=0) as file:
            data = text.encode()
            if file.write(data) != len(data):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            if sync:
                os.fsync(file.fileno())

    def read(self, name: str) -> bytes:
        """Return what is in the file `name`; nothing if there is no such file."""
        try:
            return (self.path / name).read_bytes()
        except FileNotFoundError:
            return b""
        except OSError as error:
            text = f"cannot be read: {error.strerror or error}"
            raise InputError.of(str(self.path / name), text) from None

    def cut(self, name: str, size: int) -> None:
        """Drop what the file `name` holds beyond `size` bytes."""
        with _writing(self.path / name):
            os.truncate(self.path / name, size)


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
