"""Collectives that work along rows, then along columns.

Each is a reduce-scatter (or a reduction), which backwards gathers (or spreads) again. Lines are the
nodes that are there of a row or column; a chunk whose place in a line is missing is left to the
nearest node of that line.
"""

from collections.abc import Sequence

import numpy as np

from star_watos.fabric.area import Area
from star_watos.fabric.collectives.orders import Ring, folded
from star_watos.fabric.collectives.rings import around
from star_watos.fabric.collectives.transfers import Transfers, beside, halves, then
from star_watos.fabric.routes import Nodes


def hierarchical(area: Area) -> Transfers:
    """Reduce-scatter in all rows, then in all columns, on interleaved rings."""
    return then(*_phases(area.lines, area.rows, area.cols, _position(area, by_row=False)))


def split(area: Area) -> Transfers:
    """Half of the data rows first, the other half columns first, both at once.

    On two rows or columns, where lines of one hop and of two would wait for each other, it is
    `hierarchical`.
    """
    if min(area.rows, area.cols) <= 2:
        return hierarchical(area)
    rows = _phases(area.lines, area.rows, area.cols, _position(area, by_row=False))
    cols = _phases(area.columns, area.cols, area.rows, _position(area, by_row=True))
    return then(*(halves(a, b) for a, b in zip(rows, cols, strict=True)))


def _position(area: Area, *, by_row: bool) -> Nodes:
    """Return the row, or the column, of each node of the mesh in the area."""
    at = np.arange(area.mesh.n_nodes)
    return at // area.mesh.cols - area.row if by_row else at % area.mesh.cols - area.col


def _phases(lines: list[Nodes], n_lines: int, length: int, position: Nodes) -> list[Transfers]:
    """Reduce-scatter of `length` pieces in lines, then of each piece over the lines.

    `position` is that of each node in its line. There are `length` x `n_lines` chunks.
    """
    n_chunks = n_lines * length
    piece, part = np.divmod(np.arange(n_chunks), n_lines)
    first, owners = [], []
    for line in lines:
        nearest = np.abs(position[line] - np.arange(length)[:, None]).argmin(axis=1)
        owners.append(line[nearest])
        first.append(_folded_scatter(line, line[nearest[piece]], np.arange(n_chunks), n_chunks))
    part = part * len(lines) // n_lines
    second = [
        _folded_scatter(line, line[part[mine]], mine, n_chunks)
        for line, mine in (
            (np.array([own[p] for own in owners]), np.flatnonzero(piece == p))
            for p in range(length)
        )
    ]
    return [beside(*first), beside(*second)]


def _folded_scatter(line: Nodes, owner: Nodes, chunk: Nodes, n_chunks: int) -> Transfers:
    """Bring each chunk to the node `owner` on the interleaved ring of a line."""
    order = folded(line)
    place = np.argsort(order)[np.searchsorted(order, owner, sorter=np.argsort(order))]
    return around(Ring.direct(order), place, chunk, n_chunks)


def binary_trees(area: Area) -> Transfers:
    """Reduction of half of the data to the first node of all, of half to the last: two trees.

    In each line, then over the lines; nodes 2^k apart join in step k.
    """
    return halves(
        _tree([line.tolist() for line in area.lines]),
        _tree([line[::-1].tolist() for line in area.lines[::-1]]),
    )


def _tree(lines: Sequence[Sequence[int]]) -> Transfers:
    """Reduce all to the first node of the first line."""
    over = [line[0] for line in lines]
    return then(beside(*(_binomial(line) for line in lines)), _binomial(over))


def _binomial(line: Sequence[int]) -> Transfers:
    rows = [
        (step, line[i + apart], line[i])
        for step, apart in enumerate(_powers(len(line)))
        for i in range(0, len(line) - apart, 2 * apart)
    ]
    return _whole_vectors(rows)


def _whole_vectors(rows: Sequence[tuple[int, int, int]]) -> Transfers:
    """Return transfers of all data in one piece from (step, source, target)."""
    step, source, target = np.array(rows, dtype=np.intp).reshape(-1, 3).T
    return Transfers.of(
        1, {"step": step, "source": source, "target": target, "chunk": 0}, adds=True
    )


def _powers(length: int) -> list[int]:
    """Return 1, 2, 4, ... below `length`."""
    return [2**k for k in range((length - 1).bit_length())]


def halving(area: Area) -> Transfers:
    """Recursive halving in lines, then over the lines (Thakur et al. 2005).

    In step k nodes 2^k apart exchange halves of what they still have. Of a line that is no power of
    two long, every other of the first nodes hands all it has to the next before.
    """
    pieces = max(_power_below(len(line)) for line in area.lines)
    n_parts = _power_below(len(area.lines))
    n_chunks = pieces * n_parts
    piece, part = np.divmod(np.arange(n_chunks), n_parts)
    survivors = [_survivors(line) for line in area.lines]
    first = [_halve(line, piece, np.arange(n_chunks), n_chunks) for line in area.lines]
    second = []
    for p in range(pieces):
        mine = np.flatnonzero(piece == p)
        line = np.array([alive[p % len(alive)] for alive in survivors])
        second.append(_halve(line, part[mine], mine, n_chunks))
    return then(beside(*first), beside(*second))


def _power_below(length: int) -> int:
    return 1 << (length.bit_length() - 1)


def _survivors(line: Nodes) -> Nodes:
    """Return the nodes that halve: as many as the power of two below."""
    extra = len(line) - _power_below(len(line))
    return np.concatenate([line[1 : 2 * extra : 2], line[2 * extra :]])


def _halve(line: Nodes, piece: Nodes, chunk: Nodes, n_chunks: int) -> Transfers:
    """Halve pieces of chunks in a line; piece p ends at survivor p mod their number."""
    alive = _survivors(line)
    extra = len(line) - len(alive)
    fold = {"source": line[: 2 * extra : 2, None], "target": line[1 : 2 * extra : 2, None]}
    steps = [Transfers.of(n_chunks, {"step": 0, "chunk": chunk, **fold}, adds=True)]
    node = np.arange(len(alive))[:, None]
    for k, apart in enumerate(_powers(len(alive))):
        wanted = (piece ^ node ^ apart) & (2 * apart - 1)
        source, column = np.nonzero(wanted == 0)
        columns = {
            "step": k + (extra > 0),
            "source": alive[source],
            "target": alive[source ^ apart],
            "chunk": chunk[column],
        }
        steps.append(Transfers.of(n_chunks, columns, adds=True))
    return beside(*steps)
