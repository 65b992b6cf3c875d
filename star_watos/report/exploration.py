"""The terminal report and the JSON of an exploration."""

from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from star_watos.explore import Result

SHOWN = 12
"""Rows of the front that the terminal shows; the file has all."""


def exploration_document(result: "Result") -> dict[str, Any]:
    """Return the run's manifest with the front."""
    return (
        {"schema": "exploration/1", "out": str(result.out)}
        | result.manifest
        | {"front": result.rows}
    )


def print_exploration(result: "Result", console: Console | None = None) -> None:
    """Print what was searched, the best of the front, and where the files are."""
    console = console or Console()
    run = result.manifest
    console.print(
        f"{run['outer_trials']:,} trials ({run['distinct_trials']:,} distinct), "
        f"{run['points_evaluated']:,} points in {run['wall_s']:.1f} s, "
        f"{run['feasible_points']:,} fit; front of {len(result.rows):,}"
    )
    if result.rows:
        console.print(_front(result))
        console.print(f"files: {result.out}", highlight=False, soft_wrap=True)
    elif result.exit_code == 4:
        typer.echo(f"nothing fits; nearest miss: {result.why or result.nearest}", err=True)
    if result.gate is not None and not result.gate.passed:
        typer.echo(f"expectation not met: {result.gate}", err=True)
    if result.exit_code == 130:
        typer.echo("interrupted; what was found is on disk", err=True)


def _front(result: "Result") -> Table:
    """Return the front's first rows: what was searched, the objectives, what bounds it."""
    searched = list(result.manifest["config"]["space"])
    objectives = list(result.manifest["config"]["objectives"])
    table = Table(box=None, header_style="dim", pad_edge=False)
    columns = [*searched, *objectives, "bound"]
    for name in columns:
        table.add_column(name.split(".", 1)[-1], justify="right")
    for row in result.rows[:SHOWN]:
        table.add_row(*(_cell(row[name]) for name in columns))
    if len(result.rows) > SHOWN:
        table.add_row(f"... {len(result.rows) - SHOWN:,} more")
    return table


def _cell(value: object) -> str:
    return f"{value:,.5g}" if isinstance(value, float) else str(value)
