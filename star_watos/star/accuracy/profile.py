"""A sparsity profile from what was measured, for `star simulate` and `star explore`."""

import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import yaml

from star_watos.errors import InputError
from star_watos.files import write_whole
from star_watos.star.accuracy.rows import ACCURACY, Row
from star_watos.star.accuracy.run import Perplexities, Run
from star_watos.star.sparsity import (
    Extrapolation,
    LayerSparsity,
    Measurement,
    Perplexity,
    Sparsity,
)

DIGITS = 4
"""Decimals of a saved figure."""
LEAST_EXPONENT, GREATEST_EXPONENT = -1.0, 0.5
"""What a profile may say: from a constant number of keys on."""


def profile(
    name: str,
    run: Run,
    layers: Sequence[Row],
    target: str,
    perplexities: Perplexities | None,
    others: Sequence[Sparsity] = (),
) -> Sparsity:
    """Return the profile of one row a layer; `others` are those at other lengths.

    `target` says by what the keep ratios were chosen. The accuracy loss is the increase of
    perplexity, or the output's mean error for an encoder.
    """
    mean_error = sum(row["rel_l2"] for row in layers) / len(layers)
    loss = mean_error if perplexities is None else perplexities.loss
    what = "mean relative L2 error of a layer" if perplexities is None else "perplexity increase"
    measured = tuple(_layer(row, run) for row in layers)
    saved = Sparsity(
        name=name,
        keep_ratio=_mean([layer.keep_ratio for layer in measured]),
        kv_ratio=_mean([layer.kv_ratio for layer in measured]),
        load_ratio=_mean([layer.load_ratio for layer in measured]),
        accuracy_loss=round(min(max(loss, 0.0), 1.0), DIGITS),
        seq_len=len(run.tokens),
        source=f"star accuracy on {run.model.source}; accuracy_loss is the {what}",
        layers=measured,
        measured=_measurement(run, target, perplexities),
    )
    lengths = sorted([*others, saved], key=lambda each: each.seq_len)
    if len(lengths) < 2:
        return saved
    return saved.model_copy(update={"extrapolation": extrapolation(lengths)})


def check_lengths(run: Run, others: Sequence[Sparsity]) -> None:
    """Raise `InputError` unless the run and `others` are the same layers at different lengths."""
    taken = {len(run.tokens)}
    for other in others:
        if len(other.layers) != run.model.n_layers:
            text = f"has {len(other.layers)} layers, but {run.model.name} {run.model.n_layers}"
            raise InputError.of(other.name, text)
        if other.seq_len in taken:
            raise InputError.of(other.name, f"is of {other.seq_len:,} tokens, as another one is")
        taken.add(other.seq_len)


def extrapolation(lengths: Sequence[Sparsity]) -> Extrapolation:
    """Return how the keep ratio moves with the length, from profiles of the same layers.

    exponent: slope of a least-squares line through log(mean keep ratio) over log(seq_len); of the
    ratios of generation and loads likewise, not below it.
    Band: from the least to the greatest of the slopes between two neighbouring lengths and of the
    10th and 90th percentile of the single layers' lines; all within what a profile may say.
    """
    s = np.log([each.seq_len for each in lengths])
    means = np.log([each.keep_ratio for each in lengths])
    layers = np.log([[layer.keep_ratio for layer in each.layers] for each in lengths])
    exponent = float(np.polyfit(s, means, 1)[0])
    steps = (np.diff(means) / np.diff(s)).tolist()
    plausible = [exponent, *steps, *np.quantile(np.polyfit(s, layers, 1)[0], (0.1, 0.9))]
    names = ", ".join(f"{each.seq_len:,}" for each in lengths)
    unions = np.log([[each.kv_ratio, each.loaded] for each in lengths])
    kv, load = (max(float(slope), exponent) for slope in np.polyfit(s, unions, 1)[0])
    return Extrapolation(
        exponent=_within(exponent),
        kv_exponent=_within(kv),
        load_exponent=_within(load),
        low=_within(min(plausible)),
        high=_within(max(plausible)),
        source=f"slope of log(mean keep ratio) over log(tokens) at {names} tokens; band: slopes "
        "between neighbouring lengths, 10th and 90th percentile of the layers' own slopes",
    )


def _within(exponent: float) -> float:
    return round(min(max(exponent, LEAST_EXPONENT), GREATEST_EXPONENT), DIGITS)


def _mean(values: Sequence[float]) -> float:
    return round(sum(values) / len(values), DIGITS)


def _layer(row: Row, run: Run) -> LayerSparsity:
    """Return the evidence of one layer; shares are rounded up, so that unions hold their sets."""
    clipped = run.setting.sorter.radius is not None
    return LayerSparsity(
        keep_ratio=_as_many(row, causal=run.model.causal) if clipped else row["keep_ratio"],
        kv_ratio=_up(row["kv_ratio"]),
        load_ratio=_up(row["load_ratio"]),
        group_load_ratio=_up(row["group_load_ratio"]),
        segments=_whole(row["segments"]),
        **{name: round(row[name], DIGITS) for name in ACCURACY},
    )


def _as_many(row: Row, *, causal: bool) -> float:
    """Return k / S that keeps as many pairs as a row under a radius, which clips some of its k.

    Of the pairs seen k keeps k / S, or where queries see only what is before them
    1 - (1 - k / S)^2.

    >>> _as_many({"kept_share": 0.36, "load_ratio": 0.5, "kv_ratio": 0.6}, causal=True)
    0.2
    """
    share = 1 - (1 - row["kept_share"]) ** 0.5 if causal else row["kept_share"]
    return min(_up(round(share, 2 * DIGITS)), _up(row["load_ratio"]), _up(row["kv_ratio"]))


def _whole(shares: Sequence[float]) -> tuple[float, ...]:
    """Return the shares rounded so that they still sum to 1: differences of rounded sums.

    >>> _whole([0.00004] * 25_000)[:4], round(sum(_whole([0.00004] * 25_000)), 9)
    ((0.0, 0.0001, 0.0, 0.0001), 1.0)
    """
    sums = np.round(np.cumsum(shares), DIGITS)
    return tuple(np.round(np.diff(sums, prepend=0.0), DIGITS).tolist())


def _up(share: float) -> float:
    """Return a share rounded up.

    >>> _up(0.12341), _up(1.0)
    (0.1235, 1.0)
    """
    return min(math.ceil(share * 10.0**DIGITS) / 10.0**DIGITS, 1.0)


def _measurement(run: Run, target: str, perplexities: Perplexities | None) -> Measurement:
    setting = run.setting
    return Measurement(
        model=run.model.source,
        text=f"first {len(run.tokens):,} tokens of {run.text.source}",
        predictor=str(setting.predictor),
        sorter=str(setting.sorter),
        segments=setting.sorter.segments,
        query_tile=setting.query_tile,
        target=target,
        perplexity=None
        if perplexities is None
        else Perplexity(**{name: round(value, 3) for name, value in asdict(perplexities).items()}),
    )


def save(profile: Sparsity, path: Path) -> None:
    """Write a profile as YAML, whole or not at all."""
    document = profile.model_dump(mode="json", exclude_none=True, exclude_defaults=True)
    text = yaml.safe_dump(document, sort_keys=False, width=100, default_flow_style=None)
    write_whole(path, text)
