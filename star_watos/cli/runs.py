"""`merge` and `diff`: runs that have ended, beside each other."""

from pathlib import Path
from typing import Annotated

import typer

from star_watos.cli import common, exploring

Runs = Annotated[
    list[Path], typer.Argument(metavar="DIR...", help="Folders of runs, or their pareto.csv.")
]
OneRun = Annotated[Path, typer.Argument(help="Folder of a run, or its pareto.csv.")]
Out = Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder for the files.")]


def add_runs(app: typer.Typer, tool: str) -> None:
    """Give `app`, which is the command `tool`, both subcommands."""

    @app.command()
    def merge(
        runs: Runs, out: Out, force: exploring.Force = False, as_json: common.Json = False
    ) -> None:
        """Join the fronts of several runs: what no other design beats goes to OUT/pareto.csv."""
        from star_watos.explore.merge import merge as join
        from star_watos.explore.several import load_alike
        from star_watos.report.difference import print_merged

        manifest = join(load_alike(runs, tool), out, force=force)
        if as_json:
            common.print_json({"schema": "exploration-merge/1", "out": str(out)} | manifest)
        else:
            print_merged(manifest)

    @app.command()
    def diff(a: OneRun, b: OneRun, as_json: common.Json = False) -> None:
        """Say what got better or worse from run A to run B, and what was asked differently."""
        from star_watos.explore.diff import diff as compare
        from star_watos.explore.several import load_alike
        from star_watos.report.difference import print_difference

        found = compare(*load_alike([a, b], tool))
        if as_json:
            common.print_json(found.document())
        else:
            print_difference(found)
