"""The terminal report of measured training runs."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from star_watos.validate.runs.document import baselines, peers
from star_watos.validate.runs.predict import Prediction, measured_columns
from star_watos.validate.runs.summary import Summary, summaries

MOST_ROWS = 30
"""Rows of a table that are printed; of a longer one only the worst are."""


def print_runs(predictions: Sequence[Prediction], console: Console | None = None) -> None:
    """Print each table's runs beside what the model says of them, and the summaries."""
    console = console or Console()
    for table in dict.fromkeys(p.table for p in predictions):
        own = [p for p in predictions if p.table == table]
        console.print(f"[bold]{table}[/bold], {len(own):,} measured runs", highlight=False)
        for column in measured_columns(own):
            console.print(_rows(own, column))
            if len(own) > MOST_ROWS:
                console.print(f"the {MOST_ROWS} worst; --out FILE.csv has all", style="dim")
        console.print(_summaries(own))
        console.print()


def _rows(predictions: list[Prediction], column: str) -> Table:
    measured = [p for p in predictions if getattr(p.run, column) is not None]
    if len(measured) > MOST_ROWS:
        measured = sorted(measured, key=lambda p: -abs(p.error_pct(column) or 0.0))[:MOST_ROWS]
    table = Table(box=None, header_style="dim", pad_edge=False)
    for name in ("run", "device", "plan"):
        table.add_column(name)
    for name in (column, "ours", "error", "bound"):
        table.add_column(name, justify="right", no_wrap=True)
    for p in measured:
        figures = f"{getattr(p.run, column):,.5g}", f"{getattr(p, column):,.5g}"
        error = f"{p.error_pct(column):+.1f} %"
        device = f"{p.run.devices:,} x {p.run.device}"
        table.add_row(p.run.name, device, plan_text(p), *figures, error, p.bound)
    return table


def plan_text(prediction: Prediction) -> str:
    """Return a run's plan in short."""
    run = prediction.run
    degrees = f"TP {run.tp} PP {run.pp} DP {run.replicas} b {run.micro_batch}"
    more = [f"v {run.interleave_v}"] if run.interleave_v > 1 else []
    more += [f"ZeRO-{run.zero}"] if run.zero else []
    more += [run.recompute] if run.recompute != "none" else []
    return " ".join([degrees, *more, *(["SP"] if run.seq_parallel else [])])


def _summaries(predictions: list[Prediction]) -> Table:
    table = Table(box=None, header_style="dim", pad_edge=False)
    table.add_column("")
    for name in ("mean", "95th", "bias", "rank", "in groups", "regret"):
        table.add_column(name, justify="right", no_wrap=True)
    for item in summaries(predictions):
        table.add_row(f"ours, {item.column}", *_figures(item))
    for item in baselines(predictions):
        table.add_row("fitted constant x bubble", *_figures(item), style="dim")
    for peer in peers(predictions[0].table):
        name = f"{peer['tool']}, {int(peer['rows']):,} runs"
        cells = _percent(peer["mae_pct"]), "", "", "", peer["spearman_within"]
        table.add_row(name, *cells, _percent(peer["regret_pct"]), style="dim")
    return table


def _percent(text: str) -> str:
    return f"{text} %" if text else ""


def _figures(item: Summary) -> tuple[str, ...]:
    ranks = ("" if r is None else f"{r:.3f}" for r in (item.spearman, item.spearman_within))
    regret = "" if item.regret_pct is None else f"{item.regret_pct:.1f} %"
    errors = f"{item.mae_pct:.1f} %", f"{item.p95_pct:.1f} %", f"{item.bias_pct:+.1f} %"
    return (*errors, *ranks, regret)
