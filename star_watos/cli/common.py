"""What all commands share: help, version, errors to exit codes, JSON on stdout."""

import io
import json
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, TypeVar

import typer

from star_watos import __version__
from star_watos.errors import InputError, nearest

if TYPE_CHECKING:
    from star_watos.cost import Overflow
    from star_watos.errors import Mark
    from star_watos.spec import Document, Spec
    from star_watos.validate.published import Comparison

DONE, WRONG_INPUT, NOT_MET, NOTHING_FITS, INTERRUPTED = 0, 2, 3, 4, 130

Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout, nothing else.")]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY.PATH=VALUE", help="Override one field; repeatable."),
]


def new_app(name: str, text: str) -> typer.Typer:
    """Return an application with `--version`, help without arguments and no tracebacks."""
    app = typer.Typer(
        name=name,
        help=text,
        invoke_without_command=True,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )

    @app.callback()
    def options(
        context: typer.Context,
        version: Annotated[  # noqa: ARG001 (its callback acts)
            bool,
            typer.Option(
                "--version",
                is_eager=True,
                callback=lambda wanted: _print_version(name) if wanted else None,
                help="Print the version and stop.",
            ),
        ] = False,
    ) -> None:
        if context.invoked_subcommand is None:
            context.get_help()  # prints it

    options.__doc__ = text
    return app


def _print_version(name: str) -> NoReturn:
    typer.echo(f"{name} {__version__}")
    raise typer.Exit


def guard(app: Callable[[], Any]) -> None:
    """Run `app`; say input errors and what the system refuses on stderr, without a traceback."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a terminal may not have every letter
    try:
        app()
    except SystemExit as end:
        # Typer and Rich end with 1 where nobody reads on, as in `star simulate | head -1`;
        # nothing else here does.
        sys.exit(DONE if end.code == 1 else end.code)
    except InputError as error:
        for problem in error.problems:
            typer.echo(str(problem), err=True)
        sys.exit(WRONG_INPUT)
    except OSError as error:
        typer.echo(f"{error.filename or 'file system'}: {error.strerror or error}", err=True)
        sys.exit(WRONG_INPUT)


def does_not_fit(overflow: "Overflow") -> NoReturn:
    """Say what does not fit, and stop with the exit code for it."""
    typer.echo(f"does not fit: {overflow}", err=True)
    raise typer.Exit(NOTHING_FITS)


def option_mark(key: str) -> "Mark":
    """Return the place of a value that was given as an option."""
    from star_watos.errors import Mark

    return Mark(f"--{key.replace('_', '-')}")


def options_document(command: str, fields: dict[str, Any]) -> "Document":
    """Return the options that were given as a document, so that mistakes name the option."""
    from star_watos.errors import Mark
    from star_watos.spec import Document, KeyPath

    given = {key: value for key, value in fields.items() if value is not None}
    marks: dict[KeyPath, Mark] = {(key,): option_mark(key) for key in given}
    return Document(given, marks | {(): Mark(command)})


class Fidelity(StrEnum):
    """How closely time is followed."""

    ANALYTIC = "analytic"
    EVENT = "event"


E = TypeVar("E", bound=StrEnum)


def choice(option: str, value: str, kind: type[E]) -> E:
    """Return the member of `kind` that an option names; `InputError` with the nearest one."""
    known = [member.value for member in kind]
    if value in known:
        return kind(value)
    allowed = f"expected one of {', '.join(known)}"
    raise InputError.of(option, f"{allowed}, got {value[:40]!r}{nearest(value, known)}")


def shape(option: str, text: str, *, least: int = 1) -> tuple[int, int]:
    """Return rows and columns of `RxC`, each `least` or more.

    >>> shape("--mesh", "6x8")
    (6, 8)
    """
    match = re.fullmatch(r"(\d{1,4})\s*[xX]\s*(\d{1,4})", text.strip())
    if match is None or min(map(int, match.groups())) < least:
        raise InputError.of(f"{option} {text[:40]}", "expected rows x columns, such as 2x4")
    return int(match.group(1)), int(match.group(2))


PICTURES = (".pdf", ".png", ".svg")
"""What `--plot` may end in."""


def check_picture(plot: Path | None) -> None:
    """Say before the work, not after it, that the picture of `--plot` cannot be drawn."""
    from importlib.util import find_spec

    if plot is None:
        return
    if find_spec("matplotlib") is None:
        raise InputError.of("--plot", "needs matplotlib: pip install 'star-watos[plot]'")
    if plot.suffix not in PICTURES:
        text = f"expected a file name that ends in one of {', '.join(PICTURES)}"
        raise InputError.of(f"--plot {plot}", text)
    if plot.is_dir():
        raise InputError.of(f"--plot {plot}", "is a folder, not a file")
    if not plot.parent.is_dir():
        raise InputError.of(f"--plot {plot}", f"there is no folder {plot.parent}")


@contextmanager
def interruptible(what: str) -> Iterator[None]:
    """On Ctrl-C say `what` is lost, and stop with the exit code for it."""
    try:
        yield
    except KeyboardInterrupt:
        typer.echo(f"interrupted: {what}", err=True)
        raise typer.Exit(INTERRUPTED) from None


def progress(what: str, done: int, total: int) -> None:
    """Show on stderr how many of how many are done, where that is a terminal."""
    if sys.stderr.isatty():
        end = "\n" if done == total else ""
        sys.stderr.write(f"\r{done:,} of {total:,} {what}{end}")
        sys.stderr.flush()


def note(text: str | None) -> None:
    """Say something that is not the result, on stderr."""
    if text:
        typer.echo(f"note: {text}", err=True)


def print_json(document: dict[str, Any]) -> None:
    """Print the one JSON document of a command."""
    typer.echo(json_text(document))


def json_text(document: dict[str, Any]) -> str:
    """Return a document as JSON that any reader takes."""
    return json.dumps(document, indent=2, allow_nan=False)


def show_comparisons(schema: str, rows: "list[Comparison]", *, as_json: bool) -> None:
    """Print published figures beside ours."""
    from star_watos.report.validation import print_comparisons
    from star_watos.validate.published import document

    if as_json:
        print_json(document(schema, rows))
    else:
        print_comparisons(rows)


def print_schema(kinds: "dict[str, type[Spec]]", kind: str) -> None:
    """Print the JSON Schema of one kind of file."""
    from star_watos.spec import json_schema

    if kind not in kinds:
        raise InputError.of(kind[:40], f"no such kind of file; known: {', '.join(kinds)}")
    print_json(json_schema(kinds[kind]))
