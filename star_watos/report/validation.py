"""The terminal report of the `validate` commands."""

from rich.console import Console
from rich.table import Table

from star_watos.validate.published import Comparison


def print_comparisons(rows: list[Comparison], console: Console | None = None) -> None:
    """Print published figures beside ours, with the error and what was calibrated."""
    console = console or Console()
    table = Table(box=None, header_style="dim", pad_edge=False)
    for name in ("table", "figure"):
        table.add_column(name)
    for name in ("published", "ours", "error"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("calibrated")
    for row in rows:
        figures = (f"{row.published:,.6g}", f"{row.predicted:,.6g}", f"{row.error_pct:+.1f} %")
        name = f"{row.item}, {row.unit}" if row.unit else row.item
        table.add_row(row.table, name, *figures, row.calibrated)
    console.print(table)
