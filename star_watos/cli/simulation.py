"""What `star simulate` runs: one core, or a mesh of them."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from star_watos.cli import common
from star_watos.errors import InputError, Mark, Problem

if TYPE_CHECKING:
    from star_watos.explore.chosen import Chosen
    from star_watos.star import AttentionTask, Core, Dataflow, TaskRun, Tile
    from star_watos.star.spatial import Asked, MeshTaskRun, Noc

NOC = "noc."
"""How overrides of the mesh begin."""
USUAL_NOC = "noc_64b"
MOST_CORES = 2**10
"""Cores of a mesh: pairs of them are counted."""


@dataclass(frozen=True, slots=True)
class Show:
    """How closely a run is followed, and where what comes of it goes."""

    fidelity: common.Fidelity
    trace: Path | None
    plot: Path | None

    @property
    def of_mesh(self) -> dict[str, bool]:
        """What is of a mesh alone, and whether it was asked for."""
        return {"--plot": self.plot is not None}

    @property
    def events(self) -> bool:
        """Whether events are played out."""
        return self.fidelity is common.Fidelity.EVENT


@dataclass(frozen=True, slots=True)
class Simulation:
    """One design and workload."""

    design: "Core"
    task: "AttentionTask"
    flow: "Dataflow"
    tile: "Tile | int | None"
    show: Show
    banded: bool

    def report(self, asked: "Asked | None", noc: "Noc | None") -> dict[str, Any]:
        """Return the document of a mesh of cores that `noc` joins, or without it of one core."""
        return self._of_core() if asked is None or noc is None else self._of_mesh(asked, noc)

    def _of_core(self) -> dict[str, Any]:
        """Return the document of one core; what does not fit stops here."""
        from star_watos.cost import Overflow
        from star_watos.star import document, run_task

        run = run_task(self.design, self.task, self.flow, self.tile, banded=self.banded)
        if isinstance(run, Overflow):
            common.does_not_fit(run)
        if self.show.events:
            run = self._played(run)
        for text in run.notes:
            common.note(text)
        return document(run)

    def _played(self, run: "TaskRun") -> "TaskRun":
        """Return the run as the event simulation times it, and write its timeline."""
        from star_watos.report.trace import write_trace
        from star_watos.star.event import trace_events

        played = run.played()
        if self.show.trace is not None and played.events is not None:
            write_trace(self.show.trace, trace_events(played.events))
        return played

    def _of_mesh(self, asked: "Asked", noc: "Noc") -> dict[str, Any]:
        """Return the document of a mesh of cores."""
        from star_watos.cost import Overflow
        from star_watos.star.spatial import mesh_document, run_mesh_task

        how = (self.flow, self.tile)
        run = run_mesh_task(self.design, noc, self.task, asked, how, banded=self.banded)
        if isinstance(run, Overflow):
            common.does_not_fit(run)
        if self.show.events:
            run = self._mesh_played(run)
        for text in run.notes:
            common.note(text)
        if self.show.plot is not None:
            from star_watos.report.mesh import plot_mesh

            plot_mesh(run.run, self.show.plot, timeline=self.show.events)
        return mesh_document(run)

    def _mesh_played(self, run: "MeshTaskRun") -> "MeshTaskRun":
        """Return the run as the event simulation times it, and write the timeline of a layer."""
        from star_watos.report.trace import write_trace
        from star_watos.star.spatial.event import events_s, layer_trace, play_layer

        with common.interruptible("the event simulation of the mesh"):
            played = replace(run, run=replace(run.run, events_s=events_s(run.run)))
            if self.show.trace is not None:
                write_trace(self.show.trace, layer_trace(play_layer(run.run)))
        return played


def of_chosen(chosen: "Chosen", changes: list[str], show: Show) -> dict[str, Any]:
    """Return the document of a design of a front, its hardware with changes."""
    from star_watos.explore.kinds import Kind
    from star_watos.explore.star import tile_of
    from star_watos.star import STAR

    common.check_picture(show.plot)
    if chosen.asked.kind is Kind.MESH:
        return _of_chosen_mesh(chosen, changes, show)
    _of_mesh_only(show.of_mesh)
    core, task = chosen.parts(changes)
    tile = tile_of(chosen, task)
    return Simulation(core, task, STAR, tile, show, banded=True).report(None, None)


def _of_chosen_mesh(chosen: "Chosen", changes: list[str], show: Show) -> dict[str, Any]:
    from star_watos.explore.star import tile_of
    from star_watos.explore.star_mesh import spread_of
    from star_watos.star import STAR

    named = [text if text.startswith(NOC) else f"core.{text}" for text in changes]
    mesh, task = chosen.parts(named)
    run = Simulation(mesh.core, task, STAR, tile_of(chosen, task), show, banded=True)
    return run.report(spread_of(chosen, mesh), mesh.noc)


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
        _of_mesh_only({f"--{name}": True for name in chosen} | others)
        return None
    rows, cols = common.shape("--mesh", mesh)
    if rows * cols > MOST_CORES:
        raise InputError.of("--mesh", f"expected {MOST_CORES:,} cores at most, got {rows * cols:,}")
    circulation = chosen.pop("dataflow", None)
    return Asked(rows, cols, circulation, **chosen, overlap=overlap)


def _of_mesh_only(options: dict[str, bool]) -> None:
    """Refuse options that were given without a mesh."""
    given = [option for option, there in options.items() if there]
    if given:
        text = "is of a mesh of cores: --mesh RxC"
        raise InputError(Problem(Mark(option), "", text) for option in given)
