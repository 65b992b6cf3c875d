"""Training plans as columns."""

from dataclasses import dataclass, fields
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from star_watos.cost import Column

Ints = NDArray[np.int64]
Index = NDArray[np.intp]


class Recompute(IntEnum):
    """What is not kept for the backward pass but computed again."""

    NONE = 0
    SELECTIVE = 1
    """Scores, softmax and dropout of unfused attention (Korthikanti et al. 2022)."""
    FULL = 2
    """Everything but the input of each layer."""
    NON_GEMM = 3
    """Everything but products and flash attention: norms, activations, dropouts as well."""

    @property
    def label(self) -> str:
        """The name that options and documents use."""
        return self.name.lower().replace("_", "-")


class Schedule(IntEnum):
    """In which order a stage works on its microbatches."""

    ONE_F_ONE_B = 0
    """One forward, one backward, after as many forwards as stages follow (PipeDream-Flush)."""
    INTERLEAVED = 1
    """The same with several model chunks a stage (Narayanan et al. 2021)."""
    GPIPE = 2
    """All forwards, then all backwards (Huang et al. 2019)."""
    ZERO_BUBBLE = 3
    """Gradients of weights fill the bubble, memory as under 1F1B (Qi et al. 2023, ZB-H1)."""

    @property
    def label(self) -> str:
        """The name that options and documents use."""
        return "1f1b" if self is Schedule.ONE_F_ONE_B else self.name.lower().replace("_", "-")


@dataclass(frozen=True, slots=True)
class Plans:
    """Columns of equal length, one row a plan. tp = tp_rows x tp_cols devices share each matrix."""

    tp_rows: Ints
    tp_cols: Ints
    pp: Ints
    """Pipeline stages."""
    dp: Ints
    """Replicas of the pipeline."""
    cp: Ints
    """Devices that share each sequence (context parallelism)."""
    ep: Ints
    """Groups of devices, of the dp cp replicas, that share the experts."""
    microbatch: Ints
    """Sequences that pass the pipeline at once."""
    recompute: Ints
    """Values of `Recompute`."""
    sp: Ints
    """1 where norms and residuals are split over the TP group too."""
    zero: Ints
    """Stage of ZeRO: optimizer states (1), gradients (2), weights (3) split over the replicas."""
    schedule: Ints
    """Values of `Schedule`."""
    virtual_stages: Ints
    """Model chunks of a stage; 1 unless interleaved."""

    @property
    def tp(self) -> Ints:
        """Devices that share each matrix."""
        return self.tp_rows * self.tp_cols

    @property
    def replicas(self) -> Ints:
        """Devices that hold the same weights, experts apart."""
        return self.dp * self.cp

    @property
    def devices(self) -> Ints:
        """Devices in use."""
        return self.tp * self.pp * self.replicas

    def split(self, stage: int) -> Ints:
        """Devices over which ZeRO splits what it splits from `stage` on: replicas, or 1."""
        return np.where(self.zero >= stage, self.replicas, 1)

    def microbatches(self, global_batch: int) -> Ints:
        """Microbatches of one iteration that pass each pipeline.

        >>> plans_of(dp=4, microbatch=2).microbatches(64).tolist()
        [8]
        """
        return global_batch // (self.dp * self.microbatch)

    def __len__(self) -> int:
        return len(self.tp_rows)

    def distinct(self, *names: str) -> tuple[Index, Index]:
        """Return a row of each distinct combination of columns, and each row's place among them.

        >>> first, place = plans_of(3, pp=[4, 8, 4]).distinct("pp")
        >>> first.tolist(), place.tolist()
        ([0, 1], [0, 1, 0])
        """
        key = np.zeros(len(self), dtype=np.int64)
        for name in names:
            column = getattr(self, name)
            key = key * (int(column.max(initial=0)) + 1) + column
        _, first, inverse = np.unique(key, return_index=True, return_inverse=True)
        return first, inverse

    def take(self, rows: "Ints | Index | NDArray[np.bool_]") -> "Plans":
        """Return the given rows."""
        return Plans(*(getattr(self, f.name)[rows] for f in fields(self)))


def rows_of(column: Column, rows: "Ints | Index") -> Column:
    """Return the given rows of a column; a number stays one.

    >>> rows_of(np.array([3.0, 5.0]), np.array([1, 1])).tolist(), rows_of(2.0, np.array([1, 1]))
    ([5.0, 5.0], 2.0)
    """
    return column if np.ndim(column) == 0 else np.asarray(column)[rows]


def plans_of(n: int = 1, **columns: object) -> Plans:
    """Return n plans with the given columns; what is left out is 1, or 0 for choices.

    >>> plans_of(2, pp=[4, 8]).devices.tolist()
    [4, 8]
    """
    choices = {"recompute", "sp", "zero", "schedule"}
    given = {f.name: columns.pop(f.name, int(f.name not in choices)) for f in fields(Plans)}
    if columns:
        raise TypeError(f"no such columns: {', '.join(columns)}")
    return Plans(**{k: np.broadcast_to(np.asarray(v, dtype=np.int64), n) for k, v in given.items()})
