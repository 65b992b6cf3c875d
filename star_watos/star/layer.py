"""One layer on one core: everything that the formulas of its stages start from."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from star_watos.cost import Column
from star_watos.star.dataflow import STAR, Dataflow, Predictor, Tile
from star_watos.star.resources import Resources
from star_watos.star.rows import QueryTiles
from star_watos.star.tiles import Visits
from star_watos.star.work import AttentionWork

VALUE_BYTES = 2.0
"""Q, K, V, weights and outputs are 16-bit."""
TOKEN_BYTES = 1.0
"""Tokens are INT8 (SOFA, section on DLZS)."""
ID_BYTES = 2.0
"""Position of a kept key inside its tile and segment."""
SLICE = 128.0
"""Elements of a dot product that are buffered at once while weights stream."""


@dataclass(frozen=True, slots=True)
class Widths:
    """Bytes of what a predictor works on."""

    token: float
    code: float
    """A weight: 4 bits and the sign, or 4 bits."""
    key: float
    """An element of predicted K."""


WIDTHS = {
    Predictor.DLZS: Widths(TOKEN_BYTES, 5 / 8, VALUE_BYTES),
    Predictor.SLZS: Widths(5 / 8, 5 / 8, 6 / 8),
    Predictor.INT4: Widths(1 / 2, 1 / 2, 1 / 2),
    Predictor.NONE: Widths(0.0, 0.0, 0.0),
}


@dataclass(frozen=True)
class Layer:
    """A layer's work on a core in tiles of one size, under one dataflow."""

    design: Resources
    """As given; [...]."""
    core: Resources
    """The same beside the groups of layers, as `tile` is; [..., 1] where there are groups."""
    work: AttentionWork
    chosen: Tile
    """As given."""
    tile: Tile
    """The same beside the groups of layers."""
    flow: Dataflow

    @classmethod
    def of(cls, core: Resources, work: AttentionWork, tile: Tile, flow: Dataflow = STAR) -> "Layer":
        """Put a workload on a core; all arguments may hold columns of equal length."""
        work = work if flow.predicts else work.dense()
        beside = core.each(work.beside) if np.ndim(work.n_layers) else core
        each = Tile(work.beside(tile.keys), work.beside(tile.heads))
        return cls(core, beside, work, tile, tile if tile.by_layer else each, flow)

    @cached_property
    def tiles(self) -> QueryTiles:
        """Query tiles that stand for all; not needed to know whether something fits."""
        core, tile, work = self.core, self.tile, self.work
        columns = (tile.keys, tile.heads, core.queries, core.frequency_hz, work.n_layers)
        return QueryTiles.of(core.queries, work, max(np.ndim(c) for c in columns))

    @cached_property
    def visits(self) -> Visits:
        """What their queries keep of each key tile."""
        return Visits.of(self.core, self.work, self.tile, self.flow, self.tiles)

    @property
    def widths(self) -> Widths:
        """Bytes of what the predictor works on."""
        return WIDTHS[self.flow.predictor]

    @property
    def group(self) -> Column:
        """Query heads of a K/V head, r."""
        return self.work.n_heads / self.work.n_kv_heads

    @property
    def passes(self) -> Column:
        """Passes of a K/V head over its query tiles, r / h."""
        return self.group / self.tile.heads

    @property
    def blocks(self) -> Column:
        """Blocks of P features of predicted K, a K/V head on average."""
        work = self.work
        blocks: Column = np.ceil(work.n_kv_heads * work.head_dim / self.core.queries)
        return blocks / work.n_kv_heads

    @property
    def new_share(self) -> Column:
        """Share of the new tokens that come with each query tile, [tiles, ...]."""
        return self.tiles.new / np.maximum(self.work.new_tokens, 1.0)

    @property
    def new_visits(self) -> Column:
        """Visits of a query tile that bring new tokens, [tiles, ...]."""
        if self.flow.isolated:
            return np.minimum(self.tiles.new, 1.0)
        keys, c = self.tile.keys, self.core.dlzs_columns
        aligned = np.gcd(np.asarray(self.core.queries, np.int64), np.asarray(keys, np.int64))
        straddled = np.maximum(1 - np.maximum(aligned, c) / keys, 0.0)
        visits: Column = self.tiles.new / keys + np.minimum(self.tiles.new / c, 1.0) * straddled
        return visits

    @property
    def token_groups(self) -> Column:
        """Groups of tokens that phase 1 predicts together."""
        groups: Column = np.ceil(self.work.new_tokens / self.core.dlzs_columns)
        return groups

    @property
    def loaded_keys(self) -> Column:
        """K and V rows that a query tile loads a pass under RASS: max(U seen, K), [tiles, ...]."""
        share = self.work.loaded_share(self.tiles.rows, self.tile.heads)
        return np.maximum(share * self.tiles.seen, self.visits.kept)
