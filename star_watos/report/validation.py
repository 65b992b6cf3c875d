"""The terminal report of the `validate` commands."""

from typing import Any

from rich.console import Console
from rich.table import Table

from star_watos.validate.published import Comparison, summaries


def print_comparisons(rows: list[Comparison], console: Console | None = None) -> None:
    """Print published figures beside ours: the error, what was calibrated, and on what."""
    console = console or Console()
    origins = {text: n for n, text in enumerate(dict.fromkeys(r.constants for r in rows), start=1)}
    for summary in summaries(rows):
        name = summary["table"]
        console.print(
            f"{name}: {summary['rows']} figures, mean absolute error {summary['mae_pct']:.1f} %, "
            f"bias {summary['bias_pct']:+.1f} %",
            highlight=False,
        )
        console.print(_table([row for row in rows if row.table == name], origins))
        console.print()
    console.print("Where the constants of our figures come from:")
    for text, number in origins.items():
        console.print(f"  [{number}] {text}", markup=False, highlight=False)


def print_agreement(report: dict[str, Any], console: Console | None = None) -> None:
    """Print how far the formulas are from the event simulation, by kind of case."""
    console = console or Console()
    text = f"Seconds by the formulas against the event simulation: {report['cases']}"
    console.print(text, markup=False, highlight=False)
    table = Table(box=None, header_style="dim", pad_edge=False)
    table.add_column("cases of")
    for name in ("number", "median gap", "95th percentile", "bias", "worst"):
        table.add_column(name, justify="right", no_wrap=True)
    for kind, part in report["agreement"].items():
        sizes = (f"{part[name]:.2f} %" for name in ("median_pct", "p95_pct"))
        ends = (f"{part['bias_pct']:+.2f} %", f"{part['worst_pct']:.1f} %")
        table.add_row(kind, str(part["cases"]), *sizes, *ends)
    console.print(table)


def _table(rows: list[Comparison], origins: dict[str, int]) -> Table:
    table = Table(box=None, header_style="dim", pad_edge=False)
    table.add_column("figure")
    for name in ("published", "ours", "error"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("calibrated")
    table.add_column("from", justify="right", no_wrap=True)
    for row in rows:
        figures = (f"{row.published:,.6g}", f"{row.predicted:,.6g}", f"{row.error_pct:+.1f} %")
        name = f"{row.item}, {row.unit}" if row.unit else row.item
        table.add_row(name, *figures, row.calibrated, f"[{origins[row.constants]}]")
    return table
