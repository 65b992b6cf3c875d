"""Files of users as text, and as the cells of a table."""

import csv
import io
import stat
from pathlib import Path

from star_watos.errors import InputError, Mark, Problem

MAX_TABLE_BYTES = 50_000_000


def read_text(path: Path, most: int) -> str:
    """Return the text of a file of at most so many bytes, without a byte order mark.

    Every way it can be unreadable is an `InputError`.
    """
    name = str(path)[:200]
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):
            raise InputError.of(name, "is not a file")
        if found.st_size > most:
            raise InputError.of(name, f"file of {found.st_size:,} bytes; at most {most:,} are read")
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError.of(name, f"not UTF-8 text (byte {error.start})") from None
    except (OSError, ValueError) as error:
        text = f"cannot be read: {getattr(error, 'strerror', None) or error}"
        raise InputError.of(name, text) from None


def read_rows(path: Path) -> list[tuple[int, list[str]]]:
    """Return the rows of a file of comma-separated values, each with the line on which it ends.

    Empty lines are left out. Raises `InputError` where it cannot be read, or is no such file.
    """
    table = csv.reader(io.StringIO(read_text(path, MAX_TABLE_BYTES), newline=""), strict=True)
    try:
        return [(table.line_num, row) for row in table if row]
    except csv.Error as error:
        mark = Mark(str(path), table.line_num, 1)
        text = f"not a table of comma-separated values: {error}"
        raise InputError([Problem(mark, "", text)]) from None
