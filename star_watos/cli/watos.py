"""The command `watos`."""

import re
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from star_watos.cli import common, exploring
from star_watos.errors import InputError

if TYPE_CHECKING:
    from star_watos.explore import Exploration

app = common.new_app("watos", "Wafers and the strategies that train language models on them.")


class RecomputeChoice(StrEnum):
    """Values of `--recompute`."""

    NONE = "none"
    SELECTIVE = "selective"
    FULL = "full"
    AUTO = "auto"

    @property
    def number(self) -> int | None:
        """The value of `Recompute`, or None where the search chooses."""
        from star_watos.watos import Recompute

        return None if self is RecomputeChoice.AUTO else int(Recompute[self.name])


class AttentionChoice(StrEnum):
    """Values of `--attention`."""

    FLASH = "flash"
    UNFUSED = "unfused"


Shape = Annotated[
    str | None, typer.Option(metavar="RxC", help="Rows and columns of a TP rectangle.")
]
SequenceParallel = Annotated[
    bool | None, typer.Option("--sp/--no-sp", help="Sequence parallelism.", show_default="best")
]
Zero = Annotated[int | None, typer.Option(min=0, max=1, help="ZeRO stage; chosen when left out.")]
Degree = Annotated[int | None, typer.Option(min=1, max=2**24, help="Chosen when left out.")]


def main() -> None:
    """Run the command."""
    common.guard(app)


@app.command()
def simulate(
    wafer: Annotated[
        str, typer.Argument(help="Shipped name or path of a wafer.")
    ] = "watos_config3",
    model: Annotated[str, typer.Option(help="Shipped name or a config.json.")] = "llama3_70b",
    seq_len: Annotated[str, typer.Option(metavar="TOKENS", help="Tokens a sequence.")] = "4k",
    global_batch: Annotated[
        int, typer.Option(min=1, max=2**24, help="Sequences an iteration.")
    ] = 512,
    microbatch: Degree = None,
    tp: Degree = None,
    tp_shape: Shape = None,
    pp: Degree = None,
    dp: Degree = None,
    sp: SequenceParallel = None,
    zero: Zero = None,
    recompute: Annotated[
        RecomputeChoice, typer.Option(help="What is not kept for the backward pass.")
    ] = RecomputeChoice.AUTO,
    attention: Annotated[
        AttentionChoice, typer.Option(help="Attention kernel.")
    ] = AttentionChoice.FLASH,
    overrides: common.Overrides = None,
    as_json: common.Json = False,
) -> None:
    """One wafer, one training plan: iteration time by cause, memory, energy, area.

    Degrees that are not given are chosen by evaluating every legal plan.
    """
    from star_watos.cost import Overflow
    from star_watos.report.wafer import print_wafer
    from star_watos.spec import load, validate
    from star_watos.watos import Training, Wafer, document
    from star_watos.watos import simulate as run

    design = load(Wafer, wafer, "configs/wafers", overrides or [])
    workload = {"model": model, "seq_len": seq_len, "global_batch": global_batch}
    workload["attention"] = attention.value
    training = validate(Training, common.options_document("watos simulate", workload))
    rows, cols = _shape(tp_shape)
    degrees = {"tp": tp, "tp_rows": rows, "tp_cols": cols, "pp": pp, "dp": dp, "zero": zero}
    degrees |= {"microbatch": microbatch, "sp": sp, "recompute": recompute.number}
    wanted = {name: int(value) for name, value in degrees.items() if value is not None}
    result = run(design, training.load(), training, wanted)
    if isinstance(result, Overflow):
        common.does_not_fit(result)
    report = document(result)
    if as_json:
        common.print_json(report)
    else:
        print_wafer(report)


def _shape(text: str | None) -> tuple[int | None, int | None]:
    """Return rows and columns of `RxC`."""
    if text is None:
        return None, None
    match = re.fullmatch(r"(\d{1,4})\s*[xX]\s*(\d{1,4})", text.strip())
    if match is None:
        raise InputError.of(f"--tp-shape {text[:40]}", "expected rows x columns, such as 2x4")
    return int(match.group(1)), int(match.group(2))


def _exploration() -> "tuple[type[Exploration], Any]":
    from star_watos.explore.watos import WaferExploration, WaferProblem

    return WaferExploration, WaferProblem


exploring.add_explore(app, _exploration)


@app.command()
def validate(as_json: common.Json = False) -> None:
    """Published figures of wafers and models beside ours, with the error of each."""
    from star_watos.validate.wafers import wafer_comparisons

    common.show_comparisons("watos-validate/1", wafer_comparisons(), as_json=as_json)


@app.command()
def schema(
    kind: Annotated[str, typer.Argument(help="wafer, sweep or technology.")] = "wafer",
) -> None:
    """Print the JSON Schema of a kind of YAML file, for editors."""
    from star_watos.explore.watos import WaferExploration
    from star_watos.technology.wafer import WaferTechnology
    from star_watos.watos import Wafer

    common.print_schema(
        {"wafer": Wafer, "sweep": WaferExploration, "technology": WaferTechnology}, kind
    )


if __name__ == "__main__":
    main()
