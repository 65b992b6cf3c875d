"""The fronts of several runs as one."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import star_watos
from star_watos.explore import files
from star_watos.explore.archive import Archive
from star_watos.explore.manifest import git_commit, packages
from star_watos.explore.problem import Row
from star_watos.explore.several import RUN_COLUMN, Run
from star_watos.explore.workers import uninterrupted
from star_watos.files import Folder
from star_watos.spec import InputError


def merge(runs: Sequence[Run], out: Path, *, force: bool = False) -> dict[str, Any]:
    """Write the designs of all runs that none of the others beats; return what `run.json` says.

    Of equal designs the first is kept. Raises `InputError` where a run is given twice, or `out` is
    one of them, or holds another one without `force`.
    """
    folders = [run.stored.folder.resolve() for run in runs]
    if out.resolve() in folders:
        raise InputError.of(f"--out {out}", "is one of the runs that are merged")
    for run, place in zip(runs, folders, strict=True):
        if folders.count(place) > 1:
            raise InputError.of(run.name, "is given twice")
    archive = Archive(runs[0].objectives)
    archive.add([_from(run, row) for run in runs for row in run.rows])
    rows = files.ordered(archive.rows, archive.objectives)
    manifest = _manifest(runs, archive, rows)
    folder = Folder(out, files.NAMES, force=force)
    with uninterrupted():
        folder.replace(files.PARETO, _table(runs, rows))
        folder.replace(files.RUN, files.run_json(manifest))
    return manifest


def _table(runs: Sequence[Run], rows: Sequence[Row]) -> str:
    axes = dict.fromkeys(name for run in runs for name in run.asked.sweep.space)
    shape = rows or [dict.fromkeys(runs[0].objectives, 0.0)]
    names = files.columns(shape, [RUN_COLUMN, *axes], runs[0].asked.sweep.metrics)
    return files.pareto_csv(rows, names)


def _from(run: Run, row: Row) -> Row:
    """Return a design with the run that it comes from; one of a merged front keeps its own."""
    return row if RUN_COLUMN in row else row | {RUN_COLUMN: run.name}


def _manifest(runs: Sequence[Run], archive: Archive, rows: Sequence[Row]) -> dict[str, Any]:
    """Return the content of `run.json`: that of each run, how many designs it had, are left."""
    parts = {name: part for run in runs for name, part in _parts(run).items()}
    left = Counter(row[RUN_COLUMN] for row in rows)
    return {
        "version": star_watos.__version__,
        "git_commit": git_commit(),
        "packages": packages(),
        "runs": {name: part | {"left": left[name]} for name, part in parts.items()},
        "front_size": len(rows),
        "hypervolume": archive.hypervolume(),
    }


def _parts(run: Run) -> dict[str, dict[str, Any]]:
    """Return the `run.json` of a run by its name; of a merged one, those of its runs."""
    return {
        name or run.name: part
        | {"designs": sum(row.get(RUN_COLUMN, "") == name for row in run.rows)}
        for name, part in run.stored.runs.items()
    }
