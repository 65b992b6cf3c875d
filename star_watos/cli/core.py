"""The command `star simulate`."""

from dataclasses import fields as options
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from star_watos.cli import common, fronts, simulation
from star_watos.errors import InputError

if TYPE_CHECKING:
    from star_watos.star import AttentionTask, Core, Dataflow

CoreName = Annotated[str, typer.Argument(help="Shipped name or path of a core.")]
SeqLen = Annotated[str, typer.Option(metavar="TOKENS", help="Keys; 128k is 131,072, 1M 1,048,576.")]
Queries = Annotated[
    str | None, typer.Option(metavar="TOKENS", help="Queries: of a chunk, or at the end.")
]
PhaseName = Annotated[
    str | None, typer.Option(help="prefill, chunked or decode; decode if queries are given.")
]
ModelName = Annotated[str, typer.Option(help="Shipped name or a config.json.")]
Profile = Annotated[str, typer.Option(help="Shipped or own sparsity profile.")]
KeepRatio = Annotated[
    float | None, typer.Option(help="Share of the keys that a query keeps, in (0, 1].")
]
KvRatio = Annotated[
    float | None, typer.Option(help="Share of the tokens whose K, V are generated, in (0, 1].")
]
Causal = Annotated[bool, typer.Option(help="Whether queries see only earlier keys.")]
KeyTile = Annotated[
    int | None, typer.Option(min=1, max=2**20, help="Keys a tile; the best when left out.")
]
PredictorName = Annotated[str | None, typer.Option(help="dlzs (default), slzs, int4 or none.")]
SorterName = Annotated[str | None, typer.Option(help="sads (default), full or none.")]
AttentionName = Annotated[str | None, typer.Option(help="sufa (default), fa2 or softmax.")]
ScheduleName = Annotated[str | None, typer.Option(help="rass (default) or in-order.")]
TilingName = Annotated[str | None, typer.Option(help="cross-stage (default) or stage-isolated.")]
FidelityName = Annotated[
    str, typer.Option(help="analytic, or event: tile by tile, a mesh block by block.")
]
TraceFile = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Timeline of the event simulation, Perfetto.")
]


MeshShape = Annotated[
    str | None, typer.Option(metavar="RxC", help="Spread the sequence over so many cores.")
]
NocName = Annotated[
    str | None, typer.Option(help="What joins the cores: shipped name or path; noc_64b.")
]
CirculationName = Annotated[
    str | None, typer.Option(help="What travels on the mesh: kv-ring, q-ring or 2d; or the best.")
]
RingName = Annotated[
    str | None, typer.Option(help="naive, interleaved, hamiltonian or relay; or the best.")
]
PartitionName = Annotated[
    str | None, typer.Option(help="Tokens of a core: plain, zigzag or striped; or the best.")
]
Overlap = Annotated[bool, typer.Option(help="Whether transfers go on while cores work.")]

PlotFile = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Picture of the mesh: load of its links, and timeline."),
]


def add_simulate(app: typer.Typer) -> None:
    """Give `app` the command."""
    app.command()(simulate)


