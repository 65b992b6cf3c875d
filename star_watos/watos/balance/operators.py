"""What a layer's operators cost to run again, and what is then not kept."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MOST_OPERATORS = 14
"""Of which every set is looked at; of more, those that save most."""


@dataclass(frozen=True, slots=True)
class Operator:
    """An operator whose result may be made again for the backward pass."""

    name: str
    again_s: float
    """What a layer then takes longer for a microbatch; less than 0 where storing takes longer."""
    dropped_bytes: float
    """What a layer then does not keep of a microbatch."""


@dataclass(frozen=True, slots=True)
class Options:
    """Sets of operators to run again that no other set beats, from the fastest to the smallest."""

    names: tuple[str, ...]
    again_s: NDArray[np.float64]
    dropped_bytes: NDArray[np.float64]
    """Rising, as `again_s`."""
    sets: NDArray[np.bool_]
    """[options, operators]."""

    @classmethod
    def of(cls, operators: Sequence[Operator]) -> "Options":
        """Return the options of a layer.

        >>> found = Options.of([Operator("a", 1.0, 4.0), Operator("b", 2.0, 3.0)])
        >>> found.again_s.tolist(), found.dropped_bytes.tolist()  # b alone is beaten by a
        ([0.0, 1.0, 3.0], [0.0, 4.0, 7.0])
        """
        taken = sorted(operators, key=lambda op: -op.dropped_bytes)[:MOST_OPERATORS]
        number = np.arange(2 ** len(taken))[:, None]
        sets: NDArray[np.bool_] = (number >> np.arange(len(taken))) & 1 == 1
        again_s = sets @ np.array([op.again_s for op in taken], dtype=np.float64)
        dropped = sets @ np.array([op.dropped_bytes for op in taken], dtype=np.float64)
        order = np.lexsort((np.negative(dropped), again_s))
        most = np.maximum.accumulate(dropped[order])
        best = order[np.concatenate([[True], most[1:] > most[:-1]])]
        return cls(tuple(op.name for op in taken), again_s[best], dropped[best], sets[best])

    def names_of(self, option: int) -> list[str]:
        """Return the operators that an option runs again."""
        return [name for name, again in zip(self.names, self.sets[option], strict=True) if again]
