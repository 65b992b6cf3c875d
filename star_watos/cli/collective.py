"""`watos collective`, also as `star collective`: its options, and what it does."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from star_watos.cli import common
from star_watos.cli.chakra import Force, check_chakra, counted
from star_watos.errors import InputError, nearest

if TYPE_CHECKING:
    from star_watos.fabric import Area, Mesh
    from star_watos.fabric.collectives import Algorithm, Choice, Kind
    from star_watos.units import Units

_Kind = Annotated[
    str,
    typer.Argument(
        metavar="KIND", help="all-reduce, reduce-scatter, all-gather, all-to-all or multicast."
    ),
]
_Mesh = Annotated[str, typer.Option("--mesh", metavar="RxC", help="Rows and columns of nodes.")]
_Size = Annotated[str, typer.Option(metavar="BYTES", help="Vector of one node, such as 64 MB.")]
_Algorithm = Annotated[str | None, typer.Option(help="One of them; all when left out.")]
_Bandwidth = Annotated[str, typer.Option(metavar="B/S", help="Of a link, one way.")]
_Latency = Annotated[str, typer.Option(metavar="S", help="Of a hop.")]
_Nodes = Annotated[str | None, typer.Option(metavar="N,...", help="Nodes that are missing.")]
_Links = Annotated[str | None, typer.Option(metavar="N-N,...", help="Links that are missing.")]
_Fidelity = Annotated[
    common.Fidelity, typer.Option(help="event: play each out, flow by flow, beside its formula.")
]
_Chakra = Annotated[
    Path | None,
    typer.Option(metavar="DIR", help="Traces of the fastest for ASTRA-sim (extra `chakra`)."),
]
_Plot = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Picture of the fastest: load of links, steps.")
]

MOST_NODES = 1024
MOST_PLAYED = 256
"""16 x 16: a second an algorithm on one core, 32 x 32 up to a minute."""
MOST_PLAYED_DIRECT = 144
"""Of an all-to-all around holes, whose flows all go at once: 9 s; 16 x 16 take two minutes."""


def add_collective(app: typer.Typer) -> None:
    """Give `app` the command."""
    app.command()(collective)


def collective(
    kind: _Kind,
    mesh: _Mesh,
    size: _Size,
    algorithm: _Algorithm = None,
    bandwidth: _Bandwidth = "1 TB/s",
    latency: _Latency = "100 ns",
    missing_nodes: _Nodes = None,
    missing_links: _Links = None,
    fidelity: _Fidelity = common.Fidelity.ANALYTIC,
    chakra: _Chakra = None,
    plot: _Plot = None,
    force: Force = False,
    as_json: common.Json = False,
) -> None:
    """Time a collective on a mesh by every algorithm, fastest first.

    Bandwidth and latency are those of `watos_config3` when left out: a quarter of its die's 4 TB/s.
    """
    from star_watos.fabric import Area
    from star_watos.fabric.collectives import Kind
    from star_watos.report.collective import collective_document, print_collective

    wanted = common.choice("KIND", kind, Kind)
    only = _algorithm(wanted, algorithm)
    quantities = _quantities(size, bandwidth, latency)
    area = Area.all(_mesh(mesh, quantities, missing_nodes, missing_links))
    event = fidelity is common.Fidelity.EVENT
    if event:
        _check_played(wanted, area)
    _check_chakra(chakra, area, force=force)
    common.check_picture(plot)
    with common.interruptible("nothing was written"):
        found = _fastest_of_each(wanted, area, quantities["--size"], only)
        report = collective_document(wanted, area, quantities["--size"], found, event=event)
        if chakra is not None:
            report["chakra"] = _write(chakra, wanted, area, found[0], quantities["--size"], force)
        if plot is not None:
            _draw(plot, wanted, area, found[0])
    if as_json:
        common.print_json(report)
    else:
        print_collective(report)


def _draw(picture: Path, kind: "Kind", area: "Area", choice: "Choice") -> None:
    """Draw a collective."""
    from star_watos.fabric.collectives import collective
    from star_watos.report.collective_picture import plot_collective

    title = f"{kind.value} by {choice.algorithm.value}"
    plot_collective(title, area, collective(kind, choice.algorithm, area, choice.pieces), picture)


def _algorithm(kind: "Kind", name: str | None) -> "Algorithm | None":
    """Return the algorithm that an option names, which must do this kind of collective."""
    from star_watos.fabric.collectives import Algorithm, algorithms

    if name is None:
        return None
    known = [member.value for member in algorithms(kind)]
    if name in known:
        return Algorithm(name)
    text = f"expected one of {', '.join(known)} for {kind.value}, got {name[:40]!r}"
    raise InputError.of("--algorithm", text + nearest(name, known))


def _quantities(size: str, bandwidth: str, latency: str) -> dict[str, float]:
    """Return the values of the options in SI units; every mistake at once."""
    from star_watos.units import BYTES, BYTES_PER_S, SECONDS

    problems, found = [], {}
    for option, text, units, least, most in (
        ("--size", size, BYTES, "1 B", "1 PB"),
        ("--bandwidth", bandwidth, BYTES_PER_S, "1 B/s", "1000 PB/s"),
        ("--latency", latency, SECONDS, "0 s", "1000 s"),
    ):
        try:
            found[option] = _within(text, units, least, most)
        except ValueError as error:
            problems += InputError.of(option, str(error)).problems
    if problems:
        raise InputError(problems)
    return found


def _within(text: str, units: "Units", least: str, most: str) -> float:
    """Return the SI value of a text; `ValueError` where it is none or out of range."""
    from star_watos.units import quantity

    value = quantity(text, units)
    if not quantity(least, units) <= value <= quantity(most, units):
        raise ValueError(f"expected {least} to {most}, got {text[:40]!r}")
    return value


def _mesh(shape: str, quantities: dict[str, float], nodes: str | None, links: str | None) -> "Mesh":
    """Return the mesh; what is missing must be on it, and may not cut it in two."""
    from star_watos.fabric import Mesh

    rows, cols = common.shape("--mesh", shape)
    if rows * cols > MOST_NODES:
        text = f"expected at most {MOST_NODES:,} nodes, got {rows} x {cols}"
        raise InputError.of("--mesh", text)
    whole = Mesh(rows, cols)
    mesh = Mesh(
        rows,
        cols,
        quantities["--bandwidth"],
        quantities["--latency"],
        missing_nodes=frozenset(_missing_nodes(nodes, whole)),
        missing_links=frozenset(_missing_links(links, whole)),
    )
    _check_connected(mesh, "--missing-nodes" if nodes else "--missing-links")
    return mesh


def _missing_nodes(text: str | None, mesh: "Mesh") -> Iterator[int]:
    """Yield the nodes of `3,7`."""
    for word in _words(text):
        if not re.fullmatch(r"\d{1,4}", word, re.ASCII) or int(word) >= mesh.n_nodes:
            text = f"expected nodes 0 to {mesh.n_nodes - 1}, such as 3,7, got {word[:40]!r}"
            raise InputError.of("--missing-nodes", text)
        yield int(word)


def _missing_links(text: str | None, mesh: "Mesh") -> Iterator[tuple[int, int]]:
    """Yield the pairs of neighbours of `0-1,5-6`."""
    for word in _words(text):
        match = re.fullmatch(r"(\d{1,4})\s*-\s*(\d{1,4})", word, re.ASCII)
        a, b = sorted(map(int, match.groups())) if match else (0, mesh.n_nodes)
        if b >= mesh.n_nodes or b not in mesh.neighbours[a]:
            text = f"expected pairs of neighbours of 0 to {mesh.n_nodes - 1}, such as 0-1,5-6"
            raise InputError.of("--missing-links", f"{text}, got {word[:40]!r}")
        yield a, b


def _words(text: str | None) -> list[str]:
    """Return the parts of a list with commas."""
    return [] if text is None else [word.strip() for word in text.split(",")]


def _check_connected(mesh: "Mesh", option: str) -> None:
    """Say which node another does not reach."""
    if not len(mesh.nodes):
        raise InputError.of(option, "leaves no node")
    if not mesh.connected:
        first = int(mesh.nodes[0])
        lost = min(set(mesh.nodes.tolist()) - mesh.reached(first))
        raise InputError.of(option, f"cuts the mesh in two: node {first} does not reach {lost}")


def _check_played(kind: "Kind", area: "Area") -> None:
    """Refuse an event simulation that would take minutes."""
    from star_watos.fabric.collectives import Kind

    direct = kind is Kind.ALL_TO_ALL and not area.whole
    most = MOST_PLAYED_DIRECT if direct else MOST_PLAYED
    if len(area.nodes) > most:
        around = ", of an all-to-all around holes" if direct else ""
        text = f"event would take minutes: expected at most {most} nodes{around}"
        raise InputError.of("--fidelity", f"{text}, got {len(area.nodes):,}")


def _check_chakra(folder: Path | None, area: "Area", *, force: bool) -> None:
    """Say before the work, not after it, that no traces can be written."""
    if folder is not None and len(area.nodes) == 1:
        raise InputError.of("--chakra", "a single node sends nothing")
    check_chakra(folder, force=force)


def _fastest_of_each(
    kind: "Kind", area: "Area", n_bytes: float, only: "Algorithm | None"
) -> "list[Choice]":
    """Return the best pieces of each algorithm, fastest first."""
    from star_watos.fabric.collectives import choices

    found: dict[Algorithm, Choice] = {}
    for each in choices(kind, area, n_bytes):
        if only in (None, each.algorithm):
            found.setdefault(each.algorithm, each)
    return list(found.values())


def _write(
    folder: Path, kind: "Kind", area: "Area", choice: "Choice", n_bytes: float, force: bool
) -> dict[str, Any]:
    """Write the traces of one algorithm; return where they are."""
    from star_watos.fabric.chakra import Flows, traces, write_traces
    from star_watos.fabric.collectives import collective as transfers

    steps = transfers(kind, choice.algorithm, area, choice.pieces)
    try:
        flows = Flows.of(steps, area.nodes, n_bytes)
    except ValueError as error:
        raise InputError.of("--size", f"{error} in its trace") from None
    name = f"{kind.value}_{choice.algorithm.value}"
    written = counted(traces(flows, len(area.nodes)), len(area.nodes))
    files = write_traces(folder, name, written, force=force)
    return {"folder": str(folder), "name": name, "files": files, "flows": len(flows.step)}
