"""An iteration whose transfers are flows that share the links of the wafer's mesh."""

from star_watos.watos.event.mesh.build import Place, mesh_tasks
from star_watos.watos.event.mesh.collectives import Collectives, steps_of
from star_watos.watos.event.mesh.passes import Joins, turns_of
from star_watos.watos.event.mesh.run import Traffic, joins_of, link_bytes, place_of, play_on_mesh

__all__ = [
    "Collectives",
    "Joins",
    "Place",
    "Traffic",
    "joins_of",
    "link_bytes",
    "mesh_tasks",
    "place_of",
    "play_on_mesh",
    "steps_of",
    "turns_of",
]
