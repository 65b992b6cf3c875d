"""`report`, and the page at the end of `explore`."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from star_watos.cli import common
from star_watos.errors import InputError

if TYPE_CHECKING:
    from star_watos.explore.stored import Stored


def add_report(app: typer.Typer, tool: str) -> None:
    """Give `app`, which is the command `tool`, its subcommand."""

    @app.command()
    def report(
        run: Annotated[Path, typer.Argument(help="Folder of a run, or its pareto.csv.")],
    ) -> None:
        """Write report.html of a run anew: one page that opens without a network."""
        from star_watos.explore.files import REPORT
        from star_watos.explore.stored import Stored
        from star_watos.report.html.page import NEEDS, can_write

        stored = Stored.load(run)
        kind = stored.asked.kind
        if kind.tool != tool:
            text = f"is a run of {kind.value}: {kind.tool} report {shlex.quote(str(run))}"
            raise InputError.of(str(run), text)
        if not can_write():
            raise InputError.of(REPORT, NEEDS)
        _write(stored)
        typer.echo(stored.folder / REPORT)


def write_page(tool: str, folder: Path) -> None:
    """Write the page of a run that has ended; where that fails, say why in a line on stderr."""
    from star_watos.explore.files import REPORT
    from star_watos.explore.stored import Stored
    from star_watos.report.html.page import NEEDS, can_write

    if can_write():
        try:
            _write(Stored.load(folder))
        except InputError as error:
            typer.echo(f"no {REPORT}: {error.problems[0]}", err=True)
    else:
        again = f"{tool} report {shlex.quote(str(folder))}"
        typer.echo(f"no {REPORT}: {NEEDS}, then `{again}`", err=True)


def _write(stored: "Stored") -> None:
    from star_watos.report.html.page import write_report

    with common.interruptible("the page was not written, all else was"):
        write_report(stored)
