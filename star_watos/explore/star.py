"""Sparse-attention cores and tilings as a problem to explore."""

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from star_watos.explore.candidates import parts
from star_watos.explore.chosen import Chosen
from star_watos.explore.problem import Outcome, Parameters, mistake
from star_watos.explore.stack import Design, load_of
from star_watos.explore.sweep import Exploration
from star_watos.explore.tilings import outcomes
from star_watos.files import Scalar
from star_watos.spec import From, InputError
from star_watos.star import AttentionTask, Between, Core, Resources, Tile, legal_tiles

METRICS = frozenset(
    {
        "latency_s",
        "throughput_gops",
        "raw_throughput_gops",
        "energy_j",
        "power_w",
        "core_power_w",
        "area_mm2",
        "energy_efficiency_gops_per_w",
        "core_energy_efficiency_gops_per_w",
        "area_efficiency_gops_per_mm2",
        "dram_bytes",
        "utilization",
        "accuracy_loss",
    }
)


class Tiles(StrEnum):
    """Which layers share a tile."""

    PER_LAYER = "per-layer"
    """Those that are equal; every other one has its own."""
    COMMON = "common"
    """All."""


class CoreExploration(Exploration):
    """A sweep of `star explore`."""

    metrics: ClassVar[frozenset[str]] = METRICS

    kind: Literal["star-exploration"]
    """Which tool the sweep is for."""
    hardware: Annotated[Core, From("configs/cores")]
    """The template: a shipped name, a path, or the core itself."""
    workload: AttentionTask
    """What is computed."""
    tiles: Tiles = Tiles.COMMON
    """`per-layer` gives layers that differ in what they keep a tile each, `common` one to all."""


def tile_of(chosen: Chosen, task: AttentionTask) -> Tile:
    """Return the tile of a design of a front of cores or meshes; of `task`, its workload."""
    per_layer = getattr(chosen.asked.sweep, "tiles", Tiles.COMMON) is Tiles.PER_LAYER
    with chosen.reading():
        sizes = (_size(chosen.row[name]) for name in ("key_tile", "heads_together"))
        return load_of(task, chosen.asked.beside).tile(*sizes, per_layer=per_layer)


def _size(cell: Scalar) -> int | str:
    return cell if isinstance(cell, str) else int(cell)


class CoreProblem:
    """Evaluates all legal tilings of many cores in one call."""

    def __init__(self, sweep: CoreExploration, beside: Path | None = None) -> None:
        """Explore `sweep`, whose relative paths start in the folder `beside`."""
        self.sweep = sweep
        self.beside = beside

    def evaluate(self, parameters: Parameters) -> Outcome:
        """Return the tilings of the core that `parameters` describe which no other one beats."""
        task, design = self._design(parameters)
        return self._outcomes(task, [design])[0]

    def evaluate_all(self, candidates: Sequence[Parameters]) -> list[Outcome | str]:
        """Return the same for many cores: those with the same task are evaluated together."""
        found: list[Outcome | str] = [""] * len(candidates)
        tasks: dict[AttentionTask, list[tuple[int, Design]]] = {}
        for place, parameters in enumerate(candidates):
            try:
                task, design = self._design(parameters)
            except InputError as error:
                found[place] = mistake(error)
            else:
                tasks.setdefault(task, []).append((place, design))
        for task, placed in tasks.items():
            together = self._outcomes(task, [design for _, design in placed])
            for (place, _), outcome in zip(placed, together, strict=True):
                found[place] = outcome
        return found

    def _design(self, parameters: Parameters) -> tuple[AttentionTask, Design]:
        built = parts(self.sweep, parameters)
        core, task = built["hardware"], built["workload"]
        tiles = legal_tiles(core, load_of(task, self.beside).work)
        given = task.sparsity
        told = "interpolated" if isinstance(given, Between) and not given.measured else "measured"
        return task, Design(Resources.of(core), tiles, task.profile.accuracy_loss, told)

    def _outcomes(self, task: AttentionTask, designs: Sequence[Design]) -> list[Outcome]:
        load, per_layer = load_of(task, self.beside), self.sweep.tiles is Tiles.PER_LAYER
        return outcomes(self.sweep, load, designs, per_layer=per_layer)
