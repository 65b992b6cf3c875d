"""A collective as a picture: what each link carries, and what each node sends step by step."""

from pathlib import Path

import matplotlib as mpl
import numpy as np

mpl.use("Agg")
from matplotlib import pyplot as plt

from star_watos.fabric import Area
from star_watos.fabric.collectives import StepFlows, Transfers
from star_watos.fabric.flows import link_loads
from star_watos.report.mesh import draw_loads


def plot_collective(title: str, area: Area, transfers: Transfers, picture: Path) -> None:
    """Draw the load of every link, and bytes sent by node and step, both in vectors of a node."""
    mesh, flows = area.mesh, StepFlows.of(transfers, area.mesh)
    figure, axes = plt.subplots(1, 2, figsize=(12, 5), layout="constrained")
    drawn = draw_loads(axes[0], mesh, link_loads(mesh, flows.routes, flows.share))
    figure.colorbar(drawn, label="vectors over a link", ax=axes[0])
    axes[0].set_title(title)
    sent = np.zeros((mesh.n_nodes, max(flows.n_steps, 1)))
    np.add.at(sent, (flows.source, flows.step), flows.share)
    image = axes[1].imshow(sent, aspect="auto", interpolation="nearest", cmap="viridis_r")
    figure.colorbar(image, label="vectors sent by a node in a step", ax=axes[1])
    axes[1].set(xlabel="step", ylabel="node", title="who sends when")
    figure.savefig(picture, dpi=120)
    plt.close(figure)
