"""One core on one task: its figures, what would change them, and what a reader must know."""

from dataclasses import dataclass, replace
from typing import Any

from star_watos.cost import Overflow
from star_watos.star.beyond import beyond, notes, workload_document
from star_watos.star.by_layer import groups_of
from star_watos.star.core import Core
from star_watos.star.dataflow import STAR, Dataflow, Tile
from star_watos.star.event import EventRun, run_events
from star_watos.star.sensitivity import Change, sensitivity
from star_watos.star.simulate import Evaluation, legal_tiles, simulate
from star_watos.star.task import AttentionTask
from star_watos.star.work import AttentionWork
from star_watos.technology.sram import sram_range_note


@dataclass(frozen=True, slots=True)
class TaskRun:
    """What `star simulate` says."""

    core: Core
    work: AttentionWork
    workload: dict[str, Any]
    result: Evaluation
    changes: list[Change]
    """What doubling or halving one resource would do, best first."""
    notes: list[str]
    analytic_s: float
    """Latency by the formulas."""
    events: EventRun | None = None
    """The event simulation, where it was asked for: `result` is then as it times the run."""
    groups: tuple[int, ...] = ()
    """Which group of equal layers each layer is in, where these have tiles of their own."""

    def played(self) -> "TaskRun":
        """Return the run as the event simulation times it."""
        layer = self.result.layer
        events = run_events(self.core, layer.work, layer.chosen, layer.flow)
        return replace(
            self, result=self.result.at(self.result.latency.of(events.latency_s)), events=events
        )

    def event_document(self) -> dict[str, Any] | None:
        """Return what the event simulation found, beside the formulas; None if it was not run."""
        if self.events is None:
            return None
        gap = 100 * (self.analytic_s / self.events.latency_s - 1)
        return {
            "latency_s": self.events.latency_s,
            "analytic_latency_s": self.analytic_s,
            "analytic_gap_pct": gap,
            "busy_s": self.events.busy_s,
            "stall_s": self.events.stall_s,
        }


def run_task(
    core: Core,
    task: AttentionTask,
    flow: Dataflow = STAR,
    key_tile: Tile | int | None = None,
    *,
    banded: bool = True,
) -> TaskRun | Overflow:
    """Run `task` on `core` at `key_tile`, or at the best tile.

    `banded` says what is assumed of ratios beyond the length at which they were measured. What
    doubling a resource would do is not known where layers have tiles of their own.
    """
    model = task.load()
    work = task.work(model)
    result = simulate(core, work, key_tile, flow)
    if isinstance(result, Overflow):
        return result
    tiles = key_tile if isinstance(key_tile, Tile) else legal_tiles(core, work, key_tile)
    band = None if tiles.by_layer else key_tile
    ahead = beyond(core, task, model, band, flow) if banded else None
    return TaskRun(
        core=core,
        work=work,
        workload=workload_document(task, model, ahead),
        result=result,
        changes=[] if tiles.by_layer else sensitivity(result, tiles),
        notes=[*notes(task, model, ahead), *_sram_notes(core)],
        analytic_s=float(result.latency.total_s),
        groups=groups_of(task.ratios(model)),
    )


def _sram_notes(core: Core) -> list[str]:
    """Say which SRAMs lie outside the table that their area and energy are read from."""
    said = []
    for name, sram in core.sram:
        bank = sram.capacity_bytes / sram.banks
        text = sram_range_note(bank, sram.word_bits, core.technology.node_nm)
        if text is not None:
            said.append(f"sram.{name}: a bank's figures are extrapolated: {text}")
    return said
