"""`watos faults`, and `--faults` of `watos simulate`: options, and what they do."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from star_watos.cli import choices, common
from star_watos.cli.exploring import Jobs, n_jobs
from star_watos.errors import InputError, Mark, Problem

if TYPE_CHECKING:
    from star_watos.watos import Simulation, Training
    from star_watos.watos.faults import Draw, Kind, Study
    from star_watos.watos.hardware import Hardware

MOST_RATES = 100

_Wafer = Annotated[str, typer.Argument(help="Shipped name or path of a wafer.")]
_Rates = Annotated[
    str, typer.Option(metavar="RATE,...", help="Shares that are broken, each below 1.")
]
_Of = Annotated[str, typer.Option(metavar="KIND", help="What is broken: dies, links or cores.")]
_Seeds = Annotated[int, typer.Option(min=1, max=100_000, help="Draws of each rate.")]
_Plot = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Picture of the curves (needs the extra `plot`)."),
]
_Out = Annotated[Path | None, typer.Option(metavar="FILE", help="CSV of all draws.")]


def add_faults(app: typer.Typer) -> None:
    """Give `app` the command."""
    app.command()(faults)


def faults(
    wafer: _Wafer = "watos_config3",
    model: choices.ModelName = "llama3_70b",
    seq_len: choices.SeqLen = "4k",
    global_batch: choices.GlobalBatch = 512,
    rates: _Rates = "0,0.05,0.1,0.2,0.3",
    of: _Of = "dies",
    seeds: _Seeds = 20,
    plot: _Plot = None,
    out: _Out = None,
    jobs: Jobs = 0,
    overrides: common.Overrides = None,
    as_json: common.Json = False,
) -> None:
    """Throughput against the share of broken parts, with robust scheduling and without it."""
    from star_watos.report.faults import print_curve
    from star_watos.spec import validate
    from star_watos.watos import Training, load_hardware
    from star_watos.watos.faults import Kind, curve_document

    kind = common.choice("--of", of, Kind)
    shares = _shares(rates)
    common.check_picture(plot)
    design = load_hardware(wafer, overrides or [])
    workload = {"model": model, "seq_len": seq_len, "global_batch": global_batch}
    training = validate(Training, common.options_document("watos faults", workload))
    with common.interruptible("nothing was written"):
        study = _study(design, training, {}, "WAFER")
        found = _drawn(study, kind, shares, seeds, n_jobs(jobs))
        report = curve_document(study, kind, found)
        if out is not None:
            _write(out, found)
        if plot is not None:
            from star_watos.report.faults_picture import plot_curve

            plot_curve(report, plot)
    if as_json:
        common.print_json(report)
    else:
        print_curve(report)


def _shares(text: str) -> list[float]:
    """Return the rates of `0,0.05`, each once, rising; every mistake at once."""
    from star_watos.watos.faults import rate

    found, problems = set[float](), []
    for word in text.split(","):
        try:
            found.add(rate(word.strip()))
        except ValueError as error:
            problems.append(Problem(Mark("--rates"), "", str(error)))
    if len(found) > MOST_RATES:
        text = f"expected at most {MOST_RATES} rates, got {len(found):,}"
        problems.append(Problem(Mark("--rates"), "", text))
    if problems:
        raise InputError(problems)
    return sorted(found)


def _study(
    design: "Hardware", training: "Training", wanted: dict[str, int], option: str
) -> "Study":
    """Return what is known of a whole wafer; stop where no plan fits it."""
    from star_watos.cost import Overflow
    from star_watos.watos import Wafer
    from star_watos.watos.faults import Study, check_size

    if not isinstance(design, Wafer):
        text = f"expected a wafer, whose dies stand in a mesh; {design.name} is a cluster"
        raise InputError.of(option, text)
    check_size(design.grid, option)
    study = Study.of(design, training.load(), training, wanted)
    if isinstance(study, Overflow):
        common.does_not_fit(study)
    return study


def _drawn(study: "Study", kind: "Kind", rates: list[float], seeds: int, jobs: int) -> "list[Draw]":
    """Return every draw."""
    from star_watos.watos.faults import cases_of, draws

    found, total = [], len(cases_of(rates, seeds))
    for each in draws(study, kind, rates, seeds, jobs):
        found.append(each)
        common.progress("draws", len(found), total)
    return found


def _write(path: Path, found: "list[Draw]") -> None:
    from star_watos.files import lines, write_whole

    rows = [each.row() for each in found]
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, lines([list(rows[0]), *(list(row.values()) for row in rows)]))


def check_faults(text: str | None, others: dict[str, object]) -> None:
    """Say which other options are of whole wafers only."""
    given = [option for option, value in others.items() if value]
    if text is not None and given:
        raise InputError.of("--faults", f"cannot be combined with {', '.join(given)}")


def simulated(
    design: "Hardware",
    training: "Training",
    wanted: dict[str, int],
    devices: int | None,
    faults: str | None,
) -> "tuple[Simulation, dict[str, Any] | None]":
    """Return the fastest plan, and what is broken; stop where none fits."""
    from star_watos.cost import Overflow
    from star_watos.watos import simulate

    if faults is not None:
        return _on_what_is_left(design, training, wanted, faults)
    result = simulate(design, training.load(), training, wanted, devices)
    if isinstance(result, Overflow):
        common.does_not_fit(result)
    return result, None


def _on_what_is_left(
    design: "Hardware", training: "Training", wanted: dict[str, int], text: str
) -> "tuple[Simulation, dict[str, Any]]":
    """Return the robust schedule of a wafer with faults, and what they are."""
    from star_watos.cost import Overflow
    from star_watos.watos.faults import document, parse

    study = _study(design, training, wanted, "--faults")
    outcome = study.outcome(parse(text, study.wafer.grid).on(study.wafer))
    if not outcome.damage.n_dies:
        raise InputError.of("--faults", "leaves no die")
    result = study.simulation(outcome)
    if isinstance(result, Overflow):
        common.does_not_fit(result)
    return result, document(study, outcome)
