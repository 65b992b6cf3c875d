"""The measured tables of docs/algorithms.md, on the real tensors of SmolLM2.

    python benchmarks/algorithms.py --seq-len 1k
    python benchmarks/algorithms.py --seq-len 2k --exponentials 20
    python benchmarks/algorithms.py --seq-len 1k --picture docs/score_row.png

Every table is a mean over all layers and heads, of the queries that leave out some key they see.
"""

import argparse
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from threadpoolctl import threadpool_limits

from star_watos.star.accuracy import Setting, read_tokens
from star_watos.star.accuracy.measure import measure_layer, tiles_of
from star_watos.star.accuracy.setting import kept_per_row, places
from star_watos.star.accuracy.tile import Head, Where, heads_of, mass_of
from star_watos.star.algorithms import (
    Arithmetic,
    Encode,
    Layout,
    MaskCounts,
    Method,
    Predictor,
    Prepared,
    Sads,
    Snap,
    in_order_loads,
    schedule,
    shift_product,
    snap,
)
from star_watos.star.algorithms.complexity import load_complexity, savings
from star_watos.star.algorithms.operations import descending_operations, flash_operations
from star_watos.star.algorithms.rass import in_order_steps
from star_watos.tensors import AttentionInput, RealModel, dense, load_real_model, read_text
from star_watos.units import TOKENS, quantity

KEEPS = (0.05, 0.1, 0.2, 0.25, 0.3, 0.4, 0.5)
KEEP_HEAD = " | ".join(f"{keep:.0%}" for keep in KEEPS) + " |\n" + "|---" * (len(KEEPS) + 1) + "|"
EXACT = Predictor(Method.EXACT)
PREDICTORS = {
    "DLZS, Q encoded, floor": Predictor(),
    "DLZS, Q encoded, nearest": Predictor(snap=Snap.NEAREST),
    "DLZS, K encoded, floor": Predictor(encode=Encode.KEY),
    "DLZS, K encoded, nearest": Predictor(encode=Encode.KEY, snap=Snap.NEAREST),
    "DLZS, Q encoded, floor, 16-bit scores": Predictor(score_bits=16),
    "DLZS, Q encoded, floor, 6-bit scores": Predictor(score_bits=6),
    "SLZS, floor": Predictor(Method.SLZS),
    "4-bit multiplication": Predictor(Method.INT4),
}
SETTINGS = (
    {name: Setting(p, Sads(segments=1)) for name, p in PREDICTORS.items()}
    | {
        f"{layout}, n = {n}, {name}": Setting(predictor, Sads(n, layout))
        for layout in Layout
        for n in (4, 8, 16)
        for name, predictor in (("exact scores", EXACT), ("DLZS", Predictor()))
    }
    | {f"strided, n = 64, {name}": Setting(p, Sads(64)) for name, p in (("DLZS", Predictor()),)}
    | {f"radius {r}": Setting(sorter=Sads(radius=r)) for r in (4, 6, 8, 10)}
)


class Found(NamedTuple):
    """Sums over queries that leave a key out."""

    rows: float
    recall: float
    mass: float
    kept: float
    """Keys kept, as a share of what the keep ratio allows."""


def found(head: Head, k: int) -> Found:
    """Return what one head's tile finds when a query may keep `k` keys."""
    kept, rows = head.kept(k), head.choices(k)
    share = kept.sum(axis=1) / kept_per_row(k, head.seen)
    figures = head.recall(kept, k), mass_of(head.weights, kept), share
    return Found(float(rows.size), *(float(x[rows].sum()) for x in figures))


