"""The front as a picture."""

from pathlib import Path
from typing import TYPE_CHECKING

import matplotlib as mpl

mpl.use("Agg")
from matplotlib import pyplot as plt

if TYPE_CHECKING:
    from star_watos.explore import Result


def plot_front(result: "Result", path: Path) -> None:
    """Draw the first two objectives of the front, coloured by the third if there is one."""
    objectives = list(result.manifest["config"]["objectives"])
    x, y = objectives[0], objectives[1] if len(objectives) > 1 else "bound"
    columns = {name: [row[name] for row in result.rows] for name in {x, y, *objectives}}
    figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
    points = axes.scatter(columns[x], columns[y], s=28)
    if len(objectives) > 2:
        points.set_array(columns[objectives[2]])
        figure.colorbar(points, label=objectives[2])
    axes.set(xlabel=x, ylabel=y, title=f"{len(result.rows)} designs that no other one beats")
    axes.grid(alpha=0.3)
    figure.savefig(path, dpi=120)
    plt.close(figure)
