"""The terminal report of `watos serve`."""

from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from star_watos.units import show

WAYS = {"together": "both on all", "apart": "dies of their own"}


def print_service(report: dict[str, Any], console: Console | None = None) -> None:
    """Print the document of `watos serve` as a table."""
    console = console or Console()
    work, ways = report["workload"], report["ways"]
    console.print(
        f"[bold]{escape(report['hardware']['name'])}[/bold], {report['devices']:,} devices, "
        f"{escape(work['model'])}, prompts of {work['prompt_len']:,} and answers of "
        f"{work['output_len']:,} tokens"
    )
    table = Table("prefill and decode", box=None, header_style="dim", pad_edge=False)
    for name in ways:
        table.add_column(WAYS[name], justify="right")
    for row in zip(*(_cells(way) for way in ways.values()), strict=True):
        table.add_row(row[0][0], *(cell for _, cell in row))
    console.print(table)


def _cells(way: dict[str, Any]) -> list[tuple[str, str]]:
    """Return titles and texts of one way."""
    return [
        ("answers' tokens", f"{way['tokens_per_s']:,.0f} tokens/s"),
        ("requests", f"{way['requests_per_s']:,.4g} /s"),
        ("first token after", show(way["ttft_s"], "s")),
        ("then a token every", show(way["tpot_s"], "s")),
        ("energy", f"{way['energy_per_token_j']:.4g} J a token"),
        ("power", show(way["power_w"], "W")),
        ("prefill", _plan(way["prefill"])),
        ("decode", _plan(way["decode"])),
        ("sequences at once", _sequences(way["decode"])),
        ("memory, fullest device", show(way["decode"]["memory_bytes"], "B")),
        ("bound by", way["bound"]),
    ]


def _plan(part: dict[str, Any]) -> str:
    shape = " x ".join(map(str, part["tp_shape"]))
    return f"{part['replicas']} of TP {shape}, PP {part['pp']}"


def _sequences(part: dict[str, Any]) -> str:
    held = part["replicas"] * part["pp"] * part["sequences"]
    return f"{held:,} ({part['sequences']:,} a stage)"