class Study:
    """Sums by setting and keep ratio, gathered while the model runs."""

    def __init__(self, pool: ThreadPoolExecutor, layers: int) -> None:
        """Start from nothing."""
        self.sums = {(name, keep): np.zeros(4) for name in SETTINGS for keep in KEEPS}
        self._pool, self._layers = pool, layers

    def attend(self, given: AttentionInput) -> np.ndarray:
        """Measure a layer under every setting; return its dense output."""
        predictors = {setting.predictor for setting in SETTINGS.values()}
        prepared = {predictor: predictor.prepare(given) for predictor in predictors}

        def measure(where: Where) -> list[tuple[tuple[str, float], Found]]:
            return list(self._tile(given, prepared, where))

        with threadpool_limits(1):
            for results in self._pool.map(measure, tiles_of(given, 128)):
                for key, each in results:
                    self.sums[key] += each
        sys.stderr.write(f"\rlayer {given.layer + 1} of {self._layers}")
        return dense(given)

    def _tile(
        self, given: AttentionInput, prepared: dict[Predictor, Prepared], where: Where
    ) -> Iterator[tuple[tuple[str, float], Found]]:
        for name, setting in SETTINGS.items():
            for head in heads_of(given, prepared[setting.predictor], where, setting):
                for keep in KEEPS:
                    yield (name, keep), found(head, places(keep, given.k.shape[1]))

    def table(self, names: list[str], figure: str) -> None:
        """Print one Markdown table of a figure of `Found`."""
        print(f"\n| {figure} | " + KEEP_HEAD)
        for name in names:
            sums = [Found(*self.sums[name, keep]) for keep in KEEPS]
            print(
                f"| {name} | "
                + " | ".join(f"{getattr(s, figure) / s.rows:.4f}" for s in sums)
                + " |"
            )


def products() -> None:
    """Print the error of DLZS over all pairs of unsigned 8-bit numbers."""
    x, y = (axis.ravel() for axis in np.meshgrid(np.arange(1, 256), np.arange(1, 256)))
    print(
        "\n| 8-bit x 8-bit, all pairs | mean relative error | largest | bias |\n|---|---|---|---|"
    )
    for rule in Snap:
        error = shift_product(x, snap(y.astype(float), rule).astype(int), 9) / (x * y) - 1
        row = np.abs(error).mean(), np.abs(error).max(), error.mean()
        print(f"| {rule} | " + " | ".join(f"{value:.1%}" for value in row) + " |")


def orders() -> None:
    """Print what descending order saves by SOFA's own counts, over weights of an exponential."""
    shipped = load_complexity().weights
    print("\n| mul, div weigh | exp | vs FlashAttention (paper 25 %) | vs ascending (paper 11 %) |")
    print("|---|---|---|---|")
    for mul in (16, 1):
        for exp in (1, 7, 17, 34):
            saved = savings(replace(shipped, exp=exp, mul=mul, div=mul), 16, 64)
            shares = f"{saved.against_traditional:.1%} | {saved.against_ascending:.1%}"
            print(f"| {mul} | {exp} | {shares} |")
    for tiles in (8, 128):
        work = MaskCounts(rows=1, pairs=512, tiles=tiles, head_dim=64)
        ways = descending_operations(work, updates=0), flash_operations(work)
        ours, flash = (way.weighted(shipped) for way in ways)
        print(f"\nproducts included, 512 keys in {tiles} tiles: {1 - ours / flash:.1%} fewer")


