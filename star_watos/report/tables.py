"""Tables and lines that more than one report has."""

from typing import Any

from rich.table import Table


def figures_table(figures: dict[str, str]) -> Table:
    """Return names and values, one a line."""
    table = Table(box=None, show_header=False, pad_edge=False)
    for name, value in figures.items():
        table.add_row(f"[dim]{name}[/dim]", value)
    return table


def parts_table(parts: dict[str, dict[str, float]]) -> Table:
    """Return a table of parts and what each has of several quantities, with the sums."""
    table = Table("part", box=None, header_style="dim", pad_edge=False)
    for quantity in parts:
        table.add_column(quantity, justify="right")
    names = list(dict.fromkeys(name for column in parts.values() for name in column))
    for name in names:
        table.add_row(name, *(_cell(column.get(name)) for column in parts.values()))
    table.add_row("sum", *(_cell(sum(column.values())) for column in parts.values()), style="bold")
    return table


def traces(chakra: dict[str, Any]) -> str:
    """Return where traces are, from the first to the last.

    >>> traces({"folder": "et", "name": "ring", "files": 4})
    'et: ring.0.et to ring.3.et'
    """
    first, last = (f"{chakra['name']}.{i}.et" for i in (0, chakra["files"] - 1))
    return f"{chakra['folder']}: {first} to {last}"


def _cell(value: float | None) -> str:
    return "" if value is None else f"{value:,.4g}"
