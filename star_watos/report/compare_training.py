"""The terminal report of `watos compare`."""

from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

STRATEGIES = {
    "watos": "WATOS",
    "megatron_wafer": "Megatron, wafer",
    "megatron_gpu": "Megatron, GPUs",
    "weight_streaming": "weight streaming",
}
FIGURES = {
    "tokens_per_s": ("tokens/s", "{:,.0f}"),
    "mfu": ("MFU", "{:.1%}"),
    "memory_utilization": ("memory in use", "{:.1%}"),
    "recomputed_share": ("activations made again", "{:.1%}"),
}


def print_compare(report: dict[str, Any], console: Console | None = None) -> None:
    """Print the document of `watos compare` as tables."""
    console = console or Console()
    work = report["workload"]
    console.print(
        f"[bold]{escape(report['wafer']['name'])}[/bold], {work['global_batch']:,} sequences of "
        f"{work['seq_len']:,} tokens, {work['precision']}"
    )
    console.print(_strategies(report["models"]))
    for model in report["models"]:
        for name, missing in model["does_not_fit"].items():
            console.print(f"{escape(model['model'])}, {STRATEGIES[name]}: {missing}", markup=False)
    console.print("\nThroughput over the others, means over the models", markup=False)
    console.print(_headlines(report["headline"]))
    for name, found in report["headline"].items():
        console.print(f"{_over(name)}: {found['why']}", markup=False)
    console.print("\nOver Megatron on the wafer, part by part", markup=False)
    console.print(_ladder(report))
    console.print("\nThe same, each part left out alone", markup=False)
    console.print(_without(report["models"]))


def _strategies(models: list[dict[str, Any]]) -> Table:
    table = Table("model", "", box=None, header_style="dim", pad_edge=False)
    for title in STRATEGIES.values():
        table.add_column(title, justify="right")
    for model in models:
        name = escape(model["model"]) + (f" x {model['wafers']}" if model["wafers"] > 1 else "")
        for key, (title, style) in FIGURES.items():
            cells = (_cell(model[key][strategy], style) for strategy in STRATEGIES)
            table.add_row(name, title, *cells)
            name = ""
        table.add_row("", "WATOS is faster by", *_ratios(model["ratios"]))
    return table


def _ratios(ratios: dict[str, Any]) -> list[str]:
    """Return the throughput over each strategy's, the paper's beside it where it is known."""
    cells = [""]
    for found in ratios.values():
        paper = "" if found["paper"] is None else f" (paper {found['paper']:g})"
        cells.append(_cell(found["ours"], "{:.2f}x") + paper)
    return cells


def _cell(value: float | None, style: str) -> str:
    return "-" if value is None else style.format(value)


def _over(name: str) -> str:
    return f"over {STRATEGIES[name.removeprefix('vs_')]}"


def _headlines(headline: dict[str, Any]) -> Table:
    table = Table("", box=None, header_style="dim", pad_edge=False)
    for title in ("ours", "paper"):
        table.add_column(title, justify="right")
    table.add_column("other readings")
    for name, found in headline.items():
        others = found["other_readings"].items()
        text = "; ".join(f"{reading}: {_cell(value, '{:.2f}')}" for reading, value in others)
        table.add_row(_over(name), _cell(found["ours"], "{:.2f}"), f"{found['paper']:.2f}", text)
    return table


def _ladder(report: dict[str, Any]) -> Table:
    table = Table("step", box=None, header_style="dim", pad_edge=False)
    for model in report["models"]:
        table.add_column(escape(model["model"]), justify="right")
    table.add_column("mean", justify="right")
    table.add_column("paper")
    for step in report["ladder"]:
        each = (_cell(model["ladder"][step["step"]], "{:.3f}") for model in report["models"])
        table.add_row(step["step"], *each, _cell(step["ours"], "{:.3f}"), step["paper"] or "")
    return table


def _without(models: list[dict[str, Any]]) -> Table:
    table = Table("without", box=None, header_style="dim", pad_edge=False)
    for model in models:
        table.add_column(escape(model["model"]), justify="right")
    for part in models[0]["without"]:
        table.add_row(part, *(_cell(model["without"][part], "{:.3f}") for model in models))
    return table
