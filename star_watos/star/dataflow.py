"""How a core goes about attention: the choices an ablation changes, one at a time."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Any

import numpy as np

from star_watos.cost import Column
from star_watos.errors import InputError, Mark, Problem


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
        reasons = {option: reason for wrong, option, reason in self._rules() if wrong}
        if reasons:
            raise InputError(Problem(Mark(f"--{o}"), "", text) for o, text in reasons.items())

    def _rules(self) -> list[tuple[bool, str, str]]:
        """Return what would be wrong, where, and what to say of it."""
        dense, sorter = self.predictor is Predictor.NONE, self.sorter
        return [
            (
                dense and sorter is not Sorter.NONE,
                "sorter",
                f"{sorter.value} has no scores to sort with --predictor none; use none",
            ),
            (
                sorter is Sorter.NONE and self.attention is Attention.SUFA,
                "attention",
                "sufa needs sorted keys; with --sorter none use fa2 or softmax",
            ),
            (
                sorter is Sorter.FULL and self.tiling is Tiling.CROSS_STAGE,
                "tiling",
                "cross-stage never has the whole rows that --sorter full sorts; use stage-isolated",
            ),
        ]

    @classmethod
    def implied_by(cls, chosen: Mapping[str, StrEnum]) -> tuple["Dataflow", str | None]:
        """Return STAR's dataflow with `chosen` and what follows from it, and a note of the latter.

        >>> Dataflow.implied_by({"sorter": Sorter.NONE})[1]
        '--sorter none: keys are in no order, so --attention fa2'
        """
        flow: dict[str, Any] = dict(chosen)
        said = []
        if flow.get("predictor") is Predictor.NONE and "sorter" not in flow:
            flow["sorter"] = Sorter.NONE
            said.append("--predictor none: there are no scores to sort, so --sorter none")
        if flow.get("sorter") is Sorter.NONE and "attention" not in flow:
            flow["attention"] = Attention.FA2
            said.append("--sorter none: keys are in no order, so --attention fa2")
        if flow.get("sorter") is Sorter.FULL and "tiling" not in flow:
            flow["tiling"] = Tiling.STAGE_ISOLATED
            said.append("--sorter full: whole rows are sorted, so --tiling stage-isolated")
        return cls(**flow), "; ".join(said) or None

    @property
    def predicts(self) -> bool:
        """Whether keys are chosen at all."""
        return self.predictor is not Predictor.NONE

    def names(self) -> dict[str, str]:
        """Return each choice by its kind, as options and files spell it."""
        return {f.name: getattr(self, f.name).value for f in fields(self)}

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
    by_layer: bool = field(default=False, kw_only=True)
    """Whether each group of layers has its own, along the last axis: [..., groups]."""

    def each(self, groups: int) -> "list[Tile]":
        """Return the tile of each group of layers.

        >>> [tile.keys for tile in Tile(64.0).each(2)]
        [64.0, 64.0]
        """
        if not self.by_layer:
            return [self] * groups
        both = (np.asarray(size).tolist() for size in (self.keys, self.heads))
        return [Tile(*sizes) for sizes in zip(*both, strict=True)]
