"""What each link of a mesh carries, all layers."""

import numpy as np
from numpy.typing import NDArray

from star_watos.fabric import Area
from star_watos.fabric.flows import link_loads
from star_watos.star.spatial.choice import Circulation
from star_watos.star.spatial.setting import Setting
from star_watos.star.spatial.simulate import MeshRun, setting_of
from star_watos.star.spatial.traffic import kept_further_on
from star_watos.star.spatial.ways import Circle, circle

Loads = NDArray[np.float64]


def mesh_loads(run: MeshRun) -> Loads:
    """Return the bytes of each link, [4 n], DRAM traffic on its way to cores included."""
    it = setting_of(run.alone, run.spread, run.alone.result.layer.flow)
    through = run.alone.ports.loads * run.dram_bytes / run.alone.n_cores
    return _around(run, it) + through


def _around(run: MeshRun, it: Setting) -> Loads:
    mesh, ring, n = run.alone.mesh, it.spread.ring, it.spread.n_cores
    w, rows, cols = it.widths, it.spread.rows, it.spread.cols
    loads = np.zeros(mesh.n_links)
    match it.spread.circulation:
        case Circulation.KV_RING:
            on = circle(ring, Area.all(mesh))
            loads += _carried(run, on, _row_blocks(run, it, n, it.tokens))
        case Circulation.Q_RING:
            on = circle(ring, Area.all(mesh))
            passing = run.alone.total(it.tokens * (w.query + w.partial))
            home = run.alone.total(it.tokens * w.partial)
            blocks = np.full(n, passing)
            blocks[-1] = home
            loads += _carried(run, on, blocks * (n > 1))
        case Circulation.TWO_D:
            both = run.alone.total(it.tokens * (w.query + w.partial))
            for r in range(rows):
                line = circle(ring, Area(mesh, r, 0, 1, cols))
                loads += _carried(run, line, np.full(cols - 1, both))
            blocks = _row_blocks(run, it, rows, it.tokens * cols)
            for c in range(cols):
                loads += _carried(run, circle(ring, Area(mesh, 0, c, rows, 1)), blocks)
    return loads


def _row_blocks(run: MeshRun, it: Setting, cores: int, queries: float) -> Loads:
    """Bytes of a block on each step, all layers: predicted keys, index and kept rows."""
    w, groups = it.widths, len(it.mean_s)
    kept = kept_further_on(it.work, it.flow, cores, queries)
    each = it.tokens * (w.key + w.index + w.row * np.broadcast_to(kept, (cores - 1, groups)))
    layers = np.broadcast_to(np.asarray(run.alone.work.n_layers, dtype=float), (groups,))
    blocks: Loads = each @ layers
    return blocks


def _carried(run: MeshRun, on: Circle, blocks: Loads) -> Loads:
    """Return the loads when blocks of these bytes are passed on, step by step."""
    mesh = run.alone.mesh
    loads = np.zeros(mesh.n_links)
    for way in on.ways:
        moved = np.zeros(len(way.sender))
        for step, n_bytes in enumerate(blocks):
            moved[way.goes_on(step)] += n_bytes * way.fraction
        loads += link_loads(mesh, way.routes, moved)
    return loads
