"""The terminal report of measured training runs."""

from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.table import Table

from star_watos.report.run_tables import TextTable, run_tables, summary_table
from star_watos.validate.runs.predict import Prediction, measured_columns


def print_runs(predictions: Sequence[Prediction], console: Console | None = None) -> None:
    """Print each table's runs beside what the model says of them, and the summaries."""
    console = console or Console()
    for table in dict.fromkeys(p.table for p in predictions):
        own = [p for p in predictions if p.table == table]
        console.print(f"[bold]{table}[/bold], {len(own):,} measured runs", highlight=False)
        for shown in _tables(own):
            if shown.title:
                console.print(shown.title, style="dim")
            console.print(_rich(shown))
        console.print()


def _tables(predictions: list[Prediction]) -> Iterator[TextTable]:
    for column in measured_columns(predictions):
        yield from run_tables(predictions, column)
    yield summary_table(predictions)


def _rich(text: TextTable) -> Table:
    table = Table(box=None, header_style="dim", pad_edge=False)
    for place, name in enumerate(text.names):
        figures = place >= text.left
        table.add_column(name, justify="right" if figures else "left", no_wrap=figures)
    for row in text.rows:
        table.add_row(*row)
    return table
