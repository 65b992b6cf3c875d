"""Sparse-attention cores and tilings as a problem to explore."""

from functools import lru_cache
from pathlib import Path
from typing import Annotated, ClassVar, Literal

import numpy as np

from star_watos.explore.candidates import parts
from star_watos.explore.problem import Outcome, Parameters
from star_watos.explore.reduce import reduce
from star_watos.explore.sweep import Exploration
from star_watos.spec import From
from star_watos.star import AttentionTask, Core, Resources, evaluate, legal_tiles

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


class CoreExploration(Exploration):
    """A sweep of `star explore`."""

    metrics: ClassVar[frozenset[str]] = METRICS

    kind: Literal["star-exploration"]
    """Which tool the sweep is for."""
    hardware: Annotated[Core, From("configs/cores")]
    """The template: a shipped name, a path, or the core itself."""
    workload: AttentionTask
    """What is computed."""


_model = lru_cache(maxsize=16)(AttentionTask.load)


class CoreProblem:
    """Evaluates all legal tilings of one core in one call."""

    def __init__(self, sweep: CoreExploration, beside: Path | None = None) -> None:
        """Explore `sweep`, whose relative paths start in the folder `beside`."""
        self.sweep = sweep
        self.beside = beside

    def evaluate(self, parameters: Parameters) -> Outcome:
        """Return the tilings of the core that `parameters` describe which no other one beats."""
        built = parts(self.sweep, parameters)
        core, task = built["hardware"], built["workload"]
        work = task.work(_model(task, self.beside))
        tiles = legal_tiles(core, work)
        result = evaluate(Resources.of(core), work, tiles)
        needs = {n.name: (n.need_bytes, float(n.have_bytes), "B") for n in result.needs}
        mapping = {
            "key_tile": np.asarray(tiles.keys).astype(np.int64),
            "heads_together": np.asarray(tiles.heads).astype(np.int64),
            "bound": np.asarray(result.latency.bound),
        }
        return reduce(
            self.sweep,
            mapping,
            result.metrics | {"accuracy_loss": task.sparsity.accuracy_loss},
            needs,
        )
