"""Meshes of cores in the terminal report of `star compare --mesh`."""

from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from star_watos.units import show


def print_spatial(console: Console, spatial: dict[str, Any], paper: float) -> None:
    """Print ladders to Spatial-STAR beside the paper's gain, what ours rests on, how it scales."""
    reference = spatial["reference"]
    console.print()
    console.print(f"From many dense cores to Spatial-STAR. Baseline: {spatial['baseline']}")
    console.print(_ladders(spatial["ladders"], paper))
    console.print()
    console.print(
        f"The gain of {reference['rows']} x {reference['cols']} cores at "
        f"{reference['seq_len']:,} tokens, {_gain(reference['gain'])}, if one thing were otherwise"
    )
    console.print(_assumptions(spatial["assumptions"]))
    console.print()
    console.print("Weak scaling: efficiency is one core's time over that of all together")
    console.print(_weak(spatial["weak_scaling"]))


def _table(*columns: str) -> Table:
    table = Table(columns[0], box=None, header_style="dim", pad_edge=False)
    for column in columns[1:]:
        table.add_column(column, justify="right")
    return table


def _gain(gain: float | None) -> str:
    return "does not fit" if gain is None else f"{gain:.3g}x"


def _tokens(count: int) -> str:
    """Return a token count as options take it.

    >>> _tokens(131_072), _tokens(4_194_304)
    ('128k', '4M')
    """
    return f"{count // 2**20}M" if count % 2**20 == 0 else f"{count / 2**10:g}k"


def _ladders(ladders: list[dict[str, Any]], paper: float) -> Table:
    """Return a line a mesh and length: the gain of each step, and of all."""
    if not ladders:
        return _table("nothing fits")
    steps = ladders[0]["steps"][1:]
    table = _table("cores", "tokens", *(step["step"] for step in steps), "all", "paper")
    table.caption = "; ".join(f"{step['step']}: {step['what']}" for step in steps)
    table.caption_justify = "left"
    for ladder in ladders:
        gains = [f"{step['gain']:.3g}" for step in ladder["steps"][1:]]
        last = ladder["steps"][-1]
        name = f"{ladder['rows']}x{ladder['cols']}"
        total = (f"{last['total']:.3g}", f"{paper:g}")
        table.add_row(name, _tokens(ladder["seq_len"]), *gains, *total)
    return table


def _assumptions(assumptions: list[dict[str, Any]]) -> Table:
    table = _table("if", "gain")
    for other in assumptions:
        table.add_row(escape(other["assumption"]), _gain(other["total"]))
    return table


def _weak(rows: list[dict[str, Any]]) -> Table:
    table = _table("cores", "tokens", "spread", "time", "efficiency", "limiter")
    for row in rows:
        hidden = "" if row["overlap"] else ", after work"
        table.add_row(
            f"{row['rows']}x{row['cols']}",
            _tokens(row["seq_len"]),
            f"{row['dataflow']}, {row['ring']}, {row['partition']}{hidden}",
            show(row["latency_s"], "s"),
            f"{row['efficiency']:.1%}",
            row["limiter"],
        )
    return table
