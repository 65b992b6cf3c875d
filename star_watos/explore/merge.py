"""The fronts of several runs as one."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from star_watos.explore import files
from star_watos.explore.archive import Archive
from star_watos.explore.manifest import Source, origin
from star_watos.explore.problem import Row
from star_watos.explore.several import RUN_COLUMN, Run
from star_watos.explore.workers import uninterrupted
from star_watos.files import Folder
from star_watos.spec import InputError

HOW = ("search", "expect")
"""Keys of a configuration that do not change what a design costs."""


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
    archive.add([row | {RUN_COLUMN: run.name} for run in runs for row in run.rows])
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


def _manifest(runs: Sequence[Run], archive: Archive, rows: Sequence[Row]) -> dict[str, Any]:
    """Return the content of `run.json`; of runs whose designs cost alike it has a configuration."""
    first, *others = (_without_search(run) for run in runs)
    one = runs[0].asked
    source = Source(runs[0].stored.manifest["config"], one.beside)
    said = origin(source, one.sweep.search.seed)
    if any(other != first for other in others):
        said |= {"config": None, "config_hash": None}
    return {
        **said,
        "merged": [_part(run, rows) for run in runs],
        "front_size": len(rows),
        "hypervolume": archive.hypervolume(),
    }


def _without_search(run: Run) -> dict[str, Any]:
    config = run.stored.manifest["config"]
    return {key: value for key, value in config.items() if key not in HOW}


def _part(run: Run, rows: Sequence[Row]) -> dict[str, Any]:
    """Return how many designs of a run there were, and how many are left."""
    left = sum(row[RUN_COLUMN] == run.name for row in rows)
    said = {key: run.stored.manifest.get(key) for key in ("config_hash", "seed", "version")}
    return {"run": run.name, **said, "designs": len(run.rows), "left": left}
