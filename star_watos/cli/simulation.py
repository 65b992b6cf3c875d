"""What `star simulate` runs: one core, or a mesh of them."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from star_watos.cli import common
from star_watos.errors import InputError, Mark, Problem

if TYPE_CHECKING:
    from star_watos.star import AttentionTask, Core, Dataflow, TaskRun
    from star_watos.star.spatial import Asked, MeshTaskRun, Noc

NOC = "noc."
"""How overrides of the mesh begin."""
USUAL_NOC = "noc_64b"
MOST_CORES = 2**10
"""Cores of a mesh: pairs of them are counted."""


@dataclass(frozen=True, slots=True)
class Simulation:
    """One design and workload."""

    design: "Core"
    task: "AttentionTask"
    flow: "Dataflow"
    tile: int | None
    fidelity: common.Fidelity
    trace: Path | None
    plot: Path | None
    banded: bool

    def of_core(self) -> dict[str, Any]:
        """Return the document of one core; what does not fit stops here."""
        from star_watos.cost import Overflow
        from star_watos.star import document, run_task

        run = run_task(self.design, self.task, self.flow, self.tile, banded=self.banded)
        if isinstance(run, Overflow):
            common.does_not_fit(run)
        if self.fidelity is common.Fidelity.EVENT:
            run = self._played(run)
        for text in run.notes:
            common.note(text)
        return document(run)

    def _played(self, run: "TaskRun") -> "TaskRun":
        """Return the run as the event simulation times it, and write its timeline."""
        from star_watos.report.trace import write_trace
        from star_watos.star.event import trace_events

        played = run.played()
        if self.trace is not None and played.events is not None:
            write_trace(self.trace, trace_events(played.events))
        return played

    def of_mesh(self, asked: "Asked", noc: str | None, changes: list[str]) -> dict[str, Any]:
        """Return the document of a mesh of cores."""
        from star_watos.cost import Overflow
        from star_watos.star.spatial import mesh_document, run_mesh_task

        joined = load_noc(noc, changes)
        run = run_mesh_task(
            self.design, joined, self.task, asked, (self.flow, self.tile), banded=self.banded
        )
        if isinstance(run, Overflow):
            common.does_not_fit(run)
        if self.fidelity is common.Fidelity.EVENT:
            run = self._mesh_played(run)
        for text in run.notes:
            common.note(text)
        if self.plot is not None:
            from star_watos.report.mesh import plot_mesh

            plot_mesh(run.run, self.plot, timeline=self.fidelity is common.Fidelity.EVENT)
        return mesh_document(run)

    def _mesh_played(self, run: "MeshTaskRun") -> "MeshTaskRun":
        """Return the run as the event simulation times it, and write the timeline of a layer."""
        from star_watos.report.trace import write_trace
        from star_watos.star.spatial.event import events_s, layer_trace, play_layer

        with common.interruptible("the event simulation of the mesh"):
            played = replace(run, run=replace(run.run, events_s=events_s(run.run)))
            if self.trace is not None:
                write_trace(self.trace, layer_trace(play_layer(run.run)))
        return played


def load_noc(name: str | None, changes: list[str]) -> "Noc":
    """Return what joins cores, with changes; mistakes in these name them as they were given."""
    from star_watos.spec import load
    from star_watos.star.spatial import Noc

    try:
        return load(Noc, name or USUAL_NOC, "configs/meshes", changes)
    except InputError as error:
        raise InputError(_of_noc(problem) for problem in error.problems) from None


def _of_noc(problem: Problem) -> Problem:
    """Return a problem of an override with the `noc.` that it began with."""
    option, _, key = problem.mark.source.partition(" ")
    return problem if option != "--set" else replace(problem, mark=Mark(f"--set {NOC}{key}"))


def overrides(given: list[str]) -> tuple[list[str], list[str]]:
    """Return the overrides of the core, and those of the mesh without their `noc.`.

    >>> overrides(["queries=64", "noc.ports=edges"])
    (['queries=64'], ['ports=edges'])
    """
    of_noc = [text.removeprefix(NOC) for text in given if text.startswith(NOC)]
    return [text for text in given if not text.startswith(NOC)], of_noc


def asked(
    mesh: str | None, spread: dict[str, str | None], others: dict[str, bool], *, overlap: bool
) -> "Asked | None":
    """Return what is asked of a mesh; None without one.

    Without a mesh no option of it may be given; of `others` it says which are.
    """
    from star_watos.star.spatial import Asked, Circulation, Partition, RingLayout

    kinds: dict[str, Any] = {
        "dataflow": Circulation,
        "ring": RingLayout,
        "partition": Partition,
    }
    chosen: dict[str, Any] = {
        name: common.choice(f"--{name}", text, kinds[name])
        for name, text in spread.items()
        if text is not None
    }
    if mesh is None:
        given = [f"--{name}" for name in chosen] + [name for name in others if others[name]]
        if given:
            said = (InputError.of(option, "is of a mesh of cores: --mesh RxC") for option in given)
            raise InputError(problem for error in said for problem in error.problems)
        return None
    rows, cols = common.shape("--mesh", mesh)
    if rows * cols > MOST_CORES:
        raise InputError.of("--mesh", f"expected {MOST_CORES:,} cores at most, got {rows * cols:,}")
    circulation = chosen.pop("dataflow", None)
    return Asked(rows, cols, circulation, **chosen, overlap=overlap)
