"""What options of `watos` may be."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from star_watos.cli import common


class RecomputeChoice(StrEnum):
    """Values of `--recompute`."""

    NONE = "none"
    SELECTIVE = "selective"
    FULL = "full"
    NON_GEMM = "non-gemm"
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


class ScheduleChoice(StrEnum):
    """Values of `--schedule`."""

    ONE_F_ONE_B = "1f1b"
    INTERLEAVED = "interleaved"
    GPIPE = "gpipe"
    ZERO_BUBBLE = "zero-bubble"

    @property
    def number(self) -> int:
        """The value of `Schedule`."""
        from star_watos.watos import Schedule

        return int(Schedule[self.name])


class PrecisionChoice(StrEnum):
    """Values of `--precision`."""

    BF16 = "bf16"
    FP16 = "fp16"
    FP8 = "fp8"


Hardware = Annotated[str, typer.Argument(help="Shipped name or path of a wafer or GPU cluster.")]
ModelName = Annotated[str, typer.Option(help="Shipped name or a config.json.")]
SeqLen = Annotated[str, typer.Option(metavar="TOKENS", help="Tokens a sequence.")]
GlobalBatch = Annotated[int, typer.Option(min=1, max=2**24, help="Sequences an iteration.")]
Shape = Annotated[
    str | None, typer.Option(metavar="RxC", help="Rows and columns of a TP rectangle.")
]
Degree = Annotated[int | None, typer.Option(min=1, max=2**24, help="Chosen when left out.")]
OneUnlessGiven = Annotated[int | None, typer.Option(min=1, max=2**20, help="1 when left out.")]
SequenceParallel = Annotated[
    bool | None, typer.Option("--sp/--no-sp", help="Sequence parallelism.", show_default="best")
]
Zero = Annotated[
    int | None, typer.Option(min=0, max=3, help="ZeRO stage; 0 or 1, as is best, when left out.")
]
Schedule = Annotated[ScheduleChoice | None, typer.Option(help="1f1b when left out.")]
Recompute = Annotated[RecomputeChoice, typer.Option(help="What is not kept for backward.")]
Attention = Annotated[AttentionChoice, typer.Option(help="Attention kernel.")]
Precision = Annotated[PrecisionChoice, typer.Option(help="Format of weights and activations.")]
Overlap = Annotated[bool, typer.Option("--overlap/--no-overlap", help="Communication beside work.")]
FidelityName = Annotated[
    common.Fidelity, typer.Option(help="analytic: formulas. event: played out task by task.")
]
TraceFile = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Timeline for Perfetto, of --fidelity event.")
]
Balance = Annotated[
    bool,
    typer.Option(
        "--balance", help="Also choose for each stage what it runs again and has others keep."
    ),
]
Without = Annotated[
    list[str] | None,
    typer.Option(
        metavar="PART",
        help="Leave a part of the scheduler out: recompute-scheduler, memory-scheduler, placement "
        "or refinement; repeatable.",
    ),
]
Chakra = Annotated[
    Path | None,
    typer.Option(metavar="DIR", help="Traces of the iteration for ASTRA-sim (extra `chakra`)."),
]
FaultsText = Annotated[
    str | None,
    typer.Option(
        metavar="FAULTS",
        help="What is broken: dies=0.05,links=0.02,cores=0.1,seed=1, or die=2:3,link=0:0-0:1.",
    ),
]
Devices = Annotated[int | None, typer.Option(min=1, max=2**20, help="GPUs or dies that take part.")]
