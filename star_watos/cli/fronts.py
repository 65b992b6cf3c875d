"""`--from RUN --row N`: a design of a stored front in the place of options that describe one."""

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from star_watos.errors import InputError, Mark, Problem

if TYPE_CHECKING:
    from star_watos.explore.chosen import Chosen

From = Annotated[
    Path | None,
    typer.Option("--from", metavar="RUN", help="Take a design of a run: its folder or pareto.csv."),
]
Row = Annotated[
    int | None, typer.Option(help="Which design of --from, from 1; the first when left out.")
]
OWN = {"source", "row", "overrides", "as_json"}
"""Parameters that go with `--from` in every command."""


def chosen(
    context: typer.Context,
    command: str,
    source: Path | None,
    row: int | None,
    beside: Collection[str] = (),
) -> "Chosen | None":
    """Return the design that `command` is asked for; None without `--from`.

    Only the parameters `beside` and `OWN` may be given with it: the others describe a design.
    """
    if source is None:
        if row is not None:
            raise InputError.of("--row", "is of a run: --from RUN")
        return None
    _refuse(context, OWN.union(beside))
    from star_watos.explore.chosen import Chosen
    from star_watos.explore.stored import Stored

    design = Chosen.of(Stored.load(source), 1 if row is None else row)
    kind = design.asked.kind
    if kind.command != command:
        text = f"is a run of {kind.value}, whose designs `{kind.command}` takes"
        raise InputError.of(f"--from {source}", text)
    return design


def _refuse(context: typer.Context, allowed: Collection[str]) -> None:
    """Refuse every parameter that was given and is not allowed, all at once."""
    given = [
        parameter
        for parameter in context.command.params
        if parameter.name not in allowed and _was_given(context, parameter.name or "")
    ]
    options = [p.opts[0] if p.opts[0].startswith("-") else p.opts[0].upper() for p in given]
    text = "cannot be given with --from, whose design has its own"
    if options:
        raise InputError(Problem(Mark(option), "", text) for option in options)


def _was_given(context: typer.Context, name: str) -> bool:
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"
