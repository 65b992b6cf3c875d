"""A core beside published accelerators and an A100, and the papers' ratios beside ours."""

from star_watos.compare.document import document
from star_watos.compare.equal import Equal
from star_watos.compare.ladder import Metrics, Step, Variant, ladder, on_core
from star_watos.compare.meshes import Meshes, meshes
from star_watos.compare.run import Beside, beside

__all__ = [
    "Beside",
    "Equal",
    "Meshes",
    "Metrics",
    "Step",
    "Variant",
    "beside",
    "document",
    "ladder",
    "meshes",
    "on_core",
]
