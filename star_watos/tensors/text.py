"""Text to run a model on: a file, or English that every Python carries."""

import platform
import re
from dataclasses import dataclass
from pathlib import Path

from star_watos.errors import InputError

_BLANK_LINE = re.compile(r"\n\s*\n")


@dataclass(frozen=True, slots=True)
class Text:
    """Text with where it comes from."""

    text: str
    source: str


def read_text(path: Path | None) -> Text:
    """Return the text of a UTF-8 file, or the prose of Python's own documentation."""
    if path is None:
        return python_prose()
    try:
        return Text(path.read_text(encoding="utf-8"), path.name)
    except UnicodeDecodeError as error:
        raise InputError.of(str(path), f"is not UTF-8 text (byte {error.start:,})") from error


def python_prose() -> Text:
    """Return the plain paragraphs of `pydoc_data.topics`, topics in alphabetical order."""
    from pydoc_data.topics import topics  # noqa: PLC0415 (half a megabyte)

    paragraphs = [p for name in sorted(topics) for p in prose(topics[name])]
    source = f"prose of pydoc_data.topics, Python {platform.python_version()}"
    return Text("\n\n".join(paragraphs), source)


def prose(text: str) -> list[str]:
    r"""Return the paragraphs that are sentences: not indented, no grammar rule, ending in a stop.

    >>> prose("A title\n=======\n\nTwo lines\nof text.\n\n   code.\n\na ::= b.")
    ['Two lines of text.']
    """
    return [
        " ".join(paragraph.split())
        for paragraph in _BLANK_LINE.split(text)
        if not paragraph[:1].isspace() and "::=" not in paragraph and paragraph.strip()[-1:] == "."
    ]
