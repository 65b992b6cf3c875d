"""The command `watos`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from star_watos.cli import choices, common, exploring, fronts, measured
from star_watos.cli.chakra import Force, check_chakra, counted
from star_watos.cli.collective import add_collective
from star_watos.cli.compare_wafers import add_compare
from star_watos.cli.exporting import add_export
from star_watos.cli.faults import add_faults, check_faults, simulated
from star_watos.cli.reporting import add_report
from star_watos.cli.runs import add_runs
from star_watos.cli.serve import add_serve
from star_watos.errors import InputError

if TYPE_CHECKING:
    from star_watos.explore.chosen import Chosen
    from star_watos.watos import Simulation, Training
    from star_watos.watos.hardware import Hardware

BESIDE_FROM = {"fidelity", "trace", "balance", "without", "chakra", "faults", "force"}
"""Parameters of `simulate` that go with a design of a front."""

app = common.new_app("watos", "Wafers and the strategies that train language models on them.")


def main() -> None:
    """Run the command."""
    common.guard(app)


@app.command()
def simulate(
    context: typer.Context,
    wafer: choices.Hardware = "watos_config3",
    source: fronts.From = None,
    row: fronts.Row = None,
    model: choices.ModelName = "llama3_70b",
    seq_len: choices.SeqLen = "4k",
    global_batch: choices.GlobalBatch = 512,
    microbatch: choices.Degree = None,
    tp: choices.Degree = None,
    tp_shape: choices.Shape = None,
    pp: choices.Degree = None,
    dp: choices.Degree = None,
    cp: choices.OneUnlessGiven = None,
    ep: choices.OneUnlessGiven = None,
    schedule: choices.Schedule = None,
    virtual_stages: choices.Degree = None,
    sp: choices.SequenceParallel = None,
    zero: choices.Zero = None,
    recompute: choices.Recompute = choices.RecomputeChoice.AUTO,
    attention: choices.Attention = choices.AttentionChoice.FLASH,
    precision: choices.Precision = choices.PrecisionChoice.BF16,
    overlap: choices.Overlap = True,
    devices: choices.Devices = None,
    fidelity: choices.FidelityName = common.Fidelity.ANALYTIC,
    trace: choices.TraceFile = None,
    balance: choices.Balance = False,
    without: choices.Without = None,
    chakra: choices.Chakra = None,
    faults: choices.FaultsText = None,
    force: Force = False,
    overrides: common.Overrides = None,
    as_json: common.Json = False,
) -> None:
    """One wafer or cluster, one training plan: iteration time by cause, memory, energy, area.

    Degrees that are not given are chosen by evaluating every legal plan.
    """
    event = fidelity is common.Fidelity.EVENT
    _check(trace, event, without, balance)
    check_faults(faults, {"--balance": balance, "--chakra": chakra, "--devices": devices})
    check_chakra(chakra, force=force)
    chosen = fronts.chosen(context, "watos simulate", source, row, BESIDE_FROM)
    if chosen is not None:
        design, training, wanted, devices = _of_chosen(chosen, overrides or [])
        check_faults(faults, {"several wafers": devices})
    else:
        workload = {"model": model, "seq_len": seq_len, "global_batch": global_batch}
        workload |= {"attention": attention.value, "precision": precision.value, "overlap": overlap}
        design, training = _asked(wafer, overrides or [], workload)
        degrees = {"tp": tp, **_shape(tp_shape), "pp": pp, "dp": dp, "cp": cp, "ep": ep}
        degrees |= {"zero": zero, "microbatch": microbatch, "sp": sp, "recompute": recompute.number}
        degrees |= {"virtual_stages": virtual_stages, "schedule": _number(schedule)}
        wanted = {name: int(value) for name, value in degrees.items() if value is not None}
    parts = (without or []) if balance else None
    result, beside = _found(design, training, wanted, devices, faults, parts)
    _check_uniform(beside["balance"], {"--fidelity event": event, "--chakra": chakra})
    beside["chakra"] = None if chakra is None else _handed_off(result, chakra, force=force)
    _show(_played(result, trace) if event else result, beside, as_json=as_json)


def _check(trace: Path | None, event: bool, without: list[str] | None, balance: bool) -> None:
    """Refuse an option without the one that it is of."""
    if trace is not None and not event:
        raise InputError.of("--trace", "is of the event simulation: --fidelity event")
    if without and not balance:
        raise InputError.of("--without", "leaves out a part of --balance")


def _asked(wafer: str, changes: list[str], workload: dict[str, Any]) -> "tuple[Hardware, Training]":
    """Return hardware and workload that the options describe."""
    from star_watos.spec import validate
    from star_watos.watos import Training, load_hardware

    design = load_hardware(wafer, changes)
    return design, validate(Training, common.options_document("watos simulate", workload))


def _of_chosen(
    chosen: "Chosen", changes: list[str]
) -> "tuple[Hardware, Training, dict[str, int], int | None]":
    """Return hardware with changes, workload, plan and devices of a design of a front."""
    from star_watos.explore.watos import degrees_of

    wafer, training = chosen.parts(changes)
    wafers = getattr(chosen.asked.sweep, "wafers", 1)
    return wafer, training, degrees_of(chosen), wafers * wafer.n_dies if wafers > 1 else None


def _found(
    design: "Hardware",
    training: "Training",
    wanted: dict[str, int],
    devices: int | None,
    faults: str | None,
    without: list[str] | None,
) -> "tuple[Simulation, dict[str, Any]]":
    """Return the best plan, and what is broken, or balanced but for some parts, beside it."""
    if without is None:
        result, broken = simulated(design, training, wanted, devices, faults)
        return result, {"faults": broken, "balance": None}
    result, balanced = _balanced(design, training, wanted, devices, without)
    return result, {"faults": None, "balance": balanced}


def _balanced(
    design: "Hardware",
    training: "Training",
    wanted: dict[str, int],
    devices: int | None,
    without: list[str],
) -> "tuple[Simulation, dict[str, Any]]":
    """Return a wafer's best plan, and what balancing stages gives; stop where neither fits."""
    from star_watos.cost import Overflow
    from star_watos.watos import Wafer
    from star_watos.watos.balance import Part, document, simulate_balanced

    if not isinstance(design, Wafer):
        raise InputError.of("--balance", "is of a wafer, whose stages keep things for others")
    parts = frozenset(common.choice("--without", name, Part) for name in without)
    model = training.load()
    with common.interruptible("balancing the stages"):
        found = simulate_balanced(design, model, training, wanted, devices, parts)
        if isinstance(found, Overflow):
            common.does_not_fit(found)
        result, comparison = found
        return result, document(comparison, result)


