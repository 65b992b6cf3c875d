"""What the search asks of a problem, and what it gets back.

The outer level proposes hardware parameters. The problem builds that hardware, evaluates every
mapping of the workload onto it, and returns the few mappings that no other one beats.
"""

from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

from star_watos.cost import Overflow
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


class Problem(Protocol):
    """Something to explore. It is pickled once for each worker process.

    Same parameters, same outcome: nothing may depend on what was evaluated before. Parameters that
    make no legal design raise `InputError`; mappings that do not fit are data in the outcome.
    """

    def evaluate(self, parameters: Parameters) -> Outcome:
        """Return the best mappings of the hardware that `parameters` describe."""
        ...
