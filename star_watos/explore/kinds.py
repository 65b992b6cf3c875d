"""The kinds of sweep, and the problem of each; only the one that is asked for is imported."""

from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeAlias, assert_never

from star_watos.explore.problem import Problem
from star_watos.explore.sweep import Exploration
from star_watos.spec import locate, read

Maker: TypeAlias = Callable[[Any, Path | None], Problem]
"""Makes a problem of a sweep and the folder in which its relative paths start."""


class Kind(StrEnum):
    """What `kind:` of a sweep may be. The first word is the command that explores it."""

    CORE = "star-exploration"
    MESH = "star-mesh-exploration"
    WAFER = "watos-exploration"
    SERVING = "watos-serving-exploration"

    @property
    def tool(self) -> str:
        """The command that explores it.

        >>> Kind.MESH.tool
        'star'
        """
        return self.value.partition("-")[0]

    @property
    def command(self) -> str:
        """The command that looks at one of its designs.

        >>> Kind.MESH.command, Kind.SERVING.command
        ('star simulate', 'watos serve')
        """
        return f"{self.tool} {'serve' if self is Kind.SERVING else 'simulate'}"


def kind_of(sweep: str, tool: str) -> Kind:
    """Return the kind of the sweep that a name means; of no kind of `tool`, its first.

    What such a sweep says instead is refused when it is validated as one.
    """
    data = read(locate(sweep, "sweeps")).data
    said = data.get("kind") if isinstance(data, dict) else None
    own = [kind for kind in Kind if kind.tool == tool]
    return next((kind for kind in own if kind.value == said), own[0])


def types_of(kind: Kind) -> tuple[type[Exploration], Maker]:
    """Return the class of a kind of sweep, and that of its problem."""
    match kind:
        case Kind.CORE:
            from star_watos.explore.star import CoreExploration, CoreProblem  # noqa: PLC0415

            return CoreExploration, CoreProblem
        case Kind.MESH:
            from star_watos.explore.star_mesh import MeshExploration, MeshProblem  # noqa: PLC0415

            return MeshExploration, MeshProblem
        case Kind.WAFER:
            from star_watos.explore.watos import WaferExploration, WaferProblem  # noqa: PLC0415

            return WaferExploration, WaferProblem
        case Kind.SERVING:
            from star_watos.explore.serving import (  # noqa: PLC0415
                ServingExploration,
                ServingProblem,
            )

            return ServingExploration, ServingProblem
        case _:
            assert_never(kind)
