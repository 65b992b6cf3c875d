"""`watos serve`: its options, and what it does."""

from typing import TYPE_CHECKING, Annotated

import typer

from star_watos.cli import choices, common, fronts
from star_watos.errors import InputError

if TYPE_CHECKING:
    from star_watos.cost import Overflow
    from star_watos.explore.chosen import Chosen
    from star_watos.watos.hardware import Hardware
    from star_watos.watos.serving import Service, Serving

_Prompt = Annotated[str, typer.Option(metavar="TOKENS", help="Tokens of a prompt; 2k is 2,048.")]
_Output = Annotated[str, typer.Option(metavar="TOKENS", help="Tokens of an answer.")]
_Keep = Annotated[
    float, typer.Option(metavar="SHARE", help="Share of the scores that attention computes.")
]
_Load = Annotated[
    float, typer.Option(metavar="SHARE", help="Share of cached keys and values that are read.")
]
_Wait = Annotated[str | None, typer.Option(metavar="TIME", help="Limit, such as 0.5s or 50ms.")]


def add_serve(app: typer.Typer) -> None:
    """Give `app` the command."""
    app.command()(serve)


def serve(
    context: typer.Context,
    hardware: choices.Hardware = "watos_config3",
    source: fronts.From = None,
    row: fronts.Row = None,
    model: choices.ModelName = "llama3_70b",
    prompt_len: _Prompt = "2k",
    output_len: _Output = "256",
    ttft: _Wait = None,
    tpot: _Wait = None,
    keep_ratio: _Keep = 1.0,
    load_ratio: _Load = 1.0,
    devices: choices.Devices = None,
    overrides: common.Overrides = None,
    as_json: common.Json = False,
) -> None:
    """Inference: prefill and decode on the same dies, or on dies of their own; tokens a second.

    Plans, replicas and sequences at once are chosen; --ttft and --tpot limit what is waited for.
    """
    from star_watos.cost import Overflow
    from star_watos.report.serve import print_service
    from star_watos.watos import load_hardware
    from star_watos.watos.serving import Limits, document
    from star_watos.watos.serving import serve as run

    chosen = fronts.chosen(context, "watos serve", source, row)
    if chosen is not None:
        found: Service | Overflow = _of_chosen(chosen, overrides or [])
    else:
        design = load_hardware(hardware, overrides or [])
        _check_fits(design)
        fields = {"model": model, "prompt_len": prompt_len, "output_len": output_len}
        fields |= {"keep_ratio": str(keep_ratio), "load_ratio": str(load_ratio)}
        serving = _serving(fields)
        waits = {"ttft_s": _seconds("--ttft", ttft), "tpot_s": _seconds("--tpot", tpot)}
        limits = Limits(**{name: value for name, value in waits.items() if value is not None})
        found = run(design, serving.load(), serving, limits, devices)
    if isinstance(found, Overflow):
        common.does_not_fit(found)
    report = document(found)
    if as_json:
        common.print_json(report)
    else:
        print_service(report)


def _serving(fields: dict[str, str]) -> "Serving":
    from star_watos.spec import validate
    from star_watos.watos.serving import Serving

    return validate(Serving, common.options_document("watos serve", fields))


def _check_fits(design: "Hardware") -> None:
    from star_watos.watos import Wafer, wafer_overflow

    overflow = wafer_overflow(design) if isinstance(design, Wafer) else None
    if overflow:
        common.does_not_fit(overflow)


def _of_chosen(chosen: "Chosen", changes: list[str]) -> "Service | Overflow":
    """Return the way to serve of a design of a front, its wafer with changes."""
    from star_watos.explore.serving import way_of

    wafer, serving = chosen.parts(changes)
    _check_fits(wafer)
    return way_of(chosen, wafer, serving)


def _seconds(option: str, text: str | None) -> float | None:
    """Return the seconds of a limit."""
    if text is None:
        return None
    from star_watos.units import quantity

    try:
        value = quantity(text, {"s": 1.0, "ms": 1e-3, "us": 1e-6})
    except ValueError as error:
        raise InputError.of(option, str(error)) from None
    if value <= 0:
        raise InputError.of(option, f"expected more than 0 s, got {text!r}")
    return value
