"""What one change of a core would do: each resource alone, all changes in one column.

A change is of the hardware; the dataflow stays, and the tile is chosen anew.
"""

from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from star_watos.star.dataflow import Tile
from star_watos.star.resources import Buffer, Resources
from star_watos.star.simulate import Evaluation, evaluate, fastest

FACTOR = 2.0
"""By which a resource grows."""

ARRAYS = {
    "dlzs.columns": "dlzs_columns",
    "sads.inputs": "sort_inputs",
    "kv_generation.columns": "kv_columns",
    "sufa.columns": "sufa_columns",
    "dram.bandwidth": "dram_bytes_per_s",
    "queries": "queries",
}
"""Template field -> resource."""
SRAMS = ("token", "weight", "temp")


@dataclass(frozen=True, slots=True)
class Change:
    """One resource doubled: what becomes of latency, energy and area, as factors."""

    resource: str
    factor: float
    latency: float
    energy: float
    area: float

    def document(self) -> dict[str, Any]:
        """Return it for JSON."""
        return asdict(self)


def sensitivity(result: Evaluation, tiles: Tile) -> list[Change]:
    """Return what doubling each resource alone would do, the greatest gain in latency first.

    Each design takes the one of `tiles` that is fastest, then most frugal, on it.
    """
    names, designs = _doubled(result.layer.design)
    count = np.size(tiles.keys)
    every = Resources.columns([result.layer.design, *designs]).each(lambda c: np.repeat(c, count))
    tried = Tile(*(np.tile(c, len(designs) + 1) for c in (tiles.keys, tiles.heads)))
    column = evaluate(every, result.layer.work, tried, result.layer.flow)
    parts = np.split(np.arange(np.size(tried.keys)), len(designs) + 1)
    best = np.array([part[fastest(column, part)] for part in parts])
    metrics = [np.asarray(column.metrics[m])[best] for m in ("latency_s", "energy_j", "area_mm2")]
    found = [
        Change(name, FACTOR, *(float(m[i] / m[0]) for m in metrics))
        for i, name in enumerate(names, start=1)
    ]
    return sorted(found, key=lambda change: (change.latency, change.energy))


def _doubled(core: Resources) -> tuple[list[str], list[Resources]]:
    """Return the changed resources by name, and the core with each of them."""
    designs = {
        name: _with(core, field, FACTOR * getattr(core, field)) for name, field in ARRAYS.items()
    }
    for name in SRAMS:
        sram: Buffer = getattr(core, name)
        more = replace(sram, capacity_bytes=FACTOR * sram.capacity_bytes)
        wider = replace(sram, banks=FACTOR * sram.banks)
        designs[f"sram.{name}.capacity"] = _with(core, name, more)
        designs[f"sram.{name}.banks"] = _with(core, name, wider)
    return list(designs), list(designs.values())


def _with(core: Resources, field: str, value: Any) -> Resources:  # noqa: ANN401 (that field's)
    return replace(core, **{field: value})
