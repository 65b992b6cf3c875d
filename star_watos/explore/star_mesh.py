"""Meshes of sparse-attention cores as a problem to explore."""

from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from star_watos.cost import Overflow
from star_watos.explore.candidates import parts
from star_watos.explore.chosen import Chosen
from star_watos.explore.problem import Outcome, Parameters
from star_watos.explore.reduce import reduce
from star_watos.explore.stack import load_of
from star_watos.explore.star import METRICS
from star_watos.explore.sweep import Exploration
from star_watos.spec import From, Spec
from star_watos.star import AttentionTask, Core
from star_watos.star.spatial import (
    Asked,
    Circulation,
    MeshRun,
    Noc,
    Partition,
    RingLayout,
    alone,
    mesh_metrics,
    spread_over,
    spreads,
)
from star_watos.units import Count


class CoreMesh(Spec):
    """Cores and what joins them."""

    core: Annotated[Core, From("configs/cores")]
    """Each of them: a shipped name, a path, or the core itself."""
    noc: Annotated[Noc, From("configs/meshes")]
    """What joins them: a shipped name, a path, or the links themselves."""
    rows: Annotated[Count, Field(le=64)]
    cols: Annotated[Count, Field(le=64)]


class MeshExploration(Exploration):
    """A sweep of `star explore` over meshes."""

    metrics: ClassVar[frozenset[str]] = METRICS | {"noc_bytes", "noc_exposed_s"}

    kind: Literal["star-mesh-exploration"]
    """Which tool the sweep is for."""
    hardware: CoreMesh
    """The template."""
    workload: AttentionTask
    """What is computed."""


class MeshProblem:
    """Evaluates every dataflow, ring and partition of a mesh at the fastest tile of its cores."""

    def __init__(self, sweep: MeshExploration, beside: Path | None = None) -> None:
        """Explore `sweep`, whose relative paths start in the folder `beside`."""
        self.sweep = sweep
        self.beside = beside

    def evaluate(self, parameters: Parameters) -> Outcome:
        """Return the spreads of the mesh that `parameters` describe which no other one beats."""
        built = parts(self.sweep, parameters)
        hardware, task = built["hardware"], built["workload"]
        sides, work = (hardware.rows, hardware.cols), load_of(task, self.beside).work
        by_itself = alone(hardware.core, hardware.noc, sides, work)
        every = spreads(*sides)
        if isinstance(by_itself, Overflow):
            return Outcome([], len(every), 0, {by_itself.name: len(every)}, by_itself)
        runs = [spread_over(by_itself, spread) for spread in every]
        figures = [mesh_metrics(run) for run in runs]
        columns = {name: np.array([each[name] for each in figures]) for name in figures[0]}
        loss = {"accuracy_loss": task.profile.accuracy_loss}
        return reduce(self.sweep, _mapping(runs), columns | loss)


def spread_of(chosen: Chosen, hardware: CoreMesh) -> Asked:
    """Return how a design of a front spreads the sequence over its cores, `hardware`."""
    return Asked(
        hardware.rows,
        hardware.cols,
        chosen.one_of("dataflow", {kind.value: kind for kind in Circulation}),
        chosen.one_of("ring", {kind.value: kind for kind in RingLayout}),
        chosen.one_of("partition", {kind.value: kind for kind in Partition}),
    )


def _mapping(runs: list[MeshRun]) -> dict[str, NDArray[Any]]:
    """Return the columns of `pareto.csv` that say how the sequence is spread."""
    tile = runs[0].alone.result.layer.chosen
    names = [run.spread.names() for run in runs]
    columns = {name: np.array([each[name] for each in names]) for name in names[0]}
    return columns | {
        "key_tile": np.full(len(runs), int(tile.keys)),
        "heads_together": np.full(len(runs), int(tile.heads)),
        "bound": np.array([run.bound.value for run in runs]),
    }
