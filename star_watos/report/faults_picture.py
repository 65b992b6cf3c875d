"""Throughput against the share of broken parts, as a picture."""

from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")
from matplotlib import pyplot as plt

SCHEDULES = {"robust": "robust", "replanned": "replanned", "non_robust": "not robust"}


def plot_curve(report: dict[str, Any], picture: Path) -> None:
    """Draw the mean of every schedule, and a band from the 10th to the 90th percentile."""
    rates = [row["rate"] for row in report["rates"]]
    figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
    for key, name in SCHEDULES.items():
        mean, low, high = (
            [row[key][part] for row in report["rates"]] for part in ("mean", "p10", "p90")
        )
        (line,) = axes.plot(rates, mean, marker="o", label=name)
        axes.fill_between(rates, low, high, alpha=0.15, color=line.get_color())
    axes.set(xlabel=f"share of {report['of']} broken", ylabel="throughput over the healthy wafer's")
    axes.set(title=f"{report['wafer']['name']}, {report['workload']['model']}", ylim=(0, None))
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(
        picture, dpi=120, metadata={"Software": None} if picture.suffix == ".png" else {}
    )
    plt.close(figure)
