"""Everything that the page says, as plain data."""

from dataclasses import asdict
from typing import Any

from star_watos.explore.stored import Stored
from star_watos.report.exploration import again_command
from star_watos.report.html.columns import columns_of
from star_watos.report.html.importances import importances
from star_watos.report.html.look import short
from star_watos.report.html.looks import best_places, looks


def content(stored: Stored) -> dict[str, Any]:
    """Return what the script of the page draws."""
    seen = {place: asdict(look) for place, look in looks(stored).items()}
    found = importances(stored)
    for look in seen.values():
        for panel in look["panels"].values():
            parts = {n.replace("_", " "): short(value) for n, value in panel["parts"].items()}
            panel["parts"] = parts
    return {
        "columns": [asdict(column) for column in columns_of(stored)],
        "best": best_places(stored),
        "again": again_command(stored.asked.kind, stored.folder, 0).removesuffix("0"),
        "looks": seen,
        "importances": asdict(found) if found else None,
        "convergence": _convergence(stored),
    }


def _convergence(stored: Stored) -> dict[str, Any] | None:
    """Return the hypervolume after so many trials, or None where that was not kept."""
    steps = stored.manifest.get("convergence")
    if not steps:
        return None
    return {
        "trials": [step["trials"] for step in steps],
        "hypervolume": [short(step["hypervolume"]) for step in steps],
        "total": stored.manifest.get("outer_trials", steps[-1]["trials"]),
    }


def facts(stored: Stored) -> dict[str, str]:
    """Return what the run is, for the head of the page; of merged runs, of each."""
    return {f"run {name}".strip(): _facts(run) for name, run in stored.runs.items()}


def _facts(run: dict[str, Any]) -> str:
    commit = str(run.get("git_commit") or "")[:12]
    said = {
        "seed": run.get("seed"),
        "version": run.get("version"),
        "commit": commit,
        "configuration": str(run.get("config_hash") or "")[:12],
        "trials": _count(run.get("outer_trials")),
        "points": _count(run.get("points_evaluated")),
    }
    return ", ".join(f"{name} {value}" for name, value in said.items() if value not in {None, ""})


def _count(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else ""
