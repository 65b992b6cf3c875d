"""The four stages of a core: cycles, operations and traffic of one layer."""

from star_watos.star.layer import Layer
from star_watos.star.stages.attend import attend
from star_watos.star.stages.generate import generate
from star_watos.star.stages.predict import predict
from star_watos.star.stages.sort import sort
from star_watos.star.stages.stage import SRAM_NAMES, Dram, Part, Stage, Stages, Traffic

__all__ = ["SRAM_NAMES", "Dram", "Part", "Stage", "Stages", "Traffic", "all_stages"]


def all_stages(layer: Layer) -> Stages:
    """Return the four stages of one layer."""
    return Stages(predict(layer), sort(layer), generate(layer), attend(layer))
