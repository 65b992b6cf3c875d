"""`star compare`: its options, and what it does."""

from typing import TYPE_CHECKING, Annotated

import typer

from star_watos.cli import common, simulation

if TYPE_CHECKING:
    from star_watos.compare import Beside

_Core = Annotated[str, typer.Argument(help="Shipped name or path of a core.")]
_SeqLen = Annotated[str, typer.Option(metavar="TOKENS", help="Keys and queries; 4k is 4,096.")]
_Model = Annotated[str, typer.Option(help="Shipped name or a config.json.")]
_Sparsity = Annotated[str, typer.Option(help="Shipped or own sparsity profile.")]
_Normalize = Annotated[
    str, typer.Option(help="Held equal with the A100: chip, area, power or multipliers.")
]

_Mesh = Annotated[
    bool, typer.Option("--mesh", help="Also meshes of several sizes and lengths, step by step.")
]
_Noc = Annotated[
    str | None, typer.Option(help="What joins the cores: shipped name or path; noc_64b.")
]


def add_compare(app: typer.Typer) -> None:
    """Give `app` the command."""
    app.command()(compare)


def compare(
    core: _Core = "star_28nm",
    seq_len: _SeqLen = "4k",
    model: _Model = "llama2_7b",
    sparsity: _Sparsity = "sofa_2pct",
    normalize: _Normalize = "chip",
    mesh: _Mesh = False,
    noc: _Noc = None,
    overrides: common.Overrides = None,
    as_json: common.Json = False,
) -> None:
    """A core beside published accelerators and an A100; the papers' ratios beside ours."""
    from star_watos.compare import Equal, beside, document, ladder, meshes, on_core
    from star_watos.cost import Overflow
    from star_watos.report.compare import print_compare
    from star_watos.spec import load, validate
    from star_watos.star import AttentionTask, Core, beyond, notes, workload_document

    equal = common.choice("--normalize", normalize, Equal)
    of_core, of_noc = simulation.overrides(overrides or [])
    design = load(Core, core, "configs/cores", of_core)
    fields = {"model": model, "seq_len": seq_len, "sparsity": sparsity}
    task = validate(AttentionTask, common.options_document("star compare", fields))
    shape = task.load()
    work = task.work(shape)
    found = beside(design, work, equal)
    if isinstance(found, Overflow):
        common.does_not_fit(found)
    ahead = beyond(design, task, shape)
    said = [*notes(task, shape, ahead), *_kernel_notes(found)]
    for text in said:
        common.note(text)
    workload = workload_document(task, shape, ahead)
    spatial = meshes(design, simulation.load_noc(noc, of_noc), task, every=mesh)
    report = document(design, workload, found, ladder(on_core(design, work)), spatial, said)
    if as_json:
        common.print_json(report)
    else:
        print_compare(report)


def _kernel_notes(found: "Beside") -> list[str]:
    """Return what must be known of the GPU's rates, each once."""
    return list(dict.fromkeys(text for run in found.runs.values() for text in run.notes))