def simulate(
    context: typer.Context,
    core: CoreName = "star_28nm",
    source: fronts.From = None,
    row: fronts.Row = None,
    seq_len: SeqLen = "128k",
    queries: Queries = None,
    phase: PhaseName = None,
    model: ModelName = "llama2_7b",
    sparsity: Profile = "sofa_2pct",
    keep_ratio: KeepRatio = None,
    kv_ratio: KvRatio = None,
    causal: Causal = True,
    tile: KeyTile = None,
    predictor: PredictorName = None,
    sorter: SorterName = None,
    attention: AttentionName = None,
    schedule: ScheduleName = None,
    tiling: TilingName = None,
    mesh: MeshShape = None,
    noc: NocName = None,
    dataflow: CirculationName = None,
    ring: RingName = None,
    partition: PartitionName = None,
    overlap: Overlap = True,
    fidelity: FidelityName = "analytic",
    trace: TraceFile = None,
    plot: PlotFile = None,
    overrides: common.Overrides = None,
    as_json: common.Json = False,
) -> None:
    """One core or a mesh of them, one workload: latency, energy, area, and what bounds it."""
    how = common.choice("--fidelity", fidelity, common.Fidelity)
    if trace is not None and how is not common.Fidelity.EVENT:
        raise InputError.of("--trace", "is of the event simulation: --fidelity event")
    show = simulation.Show(how, trace, plot)
    design = fronts.chosen(context, "star simulate", source, row, {"fidelity", "trace", "plot"})
    if design is not None:
        _print(simulation.of_chosen(design, overrides or [], show), as_json=as_json)
        return
    of_core, of_noc = simulation.overrides(overrides or [])
    fields = {"model": model, "seq_len": seq_len, "queries": queries, "causal": causal}
    task = _task(fields | {"phase": phase}, sparsity, _ratios(keep_ratio, kv_ratio))
    chosen = {"predictor": predictor, "sorter": sorter, "attention": attention}
    flow = _dataflow(chosen | {"schedule": schedule, "tiling": tiling})
    others = {"--no-overlap": not overlap, "--noc": noc is not None, "--set noc": bool(of_noc)}
    spread = {"dataflow": dataflow, "ring": ring, "partition": partition}
    asked = simulation.asked(mesh, spread, others | show.of_mesh, overlap=overlap)
    common.check_picture(plot)
    run = simulation.Simulation(_core(core, of_core), task, flow, tile, show, keep_ratio is None)
    joined = None if asked is None else simulation.load_noc(noc, of_noc)
    _print(run.report(asked, joined), as_json=as_json)


def _core(name: str, changes: list[str]) -> "Core":
    from star_watos.spec import load
    from star_watos.star import Core

    return load(Core, name, "configs/cores", changes)


def _print(report: dict[str, Any], *, as_json: bool) -> None:
    from star_watos.report.core import print_core

    if as_json:
        common.print_json(report)
    else:
        print_core(report)


def _dataflow(given: dict[str, str | None]) -> "Dataflow":
    """Return STAR's dataflow with what the options change; what they imply is said."""
    from star_watos.star import Dataflow

    kinds: dict[str, Any] = {option.name: option.type for option in options(Dataflow)}
    chosen = {
        name: common.choice(f"--{name}", value, kinds[name])
        for name, value in given.items()
        if value is not None
    }
    flow, implied = Dataflow.implied_by(chosen)
    common.note(implied)
    return flow


def _ratios(keep_ratio: float | None, kv_ratio: float | None) -> dict[str, float]:
    """Return what the options change of the profile; K and V follow a keep ratio given alone."""
    if kv_ratio is None and keep_ratio is not None and 0 < keep_ratio <= 1:
        kv_ratio = keep_ratio  # one that is out of range is said once, not twice
    ratios = {"keep_ratio": keep_ratio, "kv_ratio": kv_ratio}
    return {key: ratio for key, ratio in ratios.items() if ratio is not None}


def _task(fields: dict[str, Any], sparsity: str, ratios: dict[str, float]) -> "AttentionTask":
    """Return the workload that the options describe; mistakes name the option."""
    from star_watos.spec import locate, read, validate
    from star_watos.star import AttentionTask

    document = common.options_document("star simulate", fields)
    document.graft(("sparsity",), read(locate(sparsity, "configs/sparsity")))
    profile = document.data["sparsity"]
    if isinstance(profile, dict):
        _replace(profile, ratios)
        for key in ratios:
            document.marks["sparsity", key] = document.marks["sparsity",] = common.option_mark(key)
    return validate(AttentionTask, document)


def _replace(profile: dict[str, Any], ratios: dict[str, float]) -> None:
    """Put ratios that hold for all layers, at this length, in the place of what was measured."""
    if ratios and profile.pop("layers", None):
        option = common.option_mark(next(iter(ratios)))
        common.note(f"{option} is of all layers: those of the sparsity profile are left out")
    if ratios:
        profile.pop("extrapolation", None)
    if "keep_ratio" in ratios:
        profile.pop("load_ratio", None)
    profile.update(ratios)
