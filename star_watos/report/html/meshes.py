"""What the page shows of a mesh of cores."""

from collections.abc import Iterator

from star_watos.cost import Overflow
from star_watos.explore.chosen import Chosen
from star_watos.explore.star import tile_of
from star_watos.explore.star_mesh import spread_of
from star_watos.report.html.cores import panels_of
from star_watos.report.html.look import Bar, Dies, Look, Timeline, links_of, timeline
from star_watos.spec import InputError
from star_watos.star import STAR
from star_watos.star.spatial import MeshRun, mesh_document, run_mesh_task
from star_watos.star.spatial.event import Layer, play_layer
from star_watos.star.spatial.loads import mesh_loads

MOST_CORES = 36
"""Cores of a mesh of which a layer is played."""
WORK = ("predicts", "attends", "works")
"""What cores do; what travels is left to the trace."""


def look_at(chosen: Chosen, *, closely: bool) -> Look:
    """Return what there is to see of a mesh; `closely` plays one layer."""
    hardware, task = chosen.parts()
    how, asked = (STAR, tile_of(chosen, task)), spread_of(chosen, hardware)
    run = run_mesh_task(hardware.core, hardware.noc, task, asked, how, banded=False)
    if isinstance(run, Overflow):
        raise InputError.of(chosen.place, f"does not fit: {run}")
    panels = panels_of(mesh_document(run), run.run.alone.result)
    small = run.run.alone.n_cores <= MOST_CORES
    played = _layer(play_layer(run.run)) if closely and small else None
    return Look(panels, _cores(run.run) if closely else None, played)


def _cores(run: MeshRun) -> Dies:
    mesh = run.alone.mesh
    return Dies(
        title="Cores of the mesh",
        rows=mesh.rows,
        cols=mesh.cols,
        labels=[f"core {node}" for node in range(mesh.n_nodes)],
        groups=[0] * mesh.n_nodes,
        carried="over a link, all layers",
        links=links_of(mesh, mesh_loads(run)),
    )


def _layer(layer: Layer) -> Timeline:
    names = {track for track, _ in layer.tasks.names if track.endswith(WORK)}
    lanes = sorted(names, key=lambda track: (int(track.split()[1]), track))
    place = {track: lane for lane, track in enumerate(lanes)}

    def bars() -> Iterator[Bar]:
        ends = zip(layer.tasks.names, layer.played.begin_s, layer.played.end_s, strict=True)
        for (track, _), begin, end in ends:
            if track in place and end > begin:
                yield Bar(place[track], track.split()[2], float(begin), float(end))

    return timeline("Cores at work in one layer, by events; in gaps they wait", lanes, bars())
