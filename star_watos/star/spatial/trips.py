"""What goes around in each dataflow of a mesh, and how long a layer takes with it."""

from dataclasses import dataclass
from typing import assert_never

import numpy as np
from numpy.typing import NDArray

from star_watos.cost import Column
from star_watos.star.spatial.choice import Circulation
from star_watos.star.spatial.rows import Rows
from star_watos.star.spatial.setting import Setting
from star_watos.star.spatial.timing import Ring, handed_on, heads_in_turn, prefetched


@dataclass(frozen=True, slots=True)
class Trip:
    """What a layer takes; [groups] or numbers."""

    seconds: NDArray[np.float64]
    busy_s: Column
    """Of the most loaded link."""
    byte_hops: Column
    """Bytes times hops, of all links."""
    index_byte_hops: Column
    """Of which it is to say which rows are kept."""
    all_rows_byte_hops: Column
    """What it would be if all K and V rows travelled, and no index."""
    stored_bytes: Column
    """Written to DRAM, and keep lists read again, for it, by all cores."""
    busiest_core: float
    """Work of the core that has most, over the mean."""
    passes_s: Column = 0.0
    """What it costs that prediction has to be through before rows travel, [groups]."""


def trip(it: Setting) -> Trip:
    """Return what a layer takes in the dataflow of its setting."""
    match it.spread.circulation:
        case Circulation.KV_RING:
            return _kv_ring(it)
        case Circulation.Q_RING:
            return _q_ring(it)
        case Circulation.TWO_D:
            return _two_d(it)
        case _:
            assert_never(it.spread.circulation)


def _kv_ring(it: Setting) -> Trip:
    n = it.spread.n_cores
    on = it.hop(it.spread.rows, it.spread.cols)
    rows = Rows.of(it, on, it.tokens)
    work = it.by_step(keys_stay=False)
    busiest = float(work.sum(axis=0).max())
    work_s = work[..., None] * it.mean_s
    predicted_s = it.passes_s * busiest
    if it.spread.overlap:
        first_s = np.maximum(predicted_s, rows.keys_s / it.heads) + rows.index_s / it.heads
        head_s = prefetched(Ring(work_s / it.heads, rows.row_s / it.heads))
        longer_s = np.maximum(rows.pace_s, busiest * it.mean_s)
        seconds = first_s + head_s + (1 - 1 / it.heads) * longer_s
    else:
        seconds = predicted_s + rows.ahead_s + handed_on(Ring(work_s, rows.row_s), overlap=False)
    return Trip(
        seconds=seconds,
        busy_s=rows.load_s,
        byte_hops=on.moved @ rows.blocks,
        index_byte_hops=on.moved.sum() * rows.index,
        all_rows_byte_hops=on.moved.sum() * rows.whole,
        stored_bytes=n * rows.stored + it.keep_list_bytes * (n > 1),
        busiest_core=busiest,
        passes_s=predicted_s,
    )


def _q_ring(it: Setting) -> Trip:
    n, w = it.spread.n_cores, it.widths
    on = it.hop(it.spread.rows, it.spread.cols)
    passing, back = it.tokens * (w.query + w.partial), it.tokens * w.partial
    work, groups = it.by_step(keys_stay=True), np.ones_like(it.mean_s)
    ring = Ring(
        work_s=work[..., None] * it.mean_s,
        step_s=np.full((on.steps, 1), on.seconds(passing)) * groups,
    )
    home_s = on.seconds(back) if n > 1 else 0.0
    blocks = on.steps * passing + back * (n > 1)
    moved = on.moved.sum() * passing + on.moved[:1].sum() * back
    return Trip(
        seconds=handed_on(ring, home_s, overlap=it.spread.overlap),
        busy_s=on.load * blocks / it.link_bytes_per_s,
        byte_hops=moved,
        index_byte_hops=0.0,
        all_rows_byte_hops=moved,
        stored_bytes=0.0,
        busiest_core=float(work.sum(axis=0).max()),
    )


def _two_d(it: Setting) -> Trip:
    r, c, w = it.spread.rows, it.spread.cols, it.widths
    along, down = it.hop(1, c), it.hop(r, 1)
    rows = Rows.of(it, down, it.tokens * c)
    out, back = it.tokens * w.query, it.tokens * w.partial
    out_s = along.steps * along.seconds(out, it.heads)
    back_s = along.steps * along.seconds(back, it.heads)
    busiest = it.shares(r, c).max()
    work_s = busiest * it.mean_s
    predicted_s = it.passes_s * busiest * (r > 1)
    if it.spread.overlap:
        seconds = heads_in_turn(it.heads, out_s, rows.total_s, work_s, back_s, rows.pace_s)
    else:
        seconds = np.maximum(out_s, rows.total_s) + work_s + back_s
    in_rows, in_cols = r * along.moved.sum() * (out + back), c * down.moved
    busy_in_rows_s = along.load * along.steps * (out + back) / it.link_bytes_per_s
    return Trip(
        seconds=seconds + predicted_s,
        busy_s=np.maximum(busy_in_rows_s, rows.load_s),
        byte_hops=in_rows + in_cols @ rows.blocks,
        index_byte_hops=in_cols.sum() * rows.index,
        all_rows_byte_hops=in_rows + in_cols.sum() * rows.whole,
        stored_bytes=r * c * rows.stored + it.keep_list_bytes * (r > 1),
        busiest_core=float(busiest),
        passes_s=predicted_s,
    )
