"""The numbers of one layer on one core, all scalars, as `docs/star_model.md` names them."""

import math
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from star_watos.cost import Column
from star_watos.errors import InputError
from star_watos.star.core import Core
from star_watos.star.dataflow import Dataflow, Predictor, Schedule, Tile
from star_watos.star.work import AttentionWork

_SLICE = 128
"""Features (or inputs) that an array works on while the next ones come."""


_JUST = 1 - 1e-12
"""What a product is taken times before it is rounded up, against its last digits."""


@dataclass(frozen=True, slots=True)
class Width:
    """Bytes of one value that the predictor works on."""

    token: float
    code: float
    """A weight of the projection to K^."""
    key: float
    """A value of K^."""


_WIDTHS = {
    Predictor.DLZS: Width(token=1, code=5 / 8, key=2),
    Predictor.SLZS: Width(token=5 / 8, code=5 / 8, key=6 / 8),
    Predictor.INT4: Width(token=1 / 2, code=1 / 2, key=1 / 2),
    Predictor.NONE: Width(token=0, code=0, key=0),
}


def share_of(share: float, count: int) -> int:
    """Return ceil(share x count), blind to the last digits of the product.

    >>> share_of(0.07, 100), share_of(0.25, 5)
    (7, 2)
    """
    return math.ceil(share * count * _JUST)


def _whole(name: str, value: Column, least: int = 1) -> int:
    number = float(value)
    if number != round(number) or number < least:
        raise InputError.of(name, f"expected a whole number of at least {least}, got {number:g}")
    return round(number)


@dataclass(frozen=True, slots=True)
class Layer:
    """Counts of one layer and how it is cut."""

    seq_len: int
    """S."""
    q_len: int
    """q, at the end of the keys."""
    cached: int
    """C."""
    d_model: int
    """D."""
    head_dim: int
    """d."""
    kv_heads: int
    """G."""
    passes: int
    """Passes over a K/V head, r / h."""
    heads: int
    """Query heads that visit a tile together, h."""
    keys: int
    """Keys of a tile, Bc."""
    kept: int
    """Keys that a query keeps where it sees as many, k."""
    wanted_share: float
    """Share of the new tokens that any query wants."""

    @classmethod
    def of(cls, work: AttentionWork, tile: Tile, flow: Dataflow) -> "Layer":
        """Return the counts of `work`, whose fields are scalars."""
        seq_len, heads = _whole("seq_len", work.seq_len), _whole("heads of a tile", tile.heads)
        whole = seq_len if work.whole_len is None else _whole("whole_len", work.whole_len)
        kv_heads = _whole("n_kv_heads", work.n_kv_heads)
        group = _whole("n_heads / n_kv_heads", float(work.n_heads) / kv_heads)
        if group % heads:
            text = f"{heads} heads of a tile do not divide the {group} that share a K/V head"
            raise InputError.of("heads of a tile", text)
        return cls(
            seq_len=seq_len,
            q_len=_whole("q_len", work.q_len),
            cached=_whole("cached", work.cached, least=0),
            d_model=_whole("d_model", work.d_model),
            head_dim=_whole("head_dim", work.head_dim),
            kv_heads=kv_heads,
            passes=group // heads,
            heads=heads,
            keys=_whole("keys of a tile", tile.keys),
            kept=share_of(float(work.keep_ratio), whole) if flow.predicts else seq_len,
            wanted_share=float(work.kv_ratio) if flow.predicts else 1.0,
        )

    def wanted(self, tokens: NDArray[Any]) -> NDArray[Any]:
        """Return how many of a head's first new tokens any query wants: ceil(kv_ratio m)."""
        whole: NDArray[Any] = np.ceil(self.wanted_share * tokens * _JUST)
        return whole


@dataclass(frozen=True, slots=True)
class Room:
    """What the SRAMs hold beside what they must."""

    batch_tokens: int
    """Tokens of a batch of K/V generation."""
    codes_share: float
    """Share of a block's codes that stays in the weight SRAM."""
    temp_bytes: float
    """Bytes of the temp SRAM beside identifiers and the rows of K and V."""

    @classmethod
    def of(cls, core: Core, layer: Layer, flow: Dataflow) -> "Room":
        """Return what is left in each SRAM."""
        width = _WIDTHS[flow.predictor]
        P, d = core.queries, layer.head_dim  # noqa: N806 (as the document has it)
        queries = layer.heads * P * d * 2 * (2 if layer.heads > 1 else 1)
        keys = 2 * layer.keys * d * width.key
        tokens = 2 * _SLICE * core.dlzs.columns * width.token
        left = core.sram.token.capacity_bytes - queries - keys - tokens
        codes = core.sram.weight.capacity_bytes - 2 * _SLICE * P * (2 + width.code)
        block = -(-d // P) * layer.d_model * P * width.code
        ids = 2 * P * core.sads.survivors * 2 * flow.predicts
        rows = 2 * (core.sufa.columns / 2) * 4 * d
        return cls(
            batch_tokens=max(core.kv_generation.columns, int(left // layer.d_model)),
            codes_share=min(1.0, max(0.0, codes / block)) if block else 0.0,
            temp_bytes=core.sram.temp.capacity_bytes - ids - rows,
        )


@dataclass(frozen=True, slots=True)
class Machine:
    """A core, one layer's work and the choices; all that tasks are made from."""

    core: Core
    work: AttentionWork
    flow: Dataflow
    layer: Layer
    room: Room

    @classmethod
    def of(cls, core: Core, work: AttentionWork, tile: Tile, flow: Dataflow) -> "Machine":
        """Return the machine of one group of layers; `InputError` where the numbers cannot be."""
        layer = Layer.of(work, tile, flow)
        if layer.q_len > layer.seq_len or layer.cached > layer.seq_len:
            text = f"{layer.q_len} queries and {layer.cached} cached tokens of {layer.seq_len} keys"
            raise InputError.of("q_len", text)
        return cls(core, work, flow, layer, Room.of(core, layer, flow))

    @property
    def width(self) -> Width:
        """Bytes of the predictor's values."""
        return _WIDTHS[self.flow.predictor]

    @property
    def block_bytes(self) -> float:
        """Codes of a block of P features: D P codes."""
        return self.layer.d_model * self.core.queries * self.width.code

    @property
    def score_bytes(self) -> float:
        """Bytes of a predicted score."""
        return self.core.score_bits / 8

    @property
    def rass_steps(self) -> float:
        """Steps of SU-FA for one of the query that keeps most."""
        return self.core.sufa.rass_steps if self.flow.schedule is Schedule.RASS else 1.0


def layer_groups(work: AttentionWork) -> list[AttentionWork]:
    """Return the work of each group of equal layers, its fields scalars.

    >>> two = AttentionWork(8, np.array([3, 1]), 1, 1, 8, 8, 8, np.array([0.5, 0.25]), 1.0)
    >>> [(one.n_layers, one.keep_ratio, one.seq_len) for one in layer_groups(two)]
    [(3.0, 0.5, 8.0), (1.0, 0.25, 8.0)]
    """
    names = [f.name for f in fields(work) if f.name != "causal"]
    columns = {name: getattr(work, name) for name in names if getattr(work, name) is not None}
    n_groups = max(np.size(column) for column in columns.values())
    rows = {
        name: np.broadcast_to(np.asarray(column, dtype=np.float64).reshape(-1), n_groups)
        for name, column in columns.items()
    }
    scalars: list[dict[str, Any]] = [
        {name: float(row[g]) for name, row in rows.items()} for g in range(n_groups)
    ]
    return [replace(work, **one) for one in scalars]