def exponentials(given: AttentionInput, keep: float = 0.1) -> None:
    """Print the output error of a layer over the integer bits of an exponential."""
    formats = [Arithmetic(exp_integer_bits=bits) for bits in (4, 5, 6, 7, 8)]
    segments = Sads(given.k.shape[1] // 64)
    print(f"\n| layer {given.layer}, keep {keep} | output error | saturated |\n|---|---|---|")
    with ThreadPoolExecutor() as pool, threadpool_limits(1):
        for arithmetic in (*formats, None):
            setting = Setting(sorter=segments, arithmetic=arithmetic)
            _, (measured,) = measure_layer(given, setting, [keep], pool)
            t = measured.tally
            name = "float64" if arithmetic is None else f"{arithmetic.exp_integer_bits} bits"
            share = f"{t.saturated:,.0f} of {t.pairs:,.0f}"
            print(f"| {name} | {(t.error / t.size) ** 0.5:.2%} | {share} |")


def loads(given: AttentionInput) -> None:
    """Print what RASS loads and how long it takes on the last query tile of a layer."""
    seq_len, setting = given.k.shape[1], Setting()
    where = Where(0, slice(seq_len - 128, seq_len), seq_len)
    head = heads_of(given, setting.predictor.prepare(given), where, setting)[0]
    print(f"\n| rows loaded / steps, layer {given.layer}, last 128 queries | " + KEEP_HEAD)
    rows: dict[str, list[str]] = {name: [] for name in ("in order", "RASS")}
    for keep in KEEPS:
        kept = head.kept(places(keep, seq_len))
        greedy = schedule(kept)
        rows["in order"].append(f"{int(in_order_loads(kept)):,} / {int(in_order_steps(kept)):,}")
        rows["RASS"].append(f"{greedy.loads:,} / {len(greedy.steps):,}")
    for name, cells in rows.items():
        print(f"| {name} | " + " | ".join(cells) + " |")


def picture(given: AttentionInput, path: Path, head: int = 2, keep: float = 0.1) -> None:
    """Draw the last query's scores of one head, and the keys that each layout keeps of them."""
    import matplotlib.pyplot as plt  # noqa: PLC0415 (extra `plot`)

    seq_len = given.k.shape[1]
    where = Where(head // given.group, slice(seq_len - 128, seq_len), seq_len)
    sorters = {
        "exact top-k": Setting(EXACT, Sads(segments=1)),
        "DLZS, 4 contiguous": Setting(sorter=Sads(4, Layout.CONTIGUOUS)),
        "DLZS, 4 strided": Setting(sorter=Sads(4, Layout.STRIDED)),
    }
    figure, (top, *strips) = plt.subplots(
        4, 1, figsize=(9, 5), sharex=True, height_ratios=(6, 1, 1, 1), layout="constrained"
    )
    for strip, (name, setting) in zip(strips, sorters.items(), strict=True):
        rows = heads_of(given, setting.predictor.prepare(given), where, setting)
        row = rows[head % given.group]
        kept = row.kept(places(keep, seq_len))[-1]
        mass = row.weights[-1][kept].sum()
        strip.vlines(np.flatnonzero(kept), 0, 1, linewidth=0.8)
        strip.set(yticks=[], ylabel="")
        strip.set_title(f"{name}: {mass:.1%} of the softmax mass", loc="left", fontsize=9)
    top.plot(row.scores[-1], linewidth=0.7)
    for edge in range(1, 4):
        top.axvline(edge * seq_len / 4, color="grey", linewidth=0.6, linestyle=":")
    top.set_ylabel("Q Kᵀ / √d")
    top.set_title(
        f"SmolLM2, layer {given.layer}, head {head}, last of {seq_len:,} queries; "
        f"{keep:.0%} of the keys kept",
        loc="left",
    )
    strips[-1].set_xlabel("key; dotted: edges of 4 contiguous segments")
    figure.savefig(path, dpi=110)


def layer_of(model: RealModel, tokens: np.ndarray, layer: int) -> AttentionInput:
    """Return what one layer's attention sees."""
    layers: list[AttentionInput] = []
    model.forward(tokens, lambda given: (layers.append(given), dense(given))[1])
    return layers[layer]


def main() -> None:
    """Run the model once, and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seq-len", default="1k")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--exponentials", type=int, metavar="LAYER", help="only their table")
    parser.add_argument("--picture", type=Path, help="draw one score row instead of measuring")
    options = parser.parse_args()
    model, text = load_real_model("smollm2", print), read_text(None)
    tokens = read_tokens(model, text, int(quantity(options.seq_len, TOKENS)))
    if options.picture:
        picture(layer_of(model, tokens, 13), options.picture)
        return
    if options.exponentials is not None:
        exponentials(layer_of(model, tokens, options.exponentials))
        return
    products()
    orders()
    loads(layer_of(model, tokens, 13))
    with ThreadPoolExecutor(options.jobs) as pool:
        study = Study(pool, model.n_layers)
        model.forward(tokens, study.attend)
    print(f"\n{len(tokens):,} tokens of {text.source}; columns are keep ratios")
    of_predictors, of_layouts = list(PREDICTORS), list(SETTINGS)[len(PREDICTORS) :]
    study.table(of_predictors, "recall")
    study.table(of_predictors, "mass")
    study.table(of_layouts, "recall")
    study.table(of_layouts, "mass")
    study.table([name for name in of_layouts if "radius" in name], "kept")


if __name__ == "__main__":
    main()
