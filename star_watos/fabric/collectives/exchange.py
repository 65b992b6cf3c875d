"""All-to-all: every node has a piece for every other."""

import numpy as np
from numpy.typing import ArrayLike

from star_watos.fabric.area import Area
from star_watos.fabric.collectives.transfers import Transfers, halves, then
from star_watos.fabric.routes import Nodes


def all_to_all(area: Area) -> Transfers:
    """By rows and columns where nothing is missing, each piece straight to its target elsewhere."""
    return by_rows_and_columns(area) if area.whole else direct(area)


def direct(area: Area) -> Transfers:
    """Every piece at once, on the fabric's routes; chunk i n + j is what i has for j."""
    nodes, n = area.nodes, len(area.nodes)
    chunk = np.arange(n * n).reshape(n, n)
    columns: dict[str, ArrayLike] = {"step": 0, "source": nodes[:, None], "target": nodes}
    return Transfers.of(n * n, columns | {"chunk": chunk}, adds=False, copies=n)


def by_rows_and_columns(area: Area) -> Transfers:
    """Half of each piece along the row to the target's column, then along that; half the other way.

    The most loaded link carries what crosses the middle, which is the least it can.
    """
    rows, cols = _corners(area), _corners(area, transposed=True)
    return then(*(halves(a, b) for a, b in zip(rows, cols, strict=True)))


def _corners(area: Area, *, transposed: bool = False) -> list[Transfers]:
    """Return both legs of all pieces: to the target's column (or row), then to the target."""
    n, place = area.size, area.places
    source, target = (side.ravel() for side in np.divmod(np.arange(n * n).reshape(n, n), n))
    from_row, from_col = np.divmod(source, area.cols)
    to_row, to_col = np.divmod(target, area.cols)
    corner = place[to_row, from_col] if transposed else place[from_row, to_col]
    ends = place.ravel()
    return [
        _leg(ends[source], corner, n),
        _leg(corner, ends[target], n),
    ]


def _leg(source: Nodes, target: Nodes, n: int) -> Transfers:
    legs: dict[str, ArrayLike] = {"step": 0, "source": source, "target": target}
    columns = legs | {"chunk": np.arange(n * n)}
    return Transfers.of(n * n, columns, adds=False, copies=n)
