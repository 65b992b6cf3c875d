"""What the search asks of a problem, and what it gets back.

The outer level proposes hardware parameters. The problem builds that hardware, evaluates every
mapping of the workload onto it, and returns the few mappings that no other one beats.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias, runtime_checkable

from star_watos.cost import Overflow
from star_watos.errors import InputError
from star_watos.files import Scalar

Parameters: TypeAlias = dict[str, Scalar]
"""Key path of a hardware parameter -> its value."""
Row: TypeAlias = dict[str, Scalar]
"""One design: mapping columns, metrics, and `bound`."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one hardware candidate gave.

    `rows` are its non-dominated mappings *among those that meet the constraints*: a problem filters
    before it reduces, because the best mapping within a limit may be dominated by one beyond it.
    """

    rows: list[Row]
    points: int
    """Mappings evaluated."""
    feasible: int
    """Of those, how many fit."""
    infeasible: dict[str, int] = field(default_factory=dict)
    """Why the others did not fit -> how many."""
    nearest: Overflow | None = None
    """The smallest excess of all, where nothing fits."""
    thinned: bool = False
    """Whether there were more non-dominated mappings than are kept of one candidate."""


class Problem(Protocol):
    """Something to explore. It is pickled once for each worker process.

    Same parameters, same outcome: nothing may depend on what was evaluated before. Parameters that
    make no legal design raise `InputError`; mappings that do not fit are data in the outcome.
    """

    def evaluate(self, parameters: Parameters) -> Outcome:
        """Return the best mappings of the hardware that `parameters` describe."""
        ...


@runtime_checkable
class Batched(Problem, Protocol):
    """A problem that evaluates many candidates faster than one after the other."""

    def evaluate_all(self, candidates: Sequence[Parameters]) -> list[Outcome | str]:
        """Return what each gives, as `evaluate` would; a text says why one is no legal design."""
        ...


def mistake(error: InputError) -> str:
    """Return why a candidate is no legal design.

    >>> mistake(InputError.of("--set", "expected 1 or more", "rows"))
    'rows: expected 1 or more'
    """
    first = error.problems[0]
    return f"{first.key}: {first.text}" if first.key else first.text
