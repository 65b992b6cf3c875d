"""What no collective can beat: the farthest way, and what links must carry."""

import numpy as np
from numpy.typing import NDArray

from star_watos.cost import Column
from star_watos.fabric.area import Area
from star_watos.fabric.collectives.check import Kind


def all_reduce_share(rows: Column, cols: Column) -> Column:
    """Least share of S / B of an all-reduce on a whole mesh: max((n - 1) / E, 1 / fewest links).

    Every number of the vector takes n - 1 messages to be added up, and n - 1 to be known: 2 (n - 1)
    S bytes over 2 E = 2 (2 n - R - C) links. A corner takes S in, over two links, or one of a line.

    >>> round(float(all_reduce_share(8, 8)), 4)
    0.5625
    """
    r, c = np.asarray(rows), np.asarray(cols)
    n = r * c
    fewest = np.where(np.minimum(r, c) > 1, 2, 1)
    volume = (n - 1) / np.maximum(2 * n - r - c, 1)
    share: Column = np.where(n > 1, np.maximum(volume, 1 / fewest), 0.0)
    return share


def least_share(kind: Kind, area: Area) -> float:
    """Return the least share of S / B that the most loaded link carries.

    Of a rectangle of which something is missing, ways outside of it count as well.
    """
    n = len(area.nodes)
    if n == 1:
        return 0.0
    links = _links(area)
    fewest = float(links.min())
    match kind:
        case Kind.ALL_REDUCE:
            return max((n - 1) / (_all_links(area) / 2), 1 / fewest)
        case Kind.REDUCE_SCATTER | Kind.ALL_GATHER:
            return (n - 1) / n / fewest
        case Kind.MULTICAST:
            return 1 / fewest
        case Kind.ALL_TO_ALL:
            return max(_all_to_all_volume(area), _all_to_all_cut(area))


def least_hops(area: Area, root: int | None = None) -> int:
    """Return the distance between the nodes that are farthest apart, or farthest from `root`."""
    pairs = _all_pairs(area)
    return int((pairs if root is None else pairs[area.nodes == root]).max())


def _links(area: Area) -> NDArray[np.intp]:
    """Return the links that leave each node; inside, where all are there."""
    ahead = area.mesh.neighbours[area.nodes]
    usable = np.isin(ahead, area.nodes) if area.whole else ahead >= 0
    count: NDArray[np.intp] = usable.sum(axis=1)
    return count


def _all_links(area: Area) -> int:
    """Return the links that may be used."""
    return int(_links(area).sum()) if area.whole else int(area.mesh.present.sum())


def _all_pairs(area: Area) -> NDArray[np.intp]:
    """Return the hops from each node to each other, [n, n]."""
    n = len(area.nodes)
    routes = area.mesh.routes(np.repeat(area.nodes, n), np.tile(area.nodes, n))
    return routes.hops.reshape(n, n)


def _all_to_all_volume(area: Area) -> float:
    """Every piece takes at least its distance: sum of hops / n over all links."""
    return float(_all_pairs(area).sum()) / len(area.nodes) / _all_links(area)


def _all_to_all_cut(area: Area) -> float:
    """What crosses a straight cut through the mesh, over the links that do; of the worst cut."""
    mesh, n, worst = area.mesh, len(area.nodes), 0.0
    every = np.arange(mesh.n_nodes)
    for position, direction in ((every % mesh.cols, 0), (every // mesh.cols, 2)):
        for cut in range(int(position.max())):
            before = int((position[area.nodes] <= cut).sum())
            edge = every[position == cut]
            edge = np.intersect1d(edge, area.nodes) if area.whole else edge
            crossing = int((mesh.neighbours[edge, direction] >= 0).sum())
            if 0 < before < n:
                worst = max(worst, before * (n - before) / n / max(crossing, 1))
    return worst
