"""The four stages of the shipped core under their roofs, and how busy each is, 1k to 1M tokens.

Run it as `python benchmarks/roofline.py docs/star_roofline.png`; it needs the extra `plot`, and
prints the figures that it draws.
"""

import sys

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes

from star_watos.spec import Document, Mark, load, validate
from star_watos.star import AttentionTask, Core, Evaluation, simulate

LENGTHS = tuple(2**n for n in range(10, 21))
STAGES = ("predict", "sort", "kv_generation", "attention")
COLORS = dict(
    zip(
        (*STAGES, "dram", "weight", "temp"),
        plt.rcParams["axes.prop_cycle"].by_key()["color"],
        strict=False,
    )
)


def runs(core: Core) -> list[Evaluation]:
    """Return Llama-2 7B's prefill at every length, at SOFA's 2 % loss."""
    found = []
    for seq_len in LENGTHS:
        fields = {"model": "llama2_7b", "seq_len": seq_len, "sparsity": "sofa_2pct"}
        task = validate(AttentionTask, Document(fields, {(): Mark("roofline")}))
        result = simulate(core, task.work(task.load()))
        assert isinstance(result, Evaluation)  # noqa: S101 (the shipped core fits its workload)
        found.append(result)
    return found


def peaks(core: Core) -> dict[str, float]:
    """Operations a second of each array: a MAC or shift-add is two, a sorted score one.

    The predictor's is that of phase 1, on 8-bit tokens.
    """
    rows, f = core.queries, core.frequency_hz
    return {
        "predict": 2 * rows * core.dlzs.columns * core.dlzs.int8_rate * f,
        "sort": rows * (core.sads.inputs - core.sads.survivors) * f,
        "kv_generation": 2 * rows * core.kv_generation.columns * f,
        "attention": 2 * rows * core.sufa.columns * f,
    }


def points(found: list[Evaluation], stage: str) -> tuple[list[float], list[float]]:
    """Return operations per DRAM byte and operations a second of a stage, a point a length."""
    intensity, rate = [], []
    for result in found:
        part = getattr(result.stages, stage)
        intensity.append(float(part.ops / part.moved_bytes))
        rate.append(float(result.layer.work.total(part.ops) / result.latency.total_s))
    return intensity, rate


def draw_roofs(axes: Axes, core: Core, found: list[Evaluation]) -> None:
    """Draw each stage's points from 1k to 1M under the roof of its array and of the DRAM."""
    bandwidth = core.dram.bandwidth_bytes_per_s * core.dram.efficiency
    x = np.logspace(-1, 5, 100)
    for stage, peak in peaks(core).items():
        axes.plot(x, np.minimum(peak, bandwidth * x), color=COLORS[stage], lw=0.8, alpha=0.6)
        intensity, rate = points(found, stage)
        axes.plot(intensity, rate, "o-", ms=3, lw=1, color=COLORS[stage], label=stage)
        axes.plot(intensity[-1:], rate[-1:], "s", ms=6, color=COLORS[stage])
        print(f"{stage:14} intensity {intensity[0]:8.1f} to {intensity[-1]:8.1f} OP/B", end="  ")
        print(f"rate {rate[0] / 1e9:7.0f} to {rate[-1] / 1e9:7.0f} GOP/s of {peak / 1e9:,.0f}")
    axes.set(xscale="log", yscale="log", xlabel="operations per DRAM byte", ylabel="operations/s")
    axes.set_title("stages under their roofs; 1k tokens to 1M (square)", fontsize=9)
    axes.legend(fontsize=7)


def draw_shares(axes: Axes, found: list[Evaluation]) -> None:
    """Draw the share of the latency in which each stage, port and the DRAM are busy."""
    for name in (*STAGES, "dram", "weight", "temp"):
        share = [
            100 * float((r.latency.stage_s | r.latency.memory_s)[name] / r.latency.total_s)
            for r in found
        ]
        style = "-" if name in STAGES else "--"
        axes.plot(LENGTHS, share, style, lw=1.2, color=COLORS[name], label=name)
        print(f"{name:14} busy " + " ".join(f"{s:5.1f}" for s in share))
    axes.set(xscale="log", xlabel="tokens", ylabel="busy, % of the latency")
    axes.set_xticks(LENGTHS[::2], ["1k", "4k", "16k", "64k", "256k", "1M"])
    axes.set_title("who is busy (dashed: memories)", fontsize=9)
    axes.legend(fontsize=7)


def main(path: str) -> None:
    """Draw both into one picture."""
    core = load(Core, "star_28nm", "configs/cores")
    found = runs(core)
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
    draw_roofs(left, core, found)
    draw_shares(right, found)
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    main(sys.argv[1])
