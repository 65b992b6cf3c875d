"""Measured against predicted, as a picture."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl

from star_watos.validate.runs.predict import Prediction

mpl.use("Agg")
from matplotlib import pyplot as plt

LABELS = {
    "iter_time_s": "seconds of an iteration",
    "memory_gib": "GiB of the fullest device",
    "tflops_per_gpu": "TFLOP/s a device",
}


def plot_scatter(predictions: Sequence[Prediction], column: str, picture: Path) -> None:
    """Draw predicted over measured on equal logarithmic axes, with a band of 20 % either way."""
    own = [p for p in predictions if getattr(p.run, column) is not None]
    measured = [getattr(p.run, column) for p in own]
    predicted = [getattr(p, column) for p in own]
    ends = (min(measured + predicted) / 1.15, max(measured + predicted) * 1.15)
    figure, axes = plt.subplots(figsize=(4.5, 4.5), layout="constrained")
    axes.fill_between(ends, [0.8 * e for e in ends], [1.2 * e for e in ends], alpha=0.12)
    axes.plot(ends, ends, linewidth=0.8, color="black")
    axes.scatter(measured, predicted, s=14, alpha=0.7)
    axes.set(xscale="log", yscale="log", xlim=ends, ylim=ends)
    axes.set(xlabel=f"measured, {LABELS[column]}", ylabel="predicted", title=own[0].table)
    figure.savefig(picture, dpi=110, metadata={"Software": None})
    plt.close(figure)
