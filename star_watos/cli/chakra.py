"""`--chakra DIR` and `--force`, which several commands have."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated

import typer

from star_watos.cli import common
from star_watos.errors import InputError

Force = Annotated[bool, typer.Option("--force", help="Replace the traces in DIR.")]


def check_chakra(folder: Path | None, *, force: bool) -> None:
    """Say before the work, not after it, that no traces can be written."""
    if folder is None:
        if force:
            raise InputError.of("--force", "is of --chakra DIR")
        return
    from star_watos.fabric.chakra import check_folder, messages

    messages()
    check_folder(folder, force=force)


def counted(parts: Iterable[bytes], total: int) -> Iterator[bytes]:
    """Show how many traces are done."""
    for done, part in enumerate(parts, 1):
        yield part
        common.progress("traces", done, total)
