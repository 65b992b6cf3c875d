"""Tables of measured runs as text: the terminal and the page show the same."""

from collections.abc import Sequence
from dataclasses import dataclass

from star_watos.validate.runs.document import baselines, peers
from star_watos.validate.runs.picks import picks
from star_watos.validate.runs.predict import Prediction
from star_watos.validate.runs.row import Run
from star_watos.validate.runs.summary import Summary, has, summaries

MOST_ROWS = 30
"""Rows of a table that are shown; of a longer one only the worst are."""
MOST_PICKS = 15
"""Groups that are shown, the costliest."""


@dataclass(frozen=True, slots=True)
class TextTable:
    """Rows of text under names, the first `left` columns words and the rest figures."""

    title: str
    names: tuple[str, ...]
    left: int
    rows: Sequence[tuple[str, ...]]


def summary_table(predictions: Sequence[Prediction]) -> TextTable:
    """Return how far off each table's columns are, and under each what others reach."""
    beside = {(item.table, item.column): item for item in baselines(predictions)}
    rows = []
    for item in summaries(predictions):
        rows.append(_summary_row(f"{item.table}, {item.column}", item))
        other = beside.get((item.table, item.column))
        rows += [_summary_row("fitted constant x bubble", other)] if other else []
        rows += [_peer_row(peer) for peer in peers(item.table)]
    names = ("", "runs", "mean", "95th pct", "bias", "rank", "in groups", "regret")
    return TextTable("", names, 1, rows)


def _summary_row(name: str, item: Summary) -> tuple[str, ...]:
    errors = f"{item.mae_pct:.1f} %", f"{item.p95_pct:.1f} %", f"{item.bias_pct:+.1f} %"
    ranks = ("" if r is None else f"{r:.3f}" for r in (item.spearman, item.spearman_within))
    regret = "" if item.regret_pct is None else f"{item.regret_pct:.1f} %"
    return (name, f"{item.rows:,}", *errors, *ranks, regret)


def _peer_row(peer: dict[str, str]) -> tuple[str, ...]:
    mean, regret = (f"{text} %" if text else "" for text in (peer["mae_pct"], peer["regret_pct"]))
    return (
        peer["tool"],
        f"{int(peer['rows']):,}",
        mean,
        "",
        "",
        "",
        peer["spearman_within"],
        regret,
    )


def run_tables(predictions: Sequence[Prediction], column: str) -> list[TextTable]:
    """Return the runs of a column, and what choosing by it costs where there are groups."""
    chosen = [] if column == "memory_gib" else [picks_table(predictions, column)]
    return [runs_table(predictions, column), *(table for table in chosen if table.rows)]


def runs_table(predictions: Sequence[Prediction], column: str) -> TextTable:
    """Return the runs in which `column` was measured, beside what the model says of them."""
    own, title = [p for p in predictions if has(p, column)], ""
    if len(own) > MOST_ROWS:
        own = sorted(own, key=lambda p: -abs(p.error_pct(column) or 0.0))[:MOST_ROWS]
        title = f"The {MOST_ROWS} worst; `--out FILE.csv` writes all:"
    names = ("run", "device", "batch", "plan", column, "ours", "error", "bound")
    return TextTable(title, names, 4, [_run_row(p, column) for p in own])


def _run_row(prediction: Prediction, column: str) -> tuple[str, ...]:
    run = prediction.run
    return (
        run.label,
        f"{run.devices:,} x {run.device}",
        _batch(run),
        plan_text(prediction),
        f"{getattr(run, column):,.5g}",
        f"{getattr(prediction, column):,.5g}",
        f"{prediction.error_pct(column):+.1f} %",
        prediction.bound,
    )


def picks_table(predictions: Sequence[Prediction], column: str) -> TextTable:
    """Return the groups in which choosing by the predictions costs most; none without groups."""
    found = picks(predictions, column)
    cheap = sum(pick.regret_pct < 2 for pick in found)
    title = f"Choosing costs less than 2 % in {cheap} of {len(found)} groups; the costliest:"
    names = ("run", "device", "batch", "measured best", "picked", "costs", "said to be behind by")
    rows = [
        (
            pick.best.run.label,
            f"{pick.best.run.devices:,} x {pick.best.run.device}",
            _batch(pick.best.run),
            plan_text(pick.best),
            plan_text(pick.picked),
            f"{pick.regret_pct:.1f} %",
            f"{pick.said_pct:.1f} %",
        )
        for pick in found[:MOST_PICKS]
    ]
    return TextTable(title, names, 5, rows)


def _batch(run: Run) -> str:
    """Return sequences and tokens of each."""
    return f"{run.global_batch:,} x {run.seq:,}"


def plan_text(prediction: Prediction) -> str:
    """Return a run's plan in short."""
    run = prediction.run
    degrees = f"TP {run.tp} PP {run.pp} DP {run.replicas} b {run.micro_batch}"
    more = [f"{name} {n}" for name, n in (("CP", run.cp), ("EP", run.ep)) if n > 1]
    more += [f"v {run.interleave_v}"] if run.interleave_v > 1 else []
    more += [f"ZeRO-{run.zero}"] if run.zero else []
    more += [run.recompute] if run.recompute != "none" else []
    return " ".join([degrees, *more, *(["SP"] if run.seq_parallel else [])])
