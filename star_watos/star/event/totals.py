"""Sums over all K/V heads of a layer, of every visit and every batch; no schedule is needed."""

from collections import Counter
from dataclasses import dataclass

import numpy as np

from star_watos.star.event.head import batch_tasks, parts
from star_watos.star.event.machine import Machine
from star_watos.star.event.predicting import KeyBlocks
from star_watos.star.event.tasks import BYTES, CYCLES, MOVED, SECONDS, TEMP, TOKEN, WEIGHT, Floats
from star_watos.star.event.visits import Choice

_PORTS = {"token": TOKEN, "weight": WEIGHT, "temp": TEMP}
"""The SRAMs, and the row of their bytes in an array's tasks."""

_OF_VISITS = {
    "project": "project",
    "predict": "predict",
    "sort": "sort",
    "attention": "attention",
    "new": "new",
    "front load": "front",
    "tokens and codes": "codes",
    "K^ store": "key_store",
    "scores store": "scores",
    "scores load": "scores",
    "identifiers store": "identifiers",
    "rows load": "rows",
    "output store": "output",
}


@dataclass(frozen=True, slots=True)
class Totals:
    """What one layer asks for."""

    busy_cycles: dict[str, float]
    """Of each array, the DMA (`dram`) and each SRAM port."""
    dram_bytes: dict[str, float]
    """By what is moved."""
    dram_moved_bytes: float
    """All of them, every burst that is touched counted whole."""


def _visit_sums(machine: Machine, blocks: KeyBlocks, choice: Choice) -> dict[str, Floats]:
    """Add up the tasks of a head's visits: stages [4], transfers [3], and new tokens []."""
    sums: dict[str, Floats] = {}
    for first, times in ((True, 1), (False, machine.layer.passes - 1)):
        for part in parts(machine, blocks, choice, first=first) if times else ():
            for name, field in _OF_VISITS.items():
                sums[name] = sums.get(name, 0.0) + times * getattr(part, field).sum(axis=-1)
    return sums


def _head_sums(machine: Machine, blocks: KeyBlocks, choice: Choice) -> dict[str, Floats]:
    """Add up the tasks of a head: its visits, and its batches."""
    sums = _visit_sums(machine, blocks, choice)
    new = sums.pop("new")
    load, generation, store = batch_tasks(machine, int(machine.layer.wanted(new)))
    batches = {"batch load": load, "kv_generation": generation, "batch store": store}
    return sums | {name: tasks.sum(axis=-1) for name, tasks in batches.items()}


def layer_totals(machine: Machine, n_tiles: int) -> Totals:
    """Return the sums over the K/V heads of one layer, of `n_tiles` of its query tiles."""
    choice = Choice.of(machine, n_tiles)
    kinds = Counter(KeyBlocks.of(machine, g) for g in range(machine.layer.kv_heads))
    heads = [(_head_sums(machine, kind, choice), n) for kind, n in kinds.items()]
    sums: dict[str, Floats] = {
        name: np.sum([n * head[name] for head, n in heads], axis=0) for name in heads[0][0]
    }
    sums["predict"] = sums["predict"] + sums.pop("project")
    stages = {name: sums[name] for name in ("predict", "sort", "kv_generation", "attention")}
    moves = {name: row for name, row in sums.items() if name not in stages}
    busy = {name: float(row[CYCLES]) for name, row in stages.items()}
    seconds = sum(float(row[SECONDS]) for row in moves.values())
    busy["dram"] = seconds * machine.core.frequency_hz
    for name, port in _PORTS.items():
        width = getattr(machine.core.sram, name).width_bytes
        busy[name] = sum(float(row[port]) for row in stages.values()) / width
    return Totals(
        busy_cycles=busy,
        dram_bytes={name: float(row[BYTES]) for name, row in moves.items()},
        dram_moved_bytes=sum(float(row[MOVED]) for row in moves.values()),
    )
