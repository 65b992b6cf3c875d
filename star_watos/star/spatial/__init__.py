"""Spatial-STAR: one sequence over many cores on a mesh."""

from star_watos.star.spatial.choice import Circulation, Partition, RingLayout, Spread
from star_watos.star.spatial.document import mesh_document, mesh_metrics
from star_watos.star.spatial.noc import Noc, Ports
from star_watos.star.spatial.run import Asked, MeshTaskRun, run_mesh_task
from star_watos.star.spatial.simulate import Alone, MeshRun, alone, fastest, spread_over, spreads

__all__ = [
    "Alone",
    "Asked",
    "Circulation",
    "MeshRun",
    "MeshTaskRun",
    "Noc",
    "Partition",
    "Ports",
    "RingLayout",
    "Spread",
    "alone",
    "fastest",
    "mesh_document",
    "mesh_metrics",
    "run_mesh_task",
    "spread_over",
    "spreads",
]