def _check_uniform(balance: dict[str, Any] | None, others: dict[str, object]) -> None:
    """Refuse what is of one policy for all stages where none fits; else say that none does."""
    if balance is None or balance["uniform_iteration_s"] is not None:
        return
    for option in (name for name, given in others.items() if given):
        raise InputError.of(option, "is of one policy for all stages, and the memory of none fits")
    common.note("no plan fits with one policy for all stages; the balanced one does")


def _show(result: "Simulation", beside: dict[str, Any], *, as_json: bool) -> None:
    from star_watos.report.wafer import print_wafer
    from star_watos.watos import document

    report = document(result) | beside
    if report["outside_table"]:
        names = ", ".join(report["outside_table"])
        common.note(f"products outside of the measured table, taken at its edge: {names}")
    if as_json:
        common.print_json(report)
    else:
        print_wafer(report)


def _played(result: "Simulation", trace: Path | None) -> "Simulation":
    """Return the simulation as events time it, and write its timeline."""
    from star_watos.report.trace import write_trace
    from star_watos.watos.event import played, trace_events

    timed, events = played(result)
    if trace is not None:
        write_trace(trace, trace_events(events))
    return timed


def _handed_off(result: "Simulation", folder: Path, *, force: bool) -> dict[str, Any]:
    """Write the traces of the iteration; return where they are."""
    from star_watos.fabric.chakra import write_traces
    from star_watos.watos.chakra import handoff

    with common.interruptible("nothing was written"):
        made, name = handoff(result), "iteration"
        groups, total = made.devices.groups, made.devices.total
        traces = counted(made.traces(), total)
        files = write_traces(folder, name, traces, groups=groups, force=force)
    found = {"folder": str(folder), "name": name, "files": files}
    return found | {"nodes": made.n_nodes, "groups": len(groups)}


def _number(schedule: choices.ScheduleChoice | None) -> int | None:
    return None if schedule is None else schedule.number


def _shape(text: str | None) -> dict[str, int]:
    """Return rows and columns of `RxC`."""
    if text is None:
        return {}
    rows, cols = common.shape("--tp-shape", text, least=0)
    return {"tp_rows": rows, "tp_cols": cols}


exploring.add_explore(app, "watos")
add_runs(app, "watos")
add_export(app)
add_report(app, "watos")
add_collective(app)
add_compare(app)
add_faults(app)
add_serve(app)


app.command()(measured.validate)


@app.command()
def schema(
    kind: Annotated[
        str, typer.Argument(help="wafer, cluster, sweep, serving-sweep or technology.")
    ] = "wafer",
) -> None:
    """Print the JSON Schema of a kind of YAML file, for editors."""
    from star_watos.explore.serving import ServingExploration
    from star_watos.explore.watos import WaferExploration
    from star_watos.spec import Spec
    from star_watos.technology.wafer import WaferTechnology
    from star_watos.watos import Cluster, Wafer

    kinds: dict[str, type[Spec]] = {
        "wafer": Wafer,
        "cluster": Cluster,
        "sweep": WaferExploration,
        "serving-sweep": ServingExploration,
        "technology": WaferTechnology,
    }
    common.print_schema(kinds, kind)


if __name__ == "__main__":
    main()
