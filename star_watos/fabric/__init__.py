"""The 2-D mesh between dies or cores: links and collectives."""

from star_watos.fabric.area import Area
from star_watos.fabric.mesh import Mesh
from star_watos.fabric.ring import all_reduce_byte_hops, all_reduce_s, has_cycle
from star_watos.fabric.routes import Routes, mesh_routes

__all__ = [
    "Area",
    "Mesh",
    "Routes",
    "all_reduce_byte_hops",
    "all_reduce_s",
    "has_cycle",
    "mesh_routes",
]
