"""What is wrong with an input, said all at once."""

from collections.abc import Iterable
from dataclasses import dataclass

_MOST = 200
"""Characters of a key that are worth showing."""


def _one_line(text: str) -> str:
    r"""Return `text` with line ends, control characters and halves of characters written out.

    >>> print(_one_line("a" + chr(10) + "b"))
    a\nb
    """
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def nearest(word: str, known: Iterable[str]) -> str:
    """Return the end of a message that offers the nearest spelling, or nothing.

    >>> nearest("smollm", ["smollm2", "minilm"]), nearest("x", ["smollm2"])
    ('; did you mean smollm2?', '')
    """
    import difflib  # noqa: PLC0415 (only mistakes need it)

    near = difflib.get_close_matches(word[:80], list(known), n=1)
    return f"; did you mean {near[0]}?" if near else ""


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in an input: a file with line and column counted from 1, or an option."""

    source: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        return f"{self.source}:{self.line}:{self.column}" if self.line else self.source


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake: where, at which key, and what would be right."""

    mark: Mark
    key: str
    text: str

    def __str__(self) -> str:
        """One line, whatever is in the names and values that it quotes."""
        key = f"{self.key[:_MOST]}: " if self.key else ""
        return _one_line(f"{self.mark}  {key}{self.text}")


class InputError(Exception):
    """The input is wrong; carries every problem found. The command line exits with 2."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        """Keep the problems in the order of their places."""
        self.problems = sorted(
            problems, key=lambda p: (p.mark.source, p.mark.line, p.mark.column, p.key)
        )
        super().__init__("\n".join(map(str, self.problems)))

    @classmethod
    def of(cls, source: str, text: str, key: str = "") -> "InputError":
        """Return the error of a single problem that has no line.

        >>> print(InputError.of("--tp", "9 does not fit a 2 x 4 mesh"))
        --tp  9 does not fit a 2 x 4 mesh
        """
        return cls([Problem(Mark(source), key, text)])
