"""Traces as files: all of them, or none."""

import json
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

from star_watos.errors import InputError

DRAFT = ".draft"
"""Folder inside of the traces' own, in which they are written first."""


def check_folder(folder: Path, *, force: bool) -> None:
    """Refuse a folder that holds something, unless told to replace the traces in it."""
    if folder.exists() and not folder.is_dir():
        raise InputError.of(str(folder), "is a file, not a folder")
    if folder.is_dir() and any(folder.iterdir()) and not force:
        raise InputError.of(str(folder), "is not empty; --force replaces the traces in it")


def write_traces(
    folder: Path,
    name: str,
    traces: Iterable[bytes],
    *,
    groups: Mapping[str, list[int]] | None = None,
    force: bool = False,
) -> int:
    """Write NAME.0.et, NAME.1.et, ... into a folder, which is made; return how many.

    Process groups, the nodes of each by its name, are written beside them as NAME.json. With
    `force` the traces that were there are gone; other files stay.
    """
    check_folder(folder, force=force)
    new, draft = not folder.exists(), folder / DRAFT
    moved: list[Path] = []
    try:
        shutil.rmtree(draft, ignore_errors=True)  # of a run that was killed
        draft.mkdir(parents=True)
        for number, trace in enumerate(traces):
            (draft / f"{name}.{number}.et").write_bytes(trace)
        if groups is not None:
            (draft / f"{name}.json").write_text(json.dumps(groups), encoding="utf-8")
        _replace(folder, draft, moved)
    except BaseException:  # Ctrl-C as well: half a set of traces is of no use
        for path in moved:
            path.unlink(missing_ok=True)
        shutil.rmtree(folder if new else draft, ignore_errors=True)
        raise
    draft.rmdir()
    return sum(path.suffix == ".et" for path in moved)


def _replace(folder: Path, draft: Path, moved: list[Path]) -> None:
    """Move the traces of `draft` where earlier ones were, and note each in `moved`."""
    for old in folder.glob("*.et"):
        old.unlink()
    for path in sorted(draft.iterdir()):
        moved.append(folder / path.name)
        path.replace(moved[-1])
