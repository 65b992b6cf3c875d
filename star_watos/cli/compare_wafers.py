"""`watos compare`: its options, and what it does."""

from typing import TYPE_CHECKING, Annotated

import typer

from star_watos.cli import choices, common
from star_watos.errors import InputError

if TYPE_CHECKING:
    from star_watos.compare.training import Known, Row
    from star_watos.watos import Wafer

_Wafer = Annotated[str, typer.Argument(help="Shipped name or path of a wafer.")]
_Models = Annotated[
    list[str] | None,
    typer.Option("--model", help="One of the paper's models, or any other; repeatable."),
]
_Wafers = Annotated[
    int | None, typer.Option(min=1, max=256, help="Wafers of every model; 4 for DeepSeek-V3, 1.")
]


def add_compare(app: typer.Typer) -> None:
    """Give `app` the command."""
    app.command()(compare)


def compare(
    wafer: _Wafer = "watos_config3",
    models: _Models = None,
    wafers: _Wafers = None,
    seq_len: choices.SeqLen = "4k",
    global_batch: choices.GlobalBatch = 512,
    attention: choices.Attention = choices.AttentionChoice.FLASH,
    precision: choices.Precision = choices.PrecisionChoice.FP16,
    overrides: common.Overrides = None,
    as_json: common.Json = False,
) -> None:
    """Beside Megatron-LM on the wafer and on GPUs, and weight streaming; the paper's ratios too."""
    from star_watos.compare.training import document
    from star_watos.report.compare_training import print_compare
    from star_watos.spec import load
    from star_watos.watos import Wafer, wafer_overflow

    design = load(Wafer, wafer, "configs/wafers", overrides or [])
    overflow = wafer_overflow(design)
    if overflow:
        common.does_not_fit(overflow)
    fields = {"seq_len": seq_len, "global_batch": global_batch}
    fields |= {"attention": attention.value, "precision": precision.value}
    with common.interruptible("comparing"):
        rows = [_row(design, known, wafers, fields) for known in _known(models)]
        report = document(design, rows[0].case.training, rows)
    if as_json:
        common.print_json(report)
    else:
        print_compare(report)


def _known(models: list[str] | None) -> "list[Known]":
    """Return the models that are asked for, all of the paper's if none is."""
    from star_watos.compare.training import Known, known_models

    papers = {known.model: known for known in known_models()}
    if models is None:
        return list(papers.values())
    return [papers.get(name, Known(name, 1, None, "not in the paper")) for name in models]


def _row(wafer: "Wafer", known: "Known", wafers: int | None, fields: dict[str, object]) -> "Row":
    """Return a model's comparison; where wafers need links between them and have none, an error."""
    from star_watos.compare.training import Case, Row
    from star_watos.spec import validate
    from star_watos.watos import Training

    document = common.options_document("watos compare", {"model": known.model, **fields})
    training, n = validate(Training, document), wafers or known.wafers
    if wafer.off_wafer is None:
        text = f"{wafer.name} says nothing of off_wafer.bandwidth, which weight streaming needs"
        raise InputError.of("WAFER", text)
    return Row(known, Case(wafer, n, training.load(), training))
