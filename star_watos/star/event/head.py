"""The tasks of a whole K/V head: all its passes, and its batches of K/V generation."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from star_watos.star.event.attending import (
    attending,
    identifier_bytes,
    output,
    rows_load,
    sorting,
)
from star_watos.star.event.machine import Machine
from star_watos.star.event.predicting import KeyBlocks, prediction, spilled
from star_watos.star.event.tasks import Floats, Tasks, joined, stage, transfer
from star_watos.star.event.visits import Visits, listed


@dataclass(frozen=True, slots=True)
class Batches:
    """Batches of K/V generation of a head; the last axis of each is [batches]."""

    load: Floats
    generation: Floats
    store: Floats
    known: NDArray[np.int64]
    """Visit that brings the last token."""


@dataclass(frozen=True, slots=True)
class Head:
    """What a K/V head asks of the machine."""

    visits: Tasks
    batches: Batches
    needs: NDArray[np.int64]
    """Batches that hold the tokens of a visit: that many of the first, [visits]."""

    @property
    def n_visits(self) -> int:
        """Visits of all passes."""
        return self.needs.size

    @property
    def n_batches(self) -> int:
        """Batches of K/V generation."""
        return self.batches.known.size


def _visit_tasks(machine: Machine, visits: Visits, blocks: KeyBlocks) -> Tasks:
    none = np.zeros((3, visits.rows.size))
    if machine.flow.predicts:
        front, predict, store = prediction(machine, visits, blocks)
        scores, sort = spilled(machine, visits), sorting(machine, visits)
    else:
        front, store, scores = none, none, none
        predict = sort = np.zeros((4, visits.rows.size))
    return Tasks(
        front=front,
        predict=predict,
        key_store=store,
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


def _pass(machine: Machine, blocks: KeyBlocks, together: int, *, first: bool) -> Tasks:
    """Return the tasks of a pass, `together` key tiles of a query tile as one visit."""
    parts = []
    for visits in listed(machine, first_pass=first):
        tasks = _visit_tasks(machine, visits, blocks)
        starts = np.flatnonzero(visits.key_tile % together == 0)
        if machine.flow.isolated:
            starts = np.flatnonzero(visits.opens)
        parts.append(tasks.merged(starts) if starts.size < visits.rows.size else tasks)
    return joined(parts)


def _batches(machine: Machine, new: Floats) -> Batches:
    """Return the batches of the wanted tokens, in the order in which visits bring them."""
    layer, core = machine.layer, machine.core
    brought = np.cumsum(new)
    wanted = np.array([layer.wanted(int(m)) for m in brought])
    total, size = int(wanted[-1]), machine.room.batch_tokens
    ends = np.minimum(np.arange(size, total + size, size), total)
    tokens = np.diff(ends, prepend=0).astype(np.float64)
    known = np.searchsorted(wanted, ends)
    # What is left over is known to be all only with the last new token.
    known[tokens < size] = np.searchsorted(brought, brought[-1])
    D, P, d = layer.d_model, core.queries, layer.head_dim  # noqa: N806 (as the document has it)
    blocks, weights = -(-2 * d // P), np.where(tokens > 0, 2.0 * d * D * 2, 0.0)
    groups = np.ceil(tokens / core.kv_generation.columns)
    generation = stage(
        groups * blocks * D,
        token=tokens * D * (blocks + 1),
        weight=groups * blocks * D * P * 2 + weights,
    )
    load = transfer(core.dram, tokens * D + weights)
    return Batches(load, generation, transfer(core.dram, tokens * 2 * d * 2), known)


def head_tasks(machine: Machine, blocks: KeyBlocks, together: int = 1) -> Head:
    """Return the tasks of a K/V head, `together` neighbouring key tiles taken as one visit."""
    first = _pass(machine, blocks, together, first=True)
    passes = [first]
    if machine.layer.passes > 1:
        again = _pass(machine, blocks, together, first=False)
        passes += [again] * (machine.layer.passes - 1)
    visits, layer = joined(passes), machine.layer
    fresh = np.maximum(0, visits.high - layer.cached)
    wanted = np.array([layer.wanted(int(m)) for m in fresh])
    needs = -(-wanted // machine.room.batch_tokens)
    return Head(visits, _batches(machine, first.new), needs)
