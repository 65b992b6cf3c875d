"""A mesh of cores as a picture: what its links carry, and what its cores do when."""

from pathlib import Path

import matplotlib as mpl
import numpy as np

mpl.use("Agg")
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PatchCollection
from matplotlib.patches import Rectangle

from star_watos.fabric import Mesh
from star_watos.fabric.flows import Values
from star_watos.fabric.mesh_routes import DIRECTIONS
from star_watos.star.spatial import MeshRun
from star_watos.star.spatial.event import Layer, play_layer
from star_watos.star.spatial.loads import mesh_loads

APART = 0.09
"""Both directions of a link are drawn so far from its middle."""
COLOURS = {"predicts": "#7a9cc6", "attends": "#2f5d8c", "works": "#2f5d8c"}
"""What cores do, in their colours; what travels is left to the trace."""


def plot_mesh(run: MeshRun, picture: Path, *, timeline: bool) -> None:
    """Draw the load of every link; with `timeline`, also the work of every core in one layer."""
    figure, axes = plt.subplots(
        1, 1 + timeline, figsize=(6 + 6 * timeline, 5), layout="constrained", squeeze=False
    )
    drawn = draw_loads(axes[0, 0], run.alone.mesh, mesh_loads(run) / 1e9)
    figure.colorbar(drawn, label="GB over a link, all layers")
    it = run.spread
    axes[0, 0].set_title(f"{it.circulation.value}, {it.ring.value} ring, {it.partition.value}")
    if timeline:
        _draw_timeline(axes[0, 1], play_layer(run))
    figure.savefig(picture, dpi=120)
    plt.close(figure)


def draw_loads(axes: Axes, mesh: Mesh, loads: Values) -> LineCollection:
    """Draw nodes as squares and each direction of a link as a line coloured by `loads` [4 n]."""
    links = np.flatnonzero(mesh.present)
    node, direction = np.divmod(links, 4)
    row, col = np.divmod(node, mesh.cols)
    down, right = np.array(DIRECTIONS)[direction].T
    begin = np.stack([col - APART * down, row + APART * right], axis=-1)
    ends = begin + np.stack([right, down], axis=-1)
    drawn = LineCollection(
        list(np.stack([begin, ends], axis=1)), array=loads[links], cmap="viridis_r", linewidths=3
    )
    drawn.set_clim(0.0, max(float(loads.max()), 1e-30))
    axes.add_collection(drawn)
    squares = [Rectangle((v % mesh.cols - 0.2, v // mesh.cols - 0.2), 0.4, 0.4) for v in mesh.nodes]
    axes.add_collection(
        PatchCollection(squares, facecolor="#dddddd", edgecolor="#666666", zorder=3)
    )
    axes.set(xlim=(-0.6, mesh.cols - 0.4), ylim=(mesh.rows - 0.4, -0.6), aspect="equal")
    axes.set(xlabel="column", ylabel="row")
    return drawn


def _draw_timeline(axes: Axes, layer: Layer) -> None:
    """Draw what each core does when, one line a core; gaps are waiting."""
    began, ended = 1e3 * layer.played.begin_s, 1e3 * layer.played.end_s
    for what, colour in COLOURS.items():
        mine = [i for i, (track, _) in enumerate(layer.tasks.names) if track.endswith(what)]
        cores = [int(layer.tasks.names[i][0].split()[1]) for i in mine]
        offset = 0.4 if what == "predicts" else 0.0
        bars = [
            Rectangle((began[i], core - 0.4 + offset), ended[i] - began[i], 0.4)
            for i, core in zip(mine, cores, strict=True)
        ]
        if bars:
            edges = PatchCollection(bars, facecolor=colour, edgecolor="white", linewidth=0.1)
            edges.set_label(what)
            axes.add_collection(edges)
    working = [t for t, _ in layer.tasks.names if t.endswith(tuple(COLOURS))]
    last = max(int(track.split()[1]) for track in working)
    axes.set(xlim=(0, float(ended.max())), ylim=(last + 0.5, -0.5))
    axes.set(xlabel="ms of one layer", ylabel="core", title="cores at work, step by step")
    axes.legend(loc="lower right")
