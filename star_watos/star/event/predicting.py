"""Prediction of a visit: which K^ it makes, what it loads for that, and its scores."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from star_watos.star.event.machine import Machine
from star_watos.star.event.tasks import BYTES, Floats, stage, transfer
from star_watos.star.event.visits import Visits


@dataclass(frozen=True, slots=True)
class KeyBlocks:
    """Blocks of P features of K that come with one K/V head."""

    blocks: int
    own: int
    """Features of the head itself in them; it loads the rest, made with another head's."""
    made: int
    """Features in them, of all heads."""

    @classmethod
    def of(cls, machine: Machine, head: int) -> "KeyBlocks":
        """Return those of K/V head g: ceil((g + 1) d / P) - ceil(g d / P) of them."""
        P, layer = machine.core.queries, machine.layer  # noqa: N806 (as the document has it)
        low, high = head * layer.head_dim, (head + 1) * layer.head_dim
        first, last = -(-low // P), -(-high // P)
        made = min(last * P, layer.kv_heads * layer.head_dim) - first * P
        return cls(last - first, own=max(0, high - first * P), made=max(0, made))


@dataclass(frozen=True, slots=True)
class _Groups:
    """Groups of c_p tokens whose K^ a visit predicts; each field is [visits]."""

    count: Floats
    tokens: Floats
    """Tokens in them, those of later visits included."""
    here: Floats
    """Tokens in them that are new in this visit."""
    opens: Floats
    """1 where one of them is the first of the head."""


def _groups(machine: Machine, visits: Visits) -> _Groups:
    """Count the groups from C on whose first token is new in a visit."""
    layer, columns = machine.layer, machine.core.dlzs.columns
    first = -(-(visits.new_from - layer.cached) // columns)
    last = -(-(visits.high - layer.cached) // columns)
    count = np.where(visits.new > 0, last - first, 0)
    start = layer.cached + first * columns
    end = np.minimum(layer.cached + last * columns, layer.seq_len)
    some = count > 0
    return _Groups(
        count=count.astype(np.float64),
        tokens=np.where(some, end - start, 0).astype(np.float64),
        here=np.where(some, visits.high - start, 0).astype(np.float64),
        opens=(some & (first == 0)).astype(np.float64),
    )


def _codes_bytes(machine: Machine, groups: _Groups, blocks: int) -> Floats:
    """Codes loaded: those that stay once with the first group, the others with every group."""
    stays = machine.room.codes_share
    return blocks * machine.block_bytes * (groups.count * (1 - stays) + groups.opens * stays)


class Prediction(NamedTuple):
    """Tasks of the predictor, and transfers; the last axis of each is [visits]."""

    front: Floats
    project: Floats
    codes: Floats
    predict: Floats
    key_store: Floats


def prediction(machine: Machine, visits: Visits, head: KeyBlocks) -> Prediction:
    """Return what the predictor loads, does in either phase, and stores."""
    layer, width, core = machine.layer, machine.width, machine.core
    d, groups = layer.head_dim, _groups(machine, visits)
    n_keys = visits.n_keys.astype(np.float64)
    front = (n_keys * d - groups.here * head.own) * width.key
    front += visits.opens * visits.rows * layer.heads * d * 2.0
    tokens = head.blocks * groups.tokens * layer.d_model * width.token
    codes = _codes_bytes(machine, groups, head.blocks)
    work = groups.count * head.blocks
    project = stage(
        work * layer.d_model / core.dlzs.int8_rate,
        token=2 * work * core.dlzs.columns * layer.d_model * width.token,
        weight=work * machine.block_bytes + codes,
    )
    predict = stage(
        layer.heads * np.ceil(n_keys / core.dlzs.columns) * d,
        token=layer.heads * n_keys * d * width.key + front,
        temp=scores_bytes(machine, visits),
    )
    return Prediction(
        front=transfer(core.dram, front),
        project=project,
        codes=transfer(core.dram, tokens + codes),
        predict=predict,
        key_store=transfer(core.dram, groups.tokens * head.made * width.key),
    )


def scores_bytes(machine: Machine, visits: Visits) -> Floats:
    """Predicted scores of a visit: rows h n_keys score_bits / 8."""
    return visits.rows * machine.layer.heads * visits.n_keys * machine.score_bytes


def spilled(machine: Machine, visits: Visits) -> Floats:
    """Return the transfer of scores that find no room in the temp SRAM, one way: [3, visits]."""
    P = machine.core.queries  # noqa: N806 (as the document has it)
    rows = 2 * P * visits.seen * machine.score_bytes * machine.layer.heads
    out = (rows > machine.room.temp_bytes) & machine.flow.isolated
    return transfer(machine.core.dram, np.where(out, scores_bytes(machine, visits), 0.0))


def scores_held(machine: Machine, visits: Visits) -> Floats:
    """Bytes that predicted scores take in the temp SRAM: two tiles, or two whole rows."""
    P = machine.core.queries  # noqa: N806 (as the document has it)
    tiles = 2 * P * machine.layer.keys * machine.score_bytes
    rows = 2 * P * visits.seen * machine.score_bytes * machine.layer.heads
    whole = machine.flow.isolated & (spilled(machine, visits)[BYTES] == 0)
    return np.where(whole, rows, tiles) * machine.flow.predicts
