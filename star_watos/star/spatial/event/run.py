"""A layer of each group played out, and what all layers take."""

from dataclasses import dataclass

import numpy as np

from star_watos.errors import InputError
from star_watos.fabric.event import Played, Tasks, play
from star_watos.star.spatial.event.cores import Cores
from star_watos.star.spatial.event.dataflows import build
from star_watos.star.spatial.simulate import MeshRun, setting_of

MOST_CORES = 64
"""Cores of which a layer is played out in a minute."""


@dataclass(frozen=True)
class Layer:
    """The tasks of a layer, and when each began and ended."""

    tasks: Tasks
    played: Played


def play_layer(run: MeshRun, group: int = 0) -> Layer:
    """Return a layer of one group, played out."""
    mesh = run.alone.mesh
    cores = Cores(mesh, Tasks())
    setting = setting_of(run.alone, run.spread, run.alone.result.layer.flow)
    build(cores, setting, group)
    return Layer(cores.tasks, play(mesh, cores.tasks))


def events_s(run: MeshRun) -> float:
    """Return the seconds of all layers, one of each group played out."""
    if run.alone.n_cores > MOST_CORES:
        most = f"is of meshes of {MOST_CORES} cores at most, got {run.alone.n_cores:,}"
        raise InputError.of("--fidelity event", most)
    if not run.spread.overlap:
        raise InputError.of("--fidelity event", "has transfers beside work: --overlap")
    groups = range(np.size(run.alone.work.n_layers))
    return run.alone.total(np.array([play_layer(run, g).played.total_s for g in groups]))
