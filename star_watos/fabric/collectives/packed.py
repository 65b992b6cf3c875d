"""Terms of the all-reduce over packed trees, and the best number of pieces."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from star_watos.cost import Column
from star_watos.fabric.collectives.packing import Tree, whole_trees
from star_watos.fabric.collectives.timing import Terms

MOST_PIECES = 1024


@dataclass(frozen=True, slots=True)
class Packed:
    """What the time over packed trees depends on; numbers or columns.

    Of P >= 2 D pieces a tree, the first and the last 2 D steps fill and drain the trees; in those
    between, the most used link carries a piece of `used` trees:

        (P + 2 D - 1) a + (ramps + used (P - 2 D)) / (K P) S / B
    """

    n_trees: Column
    depth: Column
    used: Column
    """Trees on the most used link."""
    ramps: Column
    """Pieces on the most loaded link while the trees fill and drain, those steps added up."""
    n_nodes: Column

    @classmethod
    def of(cls, trees: tuple[Tree, ...]) -> "Packed":
        """Return it for trees of single hops."""
        depth = max(tree.levels for tree in trees)
        loads = _loads(trees, 2 * depth)
        steady = loads[2 * depth - 1] if len(loads) else 0
        return cls(len(trees), depth, float(steady), float(loads.sum()), len(trees[0].node) + 1)

    def pieces(self, n_bytes: Column, link_bytes_per_s: Column, latency_s: Column) -> Column:
        """Return the number of pieces of least time: sqrt((ramps - 2 D used) S / (K B a))."""
        grain = (self.ramps - 2 * self.depth * self.used) * n_bytes / link_bytes_per_s
        each = np.maximum(np.asarray(self.n_trees * latency_s), 1e-30)
        best = np.sqrt(np.maximum(grain, 0.0) / each)
        pieces: Column = np.clip(np.round(best), np.maximum(2 * self.depth, 1), MOST_PIECES)
        return pieces

    def terms(self, pieces: Column) -> Terms:
        """Return the terms with so many pieces."""
        steady = self.used * (pieces - 2 * self.depth)
        share = (self.ramps + steady) / (self.n_trees * pieces)
        return Terms(pieces + 2 * self.depth - 1, share, 2 * (self.n_nodes - 1))


def _loads(trees: tuple[Tree, ...], pieces: int) -> NDArray[np.intp]:
    """Return the pieces on the most loaded link in each step."""
    depth = max(tree.levels for tree in trees)
    uses: dict[tuple[int, int], NDArray[np.intp]] = {}
    for tree in trees:
        for v, above, d, h in zip(tree.node, tree.above, tree.depth, tree.height, strict=True):
            for link, begin in (((v, above), h), ((above, v), tree.levels + d - 1)):
                steps = uses.setdefault(link, np.zeros(pieces + 2 * depth, dtype=np.intp))
                steps[begin] += 1
                steps[begin + pieces] -= 1
    begun = np.array(list(uses.values()), dtype=np.intp).reshape(len(uses), pieces + 2 * depth)
    loads: NDArray[np.intp] = np.cumsum(begun, axis=1).max(axis=0, initial=0)
    return loads


@lru_cache(maxsize=1024)
def packed(rows: int, cols: int) -> Packed:
    """Return it for a whole mesh."""
    return Packed.of(whole_trees(rows, cols))


def packed_column(sides: Iterable[tuple[int, int]]) -> Packed:
    """Return it for several meshes."""
    each = [packed(*shape) for shape in sides]
    columns = np.array([[p.n_trees, p.depth, p.used, p.ramps, p.n_nodes] for p in each], float)
    return Packed(*columns.T)
