"""Rows of `star accuracy`: one a layer and keep ratio, and their means."""

from collections.abc import Sequence
from typing import Any, TypeAlias

from star_watos.star.accuracy.measure import LayerTally
from star_watos.star.accuracy.setting import Setting
from star_watos.star.algorithms import MaskCounts, Operations
from star_watos.star.algorithms.complexity import load_complexity
from star_watos.star.algorithms.operations import (
    ascending_operations,
    descending_operations,
    flash_operations,
    softmax_operations,
    sufa_operations,
)

Row: TypeAlias = dict[str, Any]
ACCURACY = ("recall", "mass_kept", "rel_l2", "cosine")
SHARES = ("kept_share", "kv_ratio", "load_ratio", "group_load_ratio", "saturated_share")
RATIOS = (
    "predict_to_int4",
    "predict_to_exact",
    "sort_to_full_sort",
    "sufa_to_flash2",
    "sufa_to_ascending",
    "descending_to_flash2",
    "descending_to_ascending",
    "star_to_dense",
    "rass_to_in_order",
)
"""Weighted operations of one way over those of another; of SU-FA and its references without what
all of them have, the products Q Kᵀ and S V and the final division."""


def row(measured: LayerTally, setting: Setting) -> Row:
    """Return the figures of one layer at one keep ratio."""
    t = measured.tally
    return {
        "layer": measured.layer,
        "keep_ratio": measured.keep_ratio,
        "predictor": setting.predictor.method.value,
        "sorter": setting.sorting.value,
        "recall": t.found / t.choices,
        "mass_kept": t.mass / t.choices,
        "rel_l2": (t.error / t.size) ** 0.5,
        "cosine": t.cosine / t.choices,
        "kept_share": t.pairs / t.seen,
        "kv_ratio": measured.generated,
        "load_ratio": t.loads / t.visited,
        "group_load_ratio": t.group_loads / t.group_visited,
        "saturated_share": t.saturated / t.pairs,
        "segments": (t.segments / t.pairs).tolist(),
        "ops": {name: _counts(ops) for name, ops in _operations(measured).items()}
        | {"loads": {"rass": t.loads, "in_order": t.in_order, "visited": t.visited}},
        "ratios": _ratios(measured),
    }


def _counts(operations: Operations) -> dict[str, float]:
    """Return the kinds of operations that there are any of."""
    return {kind: count for kind, count in operations.as_dict().items() if count}


def _operations(measured: LayerTally) -> dict[str, Operations]:
    """Return the operations of each step of the core, and of what could stand in its place."""
    t, work = measured.tally, measured.tally.work(measured.head_dim)
    dense = MaskCounts(t.rows, t.seen, t.rows, measured.head_dim)
    return {
        "predict": measured.predictions.chosen,
        "predict_int4": measured.predictions.int4,
        "predict_exact": measured.predictions.exact,
        "sort": Operations(compare=t.compares),
        "full_sort": Operations(compare=t.full_sort),
        "sufa": sufa_operations(work),
        "sufa_descending": descending_operations(work, t.updates),
        "sufa_ascending": ascending_operations(work),
        "flash2": flash_operations(work),
        "softmax": softmax_operations(work),
        "dense_softmax": softmax_operations(dense),
    }


def _ratios(measured: LayerTally) -> dict[str, float]:
    """Return `RATIOS`."""
    t, weights = measured.tally, load_complexity().weights
    cost = {name: ops.weighted(weights) for name, ops in _operations(measured).items()}
    work = t.work(measured.head_dim)
    common = (work.macs + work.divisions).weighted(weights)
    sufa, flash2, ascending, descending = (
        cost[name] - common for name in ("sufa", "flash2", "sufa_ascending", "sufa_descending")
    )
    values = (
        cost["predict"] / cost["predict_int4"],
        cost["predict"] / cost["predict_exact"],
        t.compares / t.full_sort,
        sufa / flash2,
        sufa / ascending,
        descending / flash2,
        descending / ascending,
        (cost["predict"] + cost["sort"] + cost["sufa"]) / cost["dense_softmax"],
        t.loads / t.in_order,
    )
    return dict(zip(RATIOS, values, strict=True))


def summary(rows: Sequence[Row]) -> list[Row]:
    """Return one row a keep ratio: the mean over layers, and the layer that is served worst."""
    ratios = dict.fromkeys(row["keep_ratio"] for row in rows)
    # A mean of equal floats need not be that float, and perplexities are looked up by it.
    return [
        mean([row for row in rows if row["keep_ratio"] == ratio]) | {"keep_ratio": ratio}
        for ratio in ratios
    ]


def mean(layers: Sequence[Row]) -> Row:
    """Return the mean over layers, which may have a keep ratio each."""
    figures = {
        name: sum(layer[name] for layer in layers) / len(layers)
        for name in ("keep_ratio", *ACCURACY, *SHARES)
    }
    ratios = {name: sum(layer["ratios"][name] for layer in layers) / len(layers) for name in RATIOS}
    worst = min(layers, key=lambda layer: layer["mass_kept"])
    return {
        **figures,
        "least_mass_kept": worst["mass_kept"],
        "least_mass_layer": worst["layer"],
        "ratios": ratios,
    }
