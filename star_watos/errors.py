"""What is wrong with an input, said all at once."""

from collections.abc import Iterable
from dataclasses import dataclass


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
        return f"{self.mark}  {self.key}: {self.text}" if self.key else f"{self.mark}  {self.text}"


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
