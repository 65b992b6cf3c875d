"""The tasks of a whole K/V head: all its passes, and its batches of K/V generation."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from star_watos.star.event.attending import (
    attending,
    identifier_bytes,
    output,
    rows_load,
    sorting,
)
from star_watos.star.event.machine import Machine
from star_watos.star.event.predicting import KeyBlocks, Prediction, prediction, spilled
from star_watos.star.event.tasks import Floats, Tasks, joined, stage, transfer
from star_watos.star.event.visits import Choice, Ints, Visits, listed


@dataclass(frozen=True, slots=True)
class Batches:
    """Batches of K/V generation of a head; the last axis of each is [batches]."""

    load: Floats
    """Stream of tokens and weights."""
    generation: Floats
    store: Floats
    known: Ints
    """Visit that brings the last token."""


@dataclass(frozen=True, slots=True)
class Head:
    """What a K/V head asks of the machine."""

    visits: Tasks
    batches: Batches
    needs: Ints
    """Batches that hold the tokens of a visit: that many of the first, [visits]."""
    pass_visits: int
    """Visits of one pass."""

    @property
    def n_visits(self) -> int:
        """Visits of all passes."""
        return self.needs.size

    @property
    def n_batches(self) -> int:
        """Batches of K/V generation."""
        return self.batches.known.size


def _visit_tasks(machine: Machine, visits: Visits, blocks: KeyBlocks) -> Tasks:
    nothing, idle = (np.zeros((fields, visits.rows.size)) for fields in (3, 4))
    predicted = Prediction(nothing, idle, nothing, idle, nothing)
    scores: Floats = nothing
    sort: Floats = idle
    if machine.flow.predicts:
        predicted = prediction(machine, visits, blocks)
        scores, sort = spilled(machine, visits), sorting(machine, visits)
    return Tasks(
        **predicted._asdict(),
        scores=scores,
        sort=sort,
        identifiers=transfer(machine.core.dram, identifier_bytes(machine, visits)),
        rows=rows_load(machine, visits),
        attention=attending(machine, visits),
        output=output(machine, visits),
        new=visits.new.astype(np.float64),
        high=visits.high.astype(np.float64),
        query_tile=visits.query_tile.astype(np.float64),
        key_tile=visits.key_tile.astype(np.float64),
    )


def _whole_rows(tasks: Tasks) -> Tasks:
    """Return the visits of each query tile as one."""
    starts = np.flatnonzero(np.diff(tasks.query_tile, prepend=-1))
    return tasks.merged(starts)


def parts(machine: Machine, blocks: KeyBlocks, choice: Choice, *, first: bool) -> Iterator[Tasks]:
    """Yield the tasks of one pass, some query tiles at a time."""
    for visits in listed(machine, choice, first_pass=first):
        tasks = _visit_tasks(machine, visits, blocks)
        yield _whole_rows(tasks) if machine.flow.isolated else tasks


def batch_tasks(machine: Machine, total: int) -> tuple[Floats, Floats, Floats]:
    """Return loads, generation and stores of the batches of `total` wanted tokens."""
    layer, core = machine.layer, machine.core
    D, P, d = layer.d_model, core.queries, layer.head_dim  # noqa: N806 (as the document has it)
    tokens = np.diff(_batch_ends(machine, total), prepend=0).astype(np.float64)
    blocks, weights = -(-2 * d // P), 2.0 * d * D * 2
    groups = np.ceil(tokens / core.kv_generation.columns)
    generation = stage(
        groups * blocks * D,
        token=tokens * D * (blocks + 1),
        weight=groups * blocks * D * P * 2 + weights,
    )
    load = transfer(core.dram, tokens * D + weights)
    return load, generation, transfer(core.dram, tokens * 2 * d * 2)


def _batch_ends(machine: Machine, total: int) -> Ints:
    """Return how many of `total` wanted tokens are in the first batches, [batches]."""
    size = machine.room.batch_tokens
    return np.minimum(np.arange(size, total + size, size), total)


def _batches(machine: Machine, new: Floats) -> Batches:
    """Return the batches of the wanted tokens, in the order in which visits bring them."""
    brought = np.cumsum(new)
    wanted = machine.layer.wanted(brought)
    ends = _batch_ends(machine, int(wanted[-1]))
    known = np.searchsorted(wanted, ends)
    if ends.size and ends[-1] % machine.room.batch_tokens:
        # That no more will come to the last batch is known with the last new token.
        known[-1] = np.searchsorted(brought, brought[-1])
    return Batches(*batch_tasks(machine, int(wanted[-1])), known)


def _needs(machine: Machine, visits: Tasks, first: Tasks) -> Ints:
    """Return how many batches hold the tokens below the last key of each visit."""
    at = np.flatnonzero(first.new)
    if not at.size:
        return np.zeros(visits.high.size, dtype=np.int64)
    ends, counts = first.high[at], np.cumsum(first.new[at])
    where = np.minimum(np.searchsorted(ends, visits.high), at.size - 1)
    missing = np.clip(ends[where] - visits.high, 0, first.new[at][where])
    wanted = machine.layer.wanted(counts[where] - missing)
    return np.ceil(wanted / machine.room.batch_tokens).astype(np.int64)


def head_tasks(machine: Machine, blocks: KeyBlocks, choice: Choice) -> Head:
    """Return the tasks of a K/V head, of the query tiles chosen."""
    first = joined(parts(machine, blocks, choice, first=True))
    passes = [first]
    if machine.layer.passes > 1:
        again = joined(parts(machine, blocks, choice, first=False))
        passes += [again] * (machine.layer.passes - 1)
    visits = joined(passes)
    needs = _needs(machine, visits, first)
    return Head(visits, _batches(machine, first.new), needs, first.new.size)
