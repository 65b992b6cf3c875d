"""`watos validate`: published figures and measured training runs beside ours."""

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from star_watos.cli import choices, common
from star_watos.errors import InputError

if TYPE_CHECKING:
    from star_watos.validate.runs.predict import Prediction

Table = Annotated[
    str | None, typer.Option(metavar="NAME|FILE", help="One table of measured runs; all if absent.")
]
Out = Annotated[
    Path | None, typer.Option(help="CSV of all runs with predictions and errors.", metavar="FILE")
]
Report = Annotated[
    Path | None,
    typer.Option(help="Page in Markdown, with pictures (extra `plot`).", metavar="FILE.md"),
]


def validate(
    table: Table = None,
    out: Out = None,
    report: Report = None,
    fidelity: choices.FidelityName = common.Fidelity.ANALYTIC,
    plans: Annotated[
        int, typer.Option(min=4, help="How many, with --fidelity event; 3 wafers for 10.")
    ] = 1000,
    seed: Annotated[int, typer.Option(min=0, help="Which random ones.")] = 0,
    as_json: common.Json = False,
) -> None:
    """Published figures and measured training runs beside ours, or formulas beside events.

    Ends with 3 where a shipped table's figures are worse than recorded.
    """
    if fidelity is common.Fidelity.EVENT:
        for option, value in {"--table": table, "--out": out, "--report": report}.items():
            if value is not None:
                raise InputError.of(option, "is of measured runs, not for --fidelity event")
        _against_events(plans, seed, as_json=as_json)
    else:
        with common.interruptible("the comparison"):
            _against_measurements(table, out, report, as_json=as_json)


def _against_events(plans: int, seed: int, *, as_json: bool) -> None:
    """Print how far the formulas are from the event simulations on random plans and wafers."""
    from star_watos.report.validation import print_agreement
    from star_watos.validate.schedules import document

    with common.interruptible("the comparison of formulas and events"):
        report = document(plans, seed)
    if as_json:
        common.print_json(report)
    else:
        print_agreement(report)
        print_agreement(report["traffic"])


def _against_measurements(
    table: str | None, out: Path | None, report: Path | None, *, as_json: bool
) -> None:
    from star_watos.validate.runs.bounds import beyond_bounds
    from star_watos.validate.runs.predict import predict
    from star_watos.validate.runs.summary import summaries
    from star_watos.validate.runs.table import read_table, shipped_tables

    if report and find_spec("matplotlib") is None:
        raise InputError.of("--report", "needs matplotlib: pip install 'star-watos[plot]'")
    tables = [table] if table else shipped_tables()
    found = [p for name in tables for p in predict(name, read_table(name))]
    if out:
        _write_rows(found, out)
    if report:
        from star_watos.report.accuracy_page import write_accuracy_page

        report.parent.mkdir(parents=True, exist_ok=True)
        write_accuracy_page(found, report)
    _print(found, with_figures=table is None, as_json=as_json)
    worse = beyond_bounds(summaries(found))
    for text in worse:
        typer.echo(text, err=True)
    if worse:
        raise typer.Exit(common.NOT_MET)


def _print(found: "list[Prediction]", *, with_figures: bool, as_json: bool) -> None:
    """Print the runs, and before them the figures of wafers and models unless a table is asked."""
    from star_watos.report.runs import print_runs
    from star_watos.validate import published
    from star_watos.validate.runs.document import document_parts
    from star_watos.validate.wafers import wafer_comparisons

    figures = wafer_comparisons() if with_figures else []
    if as_json:
        tables, rows = document_parts(found)
        document = published.document("watos-validate/1", figures)
        document["tables"] += tables
        document["rows"] += rows
        common.print_json(document)
        return
    if figures:
        common.show_comparisons("watos-validate/1", figures, as_json=False)
    print_runs(found)


def _write_rows(found: "list[Prediction]", path: Path) -> None:
    from star_watos.files import lines, write_whole
    from star_watos.validate.runs.document import run_rows

    rows = run_rows(found)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, lines([list(rows[0]), *(list(row.values()) for row in rows)]))
