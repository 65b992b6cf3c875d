"""All-reduce and multicast over packed trees, each tree's part of the data in pieces."""

import numpy as np

from star_watos.fabric.area import Area
from star_watos.fabric.collectives.packing import Tree, trees
from star_watos.fabric.collectives.transfers import Transfers, beside

DEFAULT_PIECES = 64


def packed_trees(area: Area, pieces: int = DEFAULT_PIECES) -> Transfers:
    """All-reduce: the root of a tree sends pieces down while later ones come up.

    Piece p passes a link h above the leaves in step p + h: pieces + 2 depth - 1 steps.
    """
    packed = trees(area)
    n_chunks = len(packed) * pieces
    parts = [
        part
        for i, tree in enumerate(packed)
        for part in (_up(tree, i, pieces, n_chunks), _down(tree, i, pieces, n_chunks, tree.levels))
    ]
    return beside(*parts)


def multicast(area: Area, root: int, pieces: int = DEFAULT_PIECES) -> Transfers:
    """The vector of `root` to all nodes: pieces + depth - 1 steps."""
    packed = trees(area, root)
    n_chunks = len(packed) * pieces
    return beside(*(_down(tree, i, pieces, n_chunks, 0) for i, tree in enumerate(packed)))


def _up(tree: Tree, index: int, pieces: int, n_chunks: int) -> Transfers:
    piece = np.arange(pieces)[:, None]
    columns = {"step": piece + tree.height, "source": tree.node, "target": tree.above}
    return Transfers.of(n_chunks, columns | {"chunk": index * pieces + piece}, adds=True)


def _down(tree: Tree, index: int, pieces: int, n_chunks: int, start: int) -> Transfers:
    piece = np.arange(pieces)[:, None]
    step = piece + start + tree.depth - 1
    columns = {"step": step, "source": tree.above, "target": tree.node}
    return Transfers.of(n_chunks, columns | {"chunk": index * pieces + piece}, adds=False)
