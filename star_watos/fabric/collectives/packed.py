"""Terms of what goes over packed trees, and the best number of pieces."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from star_watos.cost import Column
from star_watos.fabric.area import Area
from star_watos.fabric.collectives.packing import Tree, trees
from star_watos.fabric.collectives.timing import Terms
from star_watos.fabric.mesh import Mesh

MOST_PIECES = 1024


@dataclass(frozen=True, slots=True)
class Packed:
    """What the time over packed trees depends on; numbers or columns.

    Of P >= F pieces a tree, the first and the last F steps fill and drain the trees; in those
    between, the most used link carries a piece of `used` trees. F is D, or 2 D where pieces go up
    and down:

        (P + F - 1) a + (ramps + used (P - F)) / (K P) S / B
    """

    n_trees: Column
    depth: Column
    used: Column
    """Trees on the most used link."""
    ramps: Column
    """Pieces on the most loaded link while the trees fill and drain, those steps added up."""
    n_nodes: Column
    ways: Column = 2
    """Up and down, or down alone."""

    @classmethod
    def of(cls, trees: Sequence[Tree], ways: int = 2) -> "Packed":
        """Return it for trees of single hops."""
        depth, n_nodes = max(tree.levels for tree in trees), len(trees[0].node) + 1
        loads = _loads(trees, ways * depth, ways)
        steady = loads[ways * depth - 1] if len(loads) else 0
        return cls(len(trees), depth, float(steady), float(loads.sum()), n_nodes, ways)

    @property
    def fill(self) -> Column:
        """Steps that fill the trees, F."""
        return self.ways * self.depth

    def pieces(self, n_bytes: Column, link_bytes_per_s: Column, latency_s: Column) -> Column:
        """Return the number of pieces of least time: sqrt((ramps - F used) S / (K B a))."""
        grain = (self.ramps - self.fill * self.used) * n_bytes / link_bytes_per_s
        each = np.maximum(np.asarray(self.n_trees * latency_s), 1e-30)
        best = np.sqrt(np.maximum(grain, 0.0) / each)
        pieces: Column = np.clip(np.round(best), np.maximum(self.fill, 1), MOST_PIECES)
        return pieces

    def terms(self, pieces: Column) -> Terms:
        """Return the terms with so many pieces."""
        steady = self.used * (pieces - self.fill)
        share = (self.ramps + steady) / (self.n_trees * pieces)
        return Terms(pieces + self.fill - 1, share, self.ways * (self.n_nodes - 1))


def _loads(trees: Sequence[Tree], pieces: int, ways: int) -> NDArray[np.intp]:
    """Return the pieces on the most loaded link in each step."""
    n_steps = pieces + ways * max(tree.levels for tree in trees)
    uses: dict[tuple[int, int], NDArray[np.intp]] = {}
    for tree in trees:
        down = (ways - 1) * tree.levels
        for v, above, d, h in zip(tree.node, tree.above, tree.depth, tree.height, strict=True):
            for link, begin in (((above, v), down + d - 1), ((v, above), h))[:ways]:
                steps = uses.setdefault(link, np.zeros(n_steps, dtype=np.intp))
                steps[begin] += 1
                steps[begin + pieces] -= 1
    begun = np.array(list(uses.values()), dtype=np.intp).reshape(len(uses), n_steps)
    loads: NDArray[np.intp] = np.cumsum(begun, axis=1).max(axis=0, initial=0)
    return loads


@lru_cache(maxsize=1024)
def packed(rows: int, cols: int) -> Packed:
    """Return it for a whole mesh."""
    return Packed.of(trees(Area.all(Mesh(rows, cols))))


def packed_column(sides: Iterable[tuple[int, int]]) -> Packed:
    """Return it for several meshes."""
    each = [packed(*shape) for shape in sides]
    columns = np.array([[p.n_trees, p.depth, p.used, p.ramps, p.n_nodes] for p in each], float)
    return Packed(*columns.T)
