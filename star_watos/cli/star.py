"""The command `star`."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from star_watos.cli import common, exploring
from star_watos.cli.accuracy import add_accuracy
from star_watos.cli.compare import add_compare

if TYPE_CHECKING:
    from star_watos.explore import Exploration
    from star_watos.star import AttentionTask

app = common.new_app("star", "Sparse-attention cores: how fast, how much energy, how much silicon.")


def main() -> None:
    """Run the command."""
    common.guard(app)


@app.command()
def simulate(
    core: Annotated[str, typer.Argument(help="Shipped name or path of a core.")] = "star_28nm",
    seq_len: Annotated[
        str, typer.Option(metavar="TOKENS", help="Keys; 128k is 131,072, 1M 1,048,576.")
    ] = "128k",
    queries: Annotated[
        str | None, typer.Option(metavar="TOKENS", help="Queries at the end; all when left out.")
    ] = None,
    model: Annotated[str, typer.Option(help="Shipped name or a config.json.")] = "llama2_7b",
    sparsity: Annotated[str, typer.Option(help="Shipped or own sparsity profile.")] = "sofa_2pct",
    keep_ratio: Annotated[
        float | None, typer.Option(help="Share of the keys that a query keeps, in (0, 1].")
    ] = None,
    kv_ratio: Annotated[
        float | None, typer.Option(help="Share of the tokens whose K, V are generated, in (0, 1].")
    ] = None,
    causal: Annotated[bool, typer.Option(help="Whether queries see only earlier keys.")] = True,
    tile: Annotated[
        int | None, typer.Option(min=1, max=2**20, help="Keys a tile; the best when left out.")
    ] = None,
    overrides: common.Overrides = None,
    as_json: common.Json = False,
) -> None:
    """One core, one workload: latency, throughput, energy, area, and what bounds it."""
    from star_watos.cost import Overflow
    from star_watos.report.core import print_core
    from star_watos.spec import load
    from star_watos.star import Core, beyond, document, notes, workload_document
    from star_watos.star import simulate as run

    design = load(Core, core, "configs/cores", overrides or [])
    fields = {"model": model, "seq_len": seq_len, "queries": queries, "causal": causal}
    task = _task(fields, sparsity, _ratios(keep_ratio, kv_ratio))
    shape = task.load()
    work = task.work(shape)
    result = run(design, work, tile)
    if isinstance(result, Overflow):
        common.does_not_fit(result)
    ahead = None if keep_ratio else beyond(design, task, shape, tile)
    for text in notes(task, shape, ahead):
        common.note(text)
    report = document(design, workload_document(task, shape, ahead), work, result)
    if as_json:
        common.print_json(report)
    else:
        print_core(report)


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


def _exploration() -> "tuple[type[Exploration], Any]":
    from star_watos.explore.star import CoreExploration, CoreProblem

    return CoreExploration, CoreProblem


exploring.add_explore(app, _exploration)
add_accuracy(app)
add_compare(app)


@app.command()
def validate(as_json: common.Json = False) -> None:
    """Published figures of SOFA beside ours, with the error of each."""
    from star_watos.validate.cores import core_comparisons

    common.show_comparisons("star-validate/1", core_comparisons(), as_json=as_json)


@app.command()
def schema(
    kind: Annotated[str, typer.Argument(help="core, sweep, sparsity or technology.")] = "core",
) -> None:
    """Print the JSON Schema of a kind of YAML file, for editors."""
    from star_watos.explore.star import CoreExploration
    from star_watos.spec import Spec
    from star_watos.star import Core, Sparsity
    from star_watos.technology.core import CoreTechnology

    kinds: dict[str, type[Spec]] = {
        "core": Core,
        "sweep": CoreExploration,
        "sparsity": Sparsity,
        "technology": CoreTechnology,
    }
    common.print_schema(kinds, kind)


if __name__ == "__main__":
    main()
