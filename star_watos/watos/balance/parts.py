"""The parts of the scheduler, each of which can be left out."""

from collections.abc import Set as AbstractSet
from enum import StrEnum


class Part(StrEnum):
    """What is chosen for the stages of a plan."""

    RECOMPUTE = "recompute-scheduler"
    """For each stage what it runs again; without it all run the same again."""
    MEMORY = "memory-scheduler"
    """What stages keep for others; without it each keeps its own."""
    PLACEMENT = "placement"
    """Where stages stand; without it on the snake."""
    REFINEMENT = "refinement"
    """How many layers each stage has, with all of these; without it as many as can be equal."""


Without = AbstractSet[Part]
EVERYTHING: Without = frozenset()
"""Nothing is left out."""
