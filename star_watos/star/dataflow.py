"""How a core goes about attention: the choices an ablation changes, one at a time."""

from dataclasses import dataclass
from enum import StrEnum

from star_watos.cost import Column
from star_watos.errors import InputError


class Predictor(StrEnum):
    """How scores are estimated before any is computed."""

    DLZS = "dlzs"
    """One operand snapped to a power of two; K^ keeps 16 bits."""
    SLZS = "slzs"
    """Both operands snapped: codes of an exponent and a sign everywhere."""
    INT4 = "int4"
    """Products of 4-bit operands."""
    NONE = "none"
    """Nothing is estimated: every visible key is attended to."""


class Sorter(StrEnum):
    """How a query's keys are chosen by their estimated scores."""

    SADS = "sads"
    """The best of each segment; a segment is a key tile."""
    FULL = "full"
    """Exactly the best of the whole row, which has to be there as a whole."""
    NONE = "none"
    """Those above a threshold: in no order."""


class Attention(StrEnum):
    """How the kept keys become an output."""

    SUFA = "sufa"
    """Sorted-updating FlashAttention: a tile's largest score is known ahead."""
    FA2 = "fa2"
    """FlashAttention-2: the running maximum is searched, and the output rescaled."""
    SOFTMAX = "softmax"
    """A whole row of scores, then its softmax, then its output."""


class Schedule(StrEnum):
    """In which order K and V rows are loaded."""

    RASS = "rass"
    """Each row once for all queries of the tile that keep it."""
    IN_ORDER = "in-order"
    """Each query takes its rows in ascending order; nothing is held."""


class Tiling(StrEnum):
    """What passes from stage to stage at once."""

    CROSS_STAGE = "cross-stage"
    """A key tile of a query tile."""
    STAGE_ISOLATED = "stage-isolated"
    """A query tile with its whole rows: a stage ends before the next begins on it."""


@dataclass(frozen=True, slots=True)
class Dataflow:
    """One choice of each kind; the default is STAR's."""

    predictor: Predictor = Predictor.DLZS
    sorter: Sorter = Sorter.SADS
    attention: Attention = Attention.SUFA
    schedule: Schedule = Schedule.RASS
    tiling: Tiling = Tiling.CROSS_STAGE

    def __post_init__(self) -> None:
        """Refuse what no core could do: `InputError`, all reasons at once."""
        reasons = [reason for wrong, reason in self._rules() if wrong]
        if reasons:
            raise InputError([p for r in reasons for p in InputError.of(r[0], r[1]).problems])

    def _rules(self) -> list[tuple[bool, tuple[str, str]]]:
        dense, sorter = self.predictor is Predictor.NONE, self.sorter
        return [
            (
                dense and sorter is not Sorter.NONE,
                ("--sorter", f"{sorter.value} has no scores to sort with --predictor none; use none"),
            ),
            (
                sorter is Sorter.NONE and self.attention is Attention.SUFA,
                ("--attention", "sufa needs sorted keys; with --sorter none use fa2 or softmax"),
            ),
            (
                sorter is Sorter.FULL and self.tiling is Tiling.CROSS_STAGE,
                ("--tiling", "cross-stage never has the whole rows that --sorter full sorts; "
                             "use stage-isolated"),
            ),
        ]

    @property
    def predicts(self) -> bool:
        """Whether keys are chosen at all."""
        return self.predictor is not Predictor.NONE

    @property
    def isolated(self) -> bool:
        """Whether whole rows pass from stage to stage."""
        return self.tiling is Tiling.STAGE_ISOLATED


STAR = Dataflow()


@dataclass(frozen=True, slots=True)
class Tile:
    """What passes the stages together; floats or columns of equal length."""

    keys: Column
    """Keys of a tile, Bc."""
    heads: Column = 1.0
    """Query heads of one K/V head that share what a tile loads; divides their number."""
