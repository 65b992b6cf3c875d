"""How one sequence is spread over cores: the choices of a mesh."""

from dataclasses import dataclass
from enum import StrEnum

from star_watos.fabric.collectives.closed import has_cycle


class Circulation(StrEnum):
    """What travels from core to core."""

    KV_RING = "kv-ring"
    """Predicted keys, then kept K and V rows, around a ring; queries stay."""
    Q_RING = "q-ring"
    """Queries with their running maximum, sum and output, around a ring; K and V stay."""
    TWO_D = "2d"
    """Queries along rows, K and V along columns, outputs back along rows."""


class RingLayout(StrEnum):
    """How a ring (or in 2d the lines) lies on a mesh without wrap-around links."""

    NAIVE = "naive"
    """Along the snake, and from its end the long way back."""
    INTERLEAVED = "interleaved"
    """Every other core on the way out, the rest on the way back: two hops at most."""
    HAMILTONIAN = "hamiltonian"
    """A circle of single hops, half of the data each way."""
    RELAY = "relay"
    """From each core both ways along the snake, handed on in single hops."""


class Partition(StrEnum):
    """Which tokens a core has."""

    PLAIN = "plain"
    """One stretch, in order."""
    ZIGZAG = "zigzag"
    """Two stretches of half the length: the i-th and the i-th last."""
    STRIPED = "striped"
    """Every n-th token."""


@dataclass(frozen=True, slots=True)
class Spread:
    """One choice of each kind on a mesh of rows x cols."""

    rows: int
    cols: int
    circulation: Circulation
    ring: RingLayout
    partition: Partition
    overlap: bool = True
    """Whether transfers go on while cores work."""

    @property
    def n_cores(self) -> int:
        """Cores of the mesh."""
        return self.rows * self.cols

    def names(self) -> dict[str, str]:
        """Return the choices as options spell them."""
        return {
            "dataflow": self.circulation.value,
            "ring": self.ring.value,
            "partition": self.partition.value,
        }

    def why_not(self) -> str | None:
        """Return why these do not go together; None if they do."""
        single = not has_cycle(self.rows, self.cols)
        if self.ring is RingLayout.HAMILTONIAN and self.circulation is Circulation.TWO_D:
            return "2d works on lines, which have no circle of single hops"
        if self.ring is RingLayout.HAMILTONIAN and single and self.n_cores > 1:
            return f"a mesh of {self.rows}x{self.cols} has no circle of single hops"
        if self.ring is RingLayout.RELAY and self.circulation is Circulation.Q_RING:
            return "a relay brings rows both ways to the ends; sums of queries would not come back"
        return None
