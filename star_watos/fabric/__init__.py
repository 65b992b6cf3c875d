"""The 2-D mesh between dies or cores, and switches: routes, flows, collectives."""

from star_watos.fabric.area import Area
from star_watos.fabric.collectives.columns import Links, Taken, all_reduce, reduce_scatter
from star_watos.fabric.mesh import Mesh
from star_watos.fabric.routes import Fabric, Routes
from star_watos.fabric.switched import Switches, SwitchFabric

__all__ = [
    "Area",
    "Fabric",
    "Links",
    "Mesh",
    "Routes",
    "SwitchFabric",
    "Switches",
    "Taken",
    "all_reduce",
    "reduce_scatter",
]
