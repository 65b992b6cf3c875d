"""What travels between cores, of one layer; [..., groups of equal layers]."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from star_watos.cost import Column
from star_watos.star.dataflow import Dataflow
from star_watos.star.layer import ID_BYTES, VALUE_BYTES, WIDTHS
from star_watos.star.work import AttentionWork

SUM_BYTES = 4.0
"""A running maximum, sum or output: 32 bits, as arrays accumulate them."""


@dataclass(frozen=True, slots=True)
class Widths:
    """Bytes of a token as it travels."""

    query: Column
    partial: Column
    """Running maximum, sum and output of a query."""
    key: Column
    """Predicted K; nothing where nothing is predicted."""
    row: Column
    """K and V."""
    index: Column
    """One bit a K/V head: whether anyone further on keeps it."""

    @classmethod
    def of(cls, work: AttentionWork, flow: Dataflow) -> "Widths":
        """Return them for a model under a core's dataflow."""
        chooses = float(flow.predicts)
        return cls(
            query=VALUE_BYTES * work.d_q,
            partial=SUM_BYTES * (work.d_q + 2 * work.n_heads),
            key=WIDTHS[flow.predictor].key * work.d_kv,
            row=2 * VALUE_BYTES * work.d_kv,
            index=chooses * work.n_kv_heads / 8,
        )


def kept_further_on(
    work: AttentionWork, flow: Dataflow, cores: int, queries: float
) -> NDArray[np.float64]:
    """Share of a core's K and V rows that leaves on each of the `cores` - 1 steps of a ring.

    On step t, `cores` - 1 - t cores with `queries` each are still to come; what any of them keeps
    goes on, which is no more than what is generated at all. [steps, ..., groups]; all without
    prediction.
    """
    ahead = np.arange(cores - 1, 0, -1.0)[:, None]
    if not flow.predicts:
        return np.ones_like(ahead)
    share: NDArray[np.float64] = np.minimum(work.loaded_share(ahead * queries), work.kv_ratio)
    return share


def keep_list_bytes(work: AttentionWork, flow: Dataflow) -> Column:
    """Bytes of all identifiers of kept keys, written to DRAM by the prediction and read again."""
    return 2 * ID_BYTES * work.n_heads * work.kept_pairs * float(flow.predicts)
