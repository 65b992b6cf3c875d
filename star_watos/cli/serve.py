"""`watos serve`: its options, and what it does."""

from typing import Annotated

import typer

from star_watos.cli import choices, common
from star_watos.errors import InputError

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
    hardware: choices.Hardware = "watos_config3",
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
    from star_watos.spec import validate
    from star_watos.watos import Wafer, load_hardware, wafer_overflow
    from star_watos.watos.serving import Limits, Serving, document
    from star_watos.watos.serving import serve as run

    design = load_hardware(hardware, overrides or [])
    overflow = wafer_overflow(design) if isinstance(design, Wafer) else None
    if overflow:
        common.does_not_fit(overflow)
    fields = {"model": model, "prompt_len": prompt_len, "output_len": output_len}
    fields |= {"keep_ratio": str(keep_ratio), "load_ratio": str(load_ratio)}
    serving = validate(Serving, common.options_document("watos serve", fields))
    limits = {name: _seconds(f"--{name}", text) for name, text in (("ttft", ttft), ("tpot", tpot))}
    given = {f"{name}_s": value for name, value in limits.items() if value is not None}
    found = run(design, serving.load(), serving, Limits(**given), devices)
    if isinstance(found, Overflow):
        common.does_not_fit(found)
    report = document(found)
    if as_json:
        common.print_json(report)
    else:
        print_service(report)


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
