"""The subcommand `export` of both commands."""

from pathlib import Path
from typing import Annotated

import typer

from star_watos.cli import common


def add_export(app: typer.Typer) -> None:
    """Give `app` the subcommand."""

    @app.command()
    def export(
        folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of a finished run.")],
        storage: Annotated[
            str,
            typer.Option(metavar="URL", help="sqlite:///FILE or postgresql://USER@HOST/DATABASE."),
        ],
        name: Annotated[
            str | None,
            typer.Option(help="Name of the study; that of the folder and a hash when left out."),
        ] = None,
        as_json: common.Json = False,
    ) -> None:
        """Write a finished run to Optuna's storage, where optuna-dashboard shows it."""
        from star_watos.explore.export import export as write

        with common.interruptible("nothing was written"):
            study, trials = write(folder, storage, name)
        if as_json:
            common.print_json({"schema": "export/1", "study": study, "trials": trials})
        else:
            typer.echo(f"{trials:,} trials in study {study}")
