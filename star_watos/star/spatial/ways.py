"""How blocks go around an area of a mesh: who passes them to whom, over which links."""

from dataclasses import dataclass

import numpy as np

from star_watos.fabric import Area, Routes
from star_watos.fabric.collectives.orders import Ring, hamiltonian, interleaved, naive
from star_watos.fabric.routes import routes_by
from star_watos.star.spatial.choice import RingLayout


@dataclass(frozen=True)
class Way:
    """One direction around a ring of cores, or along a line of them."""

    sender: list[int]
    """Places on the ring that pass something on, each to ..."""
    receiver: list[int]
    routes: Routes
    fraction: float
    """Of a block that goes this way."""
    line: bool
    """Whether it ends at the end of a line: a block then passes each place at most once."""

    def goes_on(self, step: int) -> list[int]:
        """Return which senders have something to pass on at a step."""
        if not self.line:
            return list(range(len(self.sender)))
        forward = self.receiver[0] > self.sender[0]
        last = max(*self.sender, *self.receiver)
        return [
            i for i, place in enumerate(self.sender) if (place if forward else last - place) >= step
        ]


@dataclass(frozen=True)
class Circle:
    """Cores that blocks go around, and how."""

    nodes: list[int]
    """In the order of their places."""
    ways: list[Way]

    @property
    def size(self) -> int:
        """How many cores."""
        return len(self.nodes)


def circle(layout: RingLayout, area: Area) -> Circle:
    """Return how blocks go around an area."""
    if layout is RingLayout.RELAY:
        ways = [_along(area, towards) for towards in (1, -1)]
        return Circle(area.snake.tolist(), ways if len(area.nodes) > 1 else [])
    ring = RINGS[layout](area)
    both = layout is RingLayout.HAMILTONIAN
    ways = [_around(area, ring, 0.5 if both else 1.0, t) for t in ((1, -1) if both else (1,))]
    return Circle(ring.nodes.tolist(), ways if len(area.nodes) > 1 else [])


RINGS = {
    RingLayout.NAIVE: naive,
    RingLayout.INTERLEAVED: interleaved,
    RingLayout.HAMILTONIAN: hamiltonian,
}


def _around(area: Area, ring: Ring, fraction: float, towards: int) -> Way:
    n = len(ring.nodes)
    sender = np.arange(n)
    receiver = (sender + towards) % n
    turned = ring if towards > 0 else Ring(ring.nodes, np.roll(ring.via, 1, axis=0)[:, ::-1])
    routes = routes_by(area.mesh, ring.nodes, turned.via, ring.nodes[receiver])
    return Way(sender.tolist(), receiver.tolist(), routes, fraction, line=False)


def _along(area: Area, towards: int) -> Way:
    n, line = len(area.snake), area.snake
    sender = np.arange(n - 1) + (towards < 0)
    receiver = sender + towards
    nowhere = np.full((n - 1, 2), -1)
    routes = routes_by(area.mesh, line[sender], nowhere, line[receiver])
    return Way(sender.tolist(), receiver.tolist(), routes, 1.0, line=True)
