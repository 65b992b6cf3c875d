"""The document and the terminal report of `watos collective`."""

from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from star_watos.fabric import Area
from star_watos.fabric.collectives import Choice, Kind, collective, played
from star_watos.report.tables import figures_table, traces
from star_watos.units import show


def collective_document(
    kind: Kind, area: Area, n_bytes: float, found: Sequence[Choice], *, event: bool
) -> dict[str, Any]:
    """Return times and what they are made of, an entry an algorithm; with `event` also played."""
    mesh = area.mesh
    return {
        "schema": "collective/1",
        "kind": kind.value,
        "size_bytes": n_bytes,
        "mesh": {
            "rows": mesh.rows,
            "cols": mesh.cols,
            "nodes": len(area.nodes),
            "missing_nodes": sorted(mesh.missing_nodes),
            "missing_links": sorted(map(list, mesh.missing_links)),
            "link_bytes_per_s": float(mesh.capacity_bytes_per_s[0]),
            "hop_latency_s": float(mesh.hop_s[0]),
        },
        "bound_s": found[0].bound_s,
        "algorithms": [_row(kind, area, n_bytes, choice, event=event) for choice in found],
        "chakra": None,
    }


def _row(kind: Kind, area: Area, n_bytes: float, choice: Choice, *, event: bool) -> dict[str, Any]:
    """Return what one algorithm takes: time_s = bandwidth_s + latency_s."""
    mesh, terms = area.mesh, choice.terms
    steps = collective(kind, choice.algorithm, area, choice.pieces)
    bandwidth_s = terms.share * n_bytes / float(mesh.capacity_bytes_per_s[0])
    return {
        "algorithm": choice.algorithm.value,
        "pieces": choice.pieces,
        "steps": steps.n_steps,
        "time_s": choice.seconds,
        "bandwidth_s": float(bandwidth_s),
        "latency_s": float(terms.hops * mesh.hop_s[0]),
        "over_bound": choice.over_bound,
        "byte_hops": float(terms.moved * n_bytes),
        "event_s": played(mesh, n_bytes, steps).total_s if event else None,
    }


def print_collective(report: dict[str, Any], console: Console | None = None) -> None:
    """Print the document as tables."""
    console = console or Console()
    mesh = report["mesh"]
    console.print(
        f"[bold]{report['kind']}[/bold] of {show(report['size_bytes'], 'B')} on "
        f"{mesh['rows']} x {mesh['cols']} nodes{_missing(mesh)}"
    )
    console.print(figures_table(_figures(report)))
    console.print(_table(report["algorithms"]))
    if report["chakra"]:
        console.print(_written(report["chakra"]), markup=False, soft_wrap=True)


def _missing(mesh: dict[str, Any]) -> str:
    """Return what is not there, of what anything is missing."""
    gone = [
        f"{what} {', '.join(map(str, missing))}"
        for what, missing in (
            ("nodes", mesh["missing_nodes"]),
            ("links", [f"{a}-{b}" for a, b in mesh["missing_links"]]),
        )
        if missing
    ]
    return f", without {' and '.join(gone)}" if gone else ""


def _figures(report: dict[str, Any]) -> dict[str, str]:
    mesh = report["mesh"]
    rate, hop = show(mesh["link_bytes_per_s"], "B/s"), show(mesh["hop_latency_s"], "s")
    return {
        "link": f"{rate}, {hop} a hop",
        "bound": f"{show(report['bound_s'], 's')}, of the links and of the farthest way",
    }


def _table(rows: Sequence[dict[str, Any]]) -> Table:
    """Return a row an algorithm; simulated times where there are any."""
    event = rows[0]["event_s"] is not None
    table = Table(box=None, header_style="dim", pad_edge=False, collapse_padding=event)
    table.add_column("algorithm (pieces)", no_wrap=True)
    names = ("steps", "time", "bandwidth", "latency", "x bound", "byte-hops")
    for name in (*names, "simulated") if event else names:
        table.add_column(name, justify="right")
    for row in rows:
        table.add_row(*_cells(row), *([show(row["event_s"], "s")] if event else []))
    return table


def _cells(row: dict[str, Any]) -> list[str]:
    pieces = f" ({row['pieces']:,})" if row["pieces"] > 1 else ""
    return [
        row["algorithm"] + pieces,
        f"{row['steps']:,}",
        *(show(row[name], "s") for name in ("time_s", "bandwidth_s", "latency_s")),
        f"{row['over_bound']:.3f}",
        show(row["byte_hops"], "B"),
    ]


def _written(chakra: dict[str, Any]) -> str:
    return f"{traces(chakra)}, {chakra['flows']:,} flows"
