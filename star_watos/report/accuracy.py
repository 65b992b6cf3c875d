"""The terminal report of `star accuracy`."""

from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

RATIO_NAMES = {
    "predict_to_int4": "prediction / 4-bit multiplication",
    "predict_to_exact": "prediction / exact K and scores",
    "sort_to_full_sort": "sorter's comparisons / full sort's",
    "sufa_to_flash2": "SU-FA as built / FlashAttention-2 *",
    "sufa_to_ascending": "SU-FA as built / ascending *",
    "descending_to_flash2": "SU-FA descending / FA-2 * (paper 0.75)",
    "descending_to_ascending": "SU-FA descending / ascending * (paper 0.89)",
    "star_to_dense": "all of STAR / dense softmax attention",
    "rass_to_in_order": "K/V rows loaded, RASS / in order",
}
NOTES = (
    "recall, mass and error: of queries that leave out some key they see\n"
    "in order: nothing is held from one step to the next\n"
    "* without what all have, the products and the final division; operations weigh, in 16-bit "
    "additions: {weights}"
)


def print_accuracy(report: dict[str, Any], console: Console | None = None) -> None:
    """Print the document of `star accuracy`: layers, means, operations."""
    console = console or Console()
    console.print(
        f"[bold]{escape(report['model'])}[/bold], {report['seq_len']:,} tokens of "
        f"{escape(report['text'])}"
    )
    console.print(f"[dim]{escape(report['predictor'])}; {escape(report['sorter'])}[/dim]")
    console.print(_layers(report))
    console.print(_summary(report["summary"]))
    console.print(_ratios(report["summary"]))
    weights = ", ".join(f"{kind} {weight:g}" for kind, weight in report["weights"].items())
    console.print(f"[dim]{NOTES.format(weights=weights)}[/dim]")


def _table(*columns: str) -> Table:
    table = Table(columns[0], box=None, header_style="dim", pad_edge=False)
    for column in columns[1:]:
        table.add_column(column, justify="right", no_wrap=True)
    return table


def _layers(report: dict[str, Any]) -> Table:
    """Return mass kept and output error, one row a layer, one column a keep ratio."""
    if report["target_mass"] is not None:
        return _own_ratios(report)
    ratios = [mean["keep_ratio"] for mean in report["summary"]]
    table = _table("layer", *(f"keep {ratio:g}" for ratio in ratios))
    by_layer: dict[int, list[str]] = {}
    for row in report["rows"]:
        cell = f"{row['mass_kept']:.3f} {row['rel_l2']:.3f}"
        by_layer.setdefault(row["layer"], []).append(cell)
    table.add_row("", *["[dim]mass error[/dim]"] * len(ratios))
    for layer, cells in by_layer.items():
        table.add_row(str(layer), *cells)
    return table


def _own_ratios(report: dict[str, Any]) -> Table:
    """Return one row a layer, where each has its own keep ratio."""
    table = _table("layer", "keep", "recall", "mass", "error", "loaded")
    for row in report["rows"]:
        names = ("keep_ratio", "recall", "mass_kept", "rel_l2", "load_ratio")
        table.add_row(str(row["layer"]), *(f"{row[name]:.3f}" for name in names))
    return table


def _summary(means: list[dict[str, Any]]) -> Table:
    """Return the means over layers, one row a figure, one column a keep ratio."""
    table = _table("mean over layers", *(f"keep {mean['keep_ratio']:.4g}" for mean in means))
    names = {
        "recall": "recall of the exact top-k",
        "mass_kept": "softmax mass kept",
        "least_mass_kept": "the same, worst layer",
        "rel_l2": "output error, relative L2",
        "cosine": "output cosine",
        "kept_share": "kept pairs / pairs seen",
        "load_ratio": "K/V rows loaded / passed, one head's tile",
        "group_load_ratio": "the same, all heads of a K/V head",
        "kv_ratio": "tokens whose K, V are generated",
    }
    for key, name in names.items():
        table.add_row(name, *(f"{mean[key]:.4f}" for mean in means))
    if "perplexity" in means[0]:
        for key, name in {"dense": "dense", "exact_topk": "exact top-k", "star": "STAR"}.items():
            table.add_row(f"perplexity, {name}", *(f"{m['perplexity'][key]:.3f}" for m in means))
        table.add_row("its increase", *(f"{m['perplexity']['loss']:+.2%}" for m in means))
    return table


def _ratios(means: list[dict[str, Any]]) -> Table:
    """Return the ratios of operations, weighted in 16-bit additions."""
    table = _table("operations, ratio", *(f"keep {mean['keep_ratio']:.4g}" for mean in means))
    for key, name in RATIO_NAMES.items():
        table.add_row(name, *(f"{mean['ratios'][key]:.3f}" for mean in means))
    return table
