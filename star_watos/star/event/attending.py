"""Sorting and attention of a visit: which keys are kept, their rows, and the output."""

from typing import assert_never

import numpy as np

from star_watos.star.dataflow import Attention, Schedule, Sorter
from star_watos.star.event.machine import Machine
from star_watos.star.event.predicting import scores_bytes, scores_held
from star_watos.star.event.tasks import Floats, stage, transfer
from star_watos.star.event.visits import Visits


def _tile_sort(machine: Machine, visits: Visits) -> tuple[Floats, Floats]:
    """Passes over a key tile, and steps of each, of the distributed sorter."""
    sads = machine.core.sads
    steps = np.ceil((visits.n_keys - sads.survivors) / (sads.inputs - sads.survivors))
    return np.ceil(visits.quota / sads.survivors), np.maximum(1.0, steps)


def _row_sort(machine: Machine, visits: Visits) -> tuple[Floats, Floats]:
    """Passes over a whole row, and steps of each: merged, or its best found pass by pass."""
    sads = machine.core.sads
    fresh = sads.inputs - sads.survivors
    merges = 1 + np.ceil(np.log2(np.maximum(visits.seen / sads.inputs, 1)))
    runs = np.ceil(visits.seen / fresh)
    picks = np.ceil(visits.kept / sads.survivors)
    steps = np.maximum(1.0, np.ceil((visits.seen - sads.survivors) / fresh))
    merging = runs * merges <= picks * steps
    return np.where(merging, merges, picks), np.where(merging, runs, steps)


def sorting(machine: Machine, visits: Visits) -> Floats:
    """Return the tasks of the sorter; a whole row is sorted with the last tile of it."""
    h, scores = machine.layer.heads, scores_bytes(machine, visits)
    match machine.flow.sorter:
        case Sorter.SADS:
            passes, steps = _tile_sort(machine, visits)
        case Sorter.FULL:
            passes, steps = _row_sort(machine, visits)
            passes = passes * visits.closes
            scores = scores / visits.n_keys * visits.seen
        case Sorter.NONE:
            steps = np.ceil(visits.n_keys / machine.core.sads.inputs)
            passes = np.ones_like(steps)
        case _:
            assert_never(machine.flow.sorter)
    temp = passes * scores + 2 * identifier_bytes(machine, visits)
    return stage(h * passes * steps, temp=temp)


def identifier_bytes(machine: Machine, visits: Visits) -> Floats:
    """Identifiers of the kept keys: rows h quota x 2; none where nothing is chosen."""
    kept = 2.0 * visits.rows * machine.layer.heads * visits.quota
    return kept if machine.flow.predicts else np.zeros_like(kept)


def _union(machine: Machine, visits: Visits, heads: int) -> Floats:
    """Share of the keys that any of a query tile's rows of `heads` heads keeps, U(rows, heads)."""
    shares: Floats = np.ones(visits.rows.size)
    if machine.flow.predicts:
        sizes, where = np.unique(visits.rows, return_inverse=True)
        share = machine.work.loaded_share(sizes.astype(np.float64), float(heads))
        shares = np.broadcast_to(np.asarray(share), sizes.shape)[where.reshape(-1)]
    return shares


def row_bytes(machine: Machine, visits: Visits) -> Floats:
    """Rows of K and V: max(U vis, K) n_keys / vis x 4 d, each once; more if loaded in order."""
    layer, size = machine.layer, 4.0 * machine.layer.head_dim
    loaded = np.maximum(_union(machine, visits, layer.heads) * visits.seen, visits.kept)
    once: Floats = loaded * visits.n_keys / visits.seen * size
    if not machine.flow.predicts:
        return once
    match machine.flow.schedule:
        case Schedule.RASS:
            return once
        case Schedule.IN_ORDER:
            taken = float(machine.work.in_order_distinct) * layer.heads
            every: Floats = taken * visits.rows * visits.quota * size
            return np.maximum(once, every)
        case _:
            assert_never(machine.flow.schedule)


def _held_scores(machine: Machine, visits: Visits) -> Floats:
    """Bytes of kept scores that go to the DRAM and back until a softmax has seen all its row."""
    if machine.flow.attention is not Attention.SOFTMAX:
        return np.zeros(visits.rows.size)
    two = 2 * machine.core.queries * machine.layer.heads * visits.kept * 2.0
    out = two > machine.room.temp_bytes - scores_held(machine, visits)
    return np.where(out, 2 * 2.0 * visits.rows * machine.layer.heads * visits.quota, 0.0)


def rows_load(machine: Machine, visits: Visits) -> Floats:
    """Return the loads before attention: identifiers, rows of K and V; queries if not predicted."""
    dram, layer = machine.core.dram, machine.layer
    rows = transfer(dram, row_bytes(machine, visits), piece=4 * layer.head_dim)
    queries = visits.opens * visits.rows * layer.heads * layer.head_dim * 2.0
    if machine.flow.predicts:
        queries = np.zeros_like(queries)
    beside = identifier_bytes(machine, visits) + queries + _held_scores(machine, visits)
    return rows + transfer(dram, beside)


def _exponentials(machine: Machine, visits: Visits) -> Floats:
    """Cycles of a row's exponentials, and of the search for their maximum."""
    quota = visits.quota.astype(np.float64)
    match machine.flow.attention:
        case Attention.SUFA:
            return quota
        case Attention.FA2:
            return 2 * quota + (quota > 0)
        case Attention.SOFTMAX:
            return 2 * quota
        case _:
            assert_never(machine.flow.attention)


def attending(machine: Machine, visits: Visits) -> Floats:
    """Return the tasks of attention: scores and sums, joining of tiles, division at the end."""
    layer, columns = machine.layer, machine.core.sufa.columns
    steps = np.ceil(visits.quota / (columns / 2)) * layer.head_dim * machine.rass_steps
    joins = (visits.quota > 0) & (machine.flow.attention is not Attention.SOFTMAX)
    cycles = np.maximum(steps, _exponentials(machine, visits))
    cycles = cycles + joins * (layer.head_dim + 1) / columns + visits.closes * layer.head_dim
    one, all_heads = (_union(machine, visits, h) for h in (1, layer.heads))
    reads = np.maximum(1.0, layer.heads * one / all_heads)
    held = row_bytes(machine, visits) * (machine.flow.schedule is Schedule.RASS)
    temp = 2 * identifier_bytes(machine, visits) + held * (1 + reads)
    return stage(layer.heads * cycles, temp=temp)


def output(machine: Machine, visits: Visits) -> Floats:
    """Return the stores of finished outputs, rows h d x 2 after the last visit of a query tile."""
    size = visits.closes * visits.rows * machine.layer.heads * machine.layer.head_dim * 2.0
    return transfer(machine.core.dram, size)
