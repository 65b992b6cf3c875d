"""What broken parts cost one wafer, as JSON."""

from typing import Any

from star_watos.watos.faults.machine import Standing
from star_watos.watos.faults.study import Outcome, Study


def document(study: Study, outcome: Outcome) -> dict[str, Any]:
    """Return `faults` of the JSON: what is broken, and the throughput of every schedule.

    `gain` is None where the schedule that is not robust has none.
    """
    damage, robust = outcome.damage, outcome.robust
    tokens = {
        "robust": study.tokens_per_s(robust),
        "replanned": study.tokens_per_s(outcome.replanned),
        "non_robust": study.tokens_per_s(outcome.fixed),
    }
    fixed = tokens["non_robust"]
    return {
        "broken_dies": damage.broken_dies,
        "broken_links": damage.broken_links,
        "cut_off_dies": damage.cut_off,
        "dies": damage.n_dies,
        "cores_of_a_die": study.wafer.die.cores.size,
        "least_cores": damage.least_cores,
        "healthy_tokens_per_s": study.healthy_tokens_per_s,
        **{f"{name}_tokens_per_s": value for name, value in tokens.items()},
        "gain": tokens["robust"] / fixed - 1 if fixed > 0 else None,
        "groups": [] if robust is None else _groups(robust.machine, study),
    }


def _groups(machine: Standing, study: Study) -> list[list[list[int]]]:
    """Return row and column of every die of each TP group, in the order of the pipeline."""
    cols = study.wafer.grid.cols
    return [[list(divmod(die, cols)) for die in group.dies] for group in machine.groups]
