"""The terminal report and the JSON of an exploration."""

import shlex
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from star_watos.explore.kinds import Kind

if TYPE_CHECKING:
    from star_watos.explore import Gate, Result
    from star_watos.explore.problem import Row
    from star_watos.explore.template import Template


def exploration_document(result: "Result") -> dict[str, Any]:
    """Return the run's manifest with the front."""
    return (
        {"schema": "exploration/1", "out": str(result.out)}
        | result.manifest
        | {"front": result.rows}
    )


def print_exploration(result: "Result", refined: "list[Row]") -> None:
    """Print what was searched, the best designs of the front, and where the files are."""
    console = Console()
    run = result.manifest
    console.print(
        f"{run['outer_trials']:,} trials ({run['distinct_trials']:,} distinct), "
        f"{run['points_evaluated']:,} points in {run['wall_s']:.1f} s, "
        f"{run['feasible_points']:,} fit; front of {len(result.rows):,}"
    )
    if result.rows:
        console.print(_best(result))
    if result.template is not None:
        console.print(_against(result.template, result.objectives), highlight=False, markup=False)
    if refined:
        console.print(_gains(refined), highlight=False)
    if result.rows:
        again = again_command(Kind(run["config"]["kind"]), result.out, 1)
        for line in (f"files: {result.out}", f"the first design again: {again}"):
            console.print(line, highlight=False, markup=False, soft_wrap=True)


def again_command(kind: Kind, folder: Path, row: int) -> str:
    """Return the command that looks at a design of the run in `folder`.

    >>> again_command(Kind.SERVING, Path("out/my run"), 7)
    "watos serve --from 'out/my run' --row 7"
    """
    return f"{kind.command} --from {shlex.quote(str(folder))} --row {row}"


def _gains(refined: "list[Row]") -> str:
    """Return what balancing the stages gave."""
    gains = [float(row["gain"]) for row in refined]
    better = sum(gain > 0 for gain in gains)
    return (
        f"stages balanced on {len(gains)} wafers of the front: {better} faster, by up to "
        f"{max(gains):.1%} (refined.csv)"
    )


def ending(result: "Result") -> str:
    """Return why the run itself does not end with 0; nothing where it does, or misses a gate."""
    if result.exit_code == 4:
        return f"nothing fits; nearest miss: {result.nearest or result.why or 'none yet'}"
    if result.exit_code == 130:
        return "interrupted; what was found is on disk, and --resume goes on from it"
    return ""


def print_shortfall(result: "Result") -> None:
    """Say on stderr why the run does not end with 0, if so."""
    if ending(result):
        typer.echo(ending(result), err=True)
    missed = [gate for gate in result.gates if not gate.passed]
    if missed:
        typer.echo("not as expected:", err=True)
        Console(stderr=True).print(_shortfall(missed))


def _shortfall(missed: "Iterable[Gate]") -> Table:
    """Return what was expected and what was found, a line each."""
    table = Table("", box=None, header_style="bold", pad_edge=False)
    for column in ("expected", "found", "missed by"):
        table.add_column(column, justify="right", no_wrap=True)
    for gate in missed:
        by = f"{100 * gate.missed_by:.4g} %"
        table.add_row(escape(gate.name), gate.expected, f"{gate.found:,.6g}", by)
    return table


def _best(result: "Result") -> Table:
    """Return the best design of the front by each objective, one a column."""
    table = Table("", box=None, header_style="bold", pad_edge=False)
    designs = []
    for name, sense in result.objectives.items():
        designs.append(sense.best(result.rows, key=lambda row: row[name]))
        table.add_column(f"{sense[:3]} {name}", justify="right")
    bright = {*result.objectives, *result.manifest["config"]["space"]}
    for name in result.rows[0]:
        style = "" if name in bright else "dim"
        table.add_row(
            name.removeprefix("hardware."),
            *(_cell(design[name]) for design in designs),
            style=style,
        )
    return table


def _against(own: "Template", objectives: Iterable[str]) -> str:
    """Return the template's point and how many designs of the front dominate it."""
    point = ", ".join(f"{name} {_cell(own.row[name])}" for name in objectives)
    counts = [f"{designs:,} better in {count}" for count, designs in own.better_in.items()]
    said = f"{own.dominated_by:,} of the front dominate it" if counts else "nothing dominates it"
    return f"the template itself: {point}; {said}{': ' if counts else ''}{', '.join(counts)}"


def _cell(value: object) -> str:
    return f"{value:,.5g}" if isinstance(value, float) else escape(str(value))
