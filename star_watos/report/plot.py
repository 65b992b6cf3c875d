"""The front as a picture."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
import pandas as pd

mpl.use("Agg")
from matplotlib import pyplot as plt


def plot_front(front: Path, objectives: Sequence[str], picture: Path) -> None:
    """Draw the first two objectives of a `pareto.csv`, coloured by the third if there is one.

    With a single objective the designs stand in their order.
    """
    table = pd.read_csv(front)
    x, y = objectives[0], objectives[1] if len(objectives) > 1 else "design"
    table["design"] = range(1, len(table) + 1)
    figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
    points = axes.scatter(table[x], table[y], s=28)
    if len(objectives) > 2:
        points.set_array(table[objectives[2]].to_numpy())
        figure.colorbar(points, label=objectives[2])
    axes.set(xlabel=x, ylabel=y, title=f"{len(table)} designs that no other one beats")
    axes.grid(alpha=0.3)
    figure.savefig(picture, dpi=120)
    plt.close(figure)
