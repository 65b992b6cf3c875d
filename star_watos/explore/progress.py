"""How far a search is: a tally after each batch, live on stderr where that is a terminal."""

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Tally:
    """Where a search stands."""

    total: int
    """Trials to ask for."""
    asked: int
    distinct: int
    points: int
    """Mappings evaluated."""
    feasible: int
    """Of those, how many fit."""
    front: int
    """Designs that no other one beats."""
    hypervolume: float | None
    elapsed_s: float

    @property
    def left_s(self) -> float | None:
        """Time left at the pace so far, None before anything is done."""
        return self.elapsed_s * (self.total - self.asked) / self.asked if self.asked else None

    def __str__(self) -> str:
        share = 100 * self.feasible / self.points if self.points else 0.0
        volume = "" if self.hypervolume is None else f", hypervolume {self.hypervolume:.5g}"
        left = "" if self.left_s is None else f", {clock(self.left_s)} left"
        return (
            f"{self.asked:,} of {self.total:,} trials ({self.distinct:,} distinct), "
            f"{self.points:,} points ({share:.3g} % fit), front {self.front:,}{volume}, "
            f"{clock(self.elapsed_s)}{left}"
        )


View: TypeAlias = Callable[[Tally], None]


def clock(seconds: float) -> str:
    """Return seconds as minutes and seconds, or with hours before them.

    >>> clock(75.2), clock(3725)
    ('1:15', '1:02:05')
    """
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


@contextmanager
def live_view() -> Iterator[View]:
    """Lend a function that shows a tally on stderr; it shows nothing if that is no terminal."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console  # noqa: PLC0415 (imported when used)
    from rich.live import Live  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    console = Console(stderr=True)
    with Live(console=console, transient=True, redirect_stdout=False, redirect_stderr=False) as at:
        yield lambda tally: at.update(Text(str(tally)))


class Part(StrEnum):
    """What a run spends its time on."""

    MODEL = "model"
    SAMPLER = "sampler"
    IO = "io"


WALL = "wall"


class Stopwatch:
    """Adds up the time spent in each part of a run."""

    def __init__(self) -> None:
        """Start now."""
        self.started = time.perf_counter()
        self._before_s = 0.0
        self._spent_s = dict.fromkeys(Part, 0.0)

    @property
    def wall_s(self) -> float:
        """Time since the start, with what earlier processes took for the same."""
        return self._before_s + time.perf_counter() - self.started

    def spent_s(self) -> dict[str, float]:
        """Return the time so far: of the wall, and of each part."""
        return {WALL: self.wall_s} | {part.value: s for part, s in self._spent_s.items()}

    def spend(self, spent_s: Mapping[str, float]) -> None:
        """Begin with what an earlier process had spent."""
        self._before_s = spent_s[WALL]
        self._spent_s = {part: spent_s[part.value] for part in Part}

    @contextmanager
    def timing(self, part: Part) -> Iterator[None]:
        """Count the time of the block as spent on `part`."""
        before = time.perf_counter()
        try:
            yield
        finally:
            self._spent_s[part] += time.perf_counter() - before

    def split(self, wall_s: float) -> dict[str, float]:
        """Return the parts of `wall_s`; what no part took is `other`."""
        spent = {part.value: seconds for part, seconds in self._spent_s.items()}
        return {**spent, "other": max(0.0, wall_s - sum(spent.values()))}
