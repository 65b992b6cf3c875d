"""What `watos simulate --balance` found, in the terminal."""

from itertools import groupby
from typing import Any

from rich.console import Console
from rich.table import Table

from star_watos.units import show


def print_balance(found: dict[str, Any], console: Console) -> None:
    """Print the balanced plan, and what its stages run again and have others keep."""
    plan = found["plan"]
    if plan is None:
        console.print(
            f"balanced over the stages: none of {found['tried']} promising plans is faster than "
            f"{show(found['uniform_iteration_s'], 's')} by events"
        )
        return
    shape = " x ".join(map(str, plan["tp_shape"]))
    console.print(
        f"balanced over the stages: {show(found['iteration_s'], 's')} {_beside(found)}, "
        f"TP {plan['tp']} ({shape}), PP {plan['pp']}, DP {plan['dp']}, microbatch "
        f"{plan['microbatch']}; what others keep has the busiest link busy for "
        f"{found['busiest_link_s'] / found['slowest_stage_s']:.1%} of the slowest stage's time; "
        f"stages stand where they send {1 - found['placement_cost_over_snake']:.1%} less than on a "
        "snake"
    )
    console.print(_stages(found["stages"]))


def _beside(found: dict[str, Any]) -> str:
    """Return how the balanced plan compares with the best of one policy."""
    uniform = found["uniform_iteration_s"]
    if uniform is None:
        return "by events, where no policy for all stages fits"
    return f"for {show(uniform, 's')} by events ({uniform / found['iteration_s'] - 1:.1%} faster)"


def _stages(stages: list[dict[str, Any]]) -> Table:
    """Return a line for each run of stages that run the same again."""
    table = Table("stages", box=None, header_style="dim", pad_edge=False)
    for column in ("time", "again", "activations", "room", "sent away", "kept for others"):
        table.add_column(column, justify="right")
    table.add_column("run again")
    for again, group in groupby(stages, key=lambda stage: stage["recompute"]):
        same = list(group)
        first, last = same[0], same[-1]
        name = str(first["stage"]) if first is last else f"{first['stage']} to {last['stage']}"
        slowest = max(same, key=lambda stage: stage["seconds"])
        most = {key: max(stage[key] for stage in same) for key in BYTES}
        table.add_row(
            name,
            show(slowest["seconds"], "s"),
            f"{slowest['recompute_s'] / slowest['seconds']:.1%}",
            *(show(most[key], "B") for key in BYTES),
            ", ".join(again) or "nothing",
        )
    return table


BYTES = ("activation_bytes", "room_bytes", "sent_bytes", "kept_for_others_bytes")
"""Of a die; the most of the stages in a line."""
