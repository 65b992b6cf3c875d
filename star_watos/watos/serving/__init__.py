"""A wafer, or GPUs, that serve a language model: prefill, decode, what is cached."""

from star_watos.watos.serving.document import document
from star_watos.watos.serving.pools import sequences_tried
from star_watos.watos.serving.request import Serving
from star_watos.watos.serving.run import serve
from star_watos.watos.serving.search import Search
from star_watos.watos.serving.ways import Limits, Served, Service, Together, Way

__all__ = [
    "Limits",
    "Search",
    "Served",
    "Service",
    "Serving",
    "Together",
    "Way",
    "document",
    "sequences_tried",
    "serve",
]
