"""In which order a ring passes the nodes of an area."""

from itertools import pairwise
from typing import NamedTuple

import numpy as np

from star_watos.fabric.area import Area
from star_watos.fabric.collectives import closed
from star_watos.fabric.routes import Nodes


class Ring(NamedTuple):
    """Nodes in a circle, and what the way from each to the next passes."""

    nodes: Nodes
    via: Nodes
    """[n, 2]; -1 is none: the fabric's shortest route."""

    @classmethod
    def direct(cls, nodes: Nodes) -> "Ring":
        """Return a circle whose edges take the fabric's routes."""
        return cls(nodes, np.full((len(nodes), 2), -1))

    def backwards(self) -> "Ring":
        """Return the circle the other way round, from the same node."""
        return Ring(np.roll(self.nodes[::-1], 1), self.via[::-1, ::-1])


def naive(area: Area) -> Ring:
    """Along the snake, and from its end the long way back."""
    return Ring.direct(area.snake)


def folded(line: Nodes) -> Nodes:
    """Every other node of a line up, and the rest down: neighbours are two apart at most.

    >>> folded(np.arange(6)).tolist()
    [0, 2, 4, 5, 3, 1]
    """
    return np.concatenate([line[::2], line[1::2][::-1]])


def has_cycle(area: Area) -> bool:
    """Whether single hops lead through all nodes and back: whole, and an even number of them."""
    return area.whole and bool(closed.has_cycle(area.rows, area.cols))


def hamiltonian(area: Area) -> Ring:
    """A circle of single hops where there is one; the interleaved ring elsewhere.

    The first column is the way back of a snake through the others; of an odd number of rows, the
    first row.

    >>> from star_watos.fabric import Area, Mesh
    >>> hamiltonian(Area.all(Mesh(2, 3))).nodes.tolist()
    [0, 1, 2, 5, 4, 3]
    """
    if not has_cycle(area):
        return interleaved(area)
    places = area.places if area.rows % 2 == 0 else area.places.T
    there = [row[1:] if i % 2 == 0 else row[:0:-1] for i, row in enumerate(places)]
    return Ring.direct(np.concatenate([places[0, :1], *there, places[:0:-1, 0]]))


def interleaved(area: Area) -> Ring:
    """A circle whose every way is short and shares no link with another's.

    It follows a walk around a spanning tree, which takes each of its links once in each direction:
    nodes at an even depth are passed when the walk first comes to them, others when it leaves them.
    Where nothing is missing the tree is the snake, and neighbours are two hops apart at most: the
    interleaved ring of WaferLLM (arXiv 2502.04563). Around holes they are three apart at most
    (Sekanina 1960).
    """
    parents = _snake_tree(area) if area.whole else _deep_tree(area)
    walk = _walk(parents, int(area.snake[0]))
    depth = {walk[0]: 0}
    for a, b in pairwise(walk):
        depth.setdefault(b, depth[a] + 1)
    last = {node: i for i, node in enumerate(walk)}
    first = {node: i for i, node in reversed(list(enumerate(walk)))}
    passed = sorted(first[v] if depth[v] % 2 == 0 else last[v] for v in depth)
    stops = [*passed, len(walk) - 1]
    via = [[*walk[a + 1 : b], -1, -1][:2] for a, b in pairwise(stops)]
    return Ring(np.array([walk[i] for i in passed]), np.array(via))


def _snake_tree(area: Area) -> dict[int, list[int]]:
    """Return the children of each node: the next of the snake."""
    line = area.snake.tolist()
    return {a: [b] for a, b in pairwise(line)}


def _deep_tree(area: Area) -> dict[int, list[int]]:
    """Return the children of each node in a search that goes deep first: few branches."""
    beside: dict[int, list[int]] = {}
    for a, b in area.edges:
        beside.setdefault(a, []).append(b)
        beside.setdefault(b, []).append(a)
    root = int(area.snake[0])
    children: dict[int, list[int]] = {}
    seen, stack = {root}, [root]
    while stack:
        ahead = [b for b in beside.get(stack[-1], []) if b not in seen]
        if not ahead:
            stack.pop()
            continue
        children.setdefault(stack[-1], []).append(ahead[0])
        seen.add(ahead[0])
        stack.append(ahead[0])
    return children


def _walk(children: dict[int, list[int]], root: int) -> list[int]:
    """Return the walk around a tree: down each edge and back up."""
    walk, stack = [root], [(root, iter(children.get(root, [])))]
    while stack:
        child = next(stack[-1][1], None)
        if child is not None:
            stack.append((child, iter(children.get(child, []))))
        else:
            stack.pop()
            if not stack:
                break
            child = stack[-1][0]
        walk.append(child)
    return walk
