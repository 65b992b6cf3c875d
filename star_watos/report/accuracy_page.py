"""`docs/accuracy.md`: what `watos validate` found, as a page with pictures."""

from collections.abc import Sequence
from pathlib import Path

from star_watos.files import write_whole
from star_watos.report.runs import MOST_ROWS, plan_text
from star_watos.report.scatter import plot_scatter
from star_watos.validate.runs.document import baselines, calibration, peers
from star_watos.validate.runs.predict import Prediction, measured_columns
from star_watos.validate.runs.summary import Summary, summaries

_HEAD = """# Measured training runs against the model

Written by `watos validate --report docs/accuracy.md`; do not edit. Errors are prediction over
measurement, less one. Ranks are Spearman's, over the table and as the mean over groups of equal
model, devices and batch with five or more plans. Regret is how much slower than its group's best
measured plan the plan is that the prediction would pick. The baseline is one constant times the
bubble of 1F1B, fitted to the table it is judged on; no prediction of ours is. What each table
leaves open and what was assumed for it: [training.md](training.md).

"""


def write_accuracy_page(predictions: Sequence[Prediction], page: Path) -> None:
    """Write the page and a picture a table and measured column beside it."""
    parts = [_HEAD, _summary_table(predictions)]
    for table in dict.fromkeys(p.table for p in predictions):
        own = [p for p in predictions if p.table == table]
        parts.append(f"\n## {table}\n\n")
        for column in measured_columns(own):
            picture = page.with_name(f"accuracy_{table}_{column}.png")
            plot_scatter(own, column, picture)
            parts.append(f"![predicted over measured]({picture.name})\n\n{_rows(own, column)}\n")
    parts.append(_calibration(predictions))
    write_whole(page, "".join(parts))


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _summary_table(predictions: Sequence[Prediction]) -> str:
    header = ("table", "column", "runs", "mean", "95th pct", "bias", "rank", "in groups", "regret")
    rows = []
    beside = {(item.table, item.column): item for item in baselines(predictions)}
    for item in summaries(predictions):
        rows.append(_summary_row(item, item.column))
        other = beside.get((item.table, item.column))
        rows += [_summary_row(other, "baseline")] if other else []
        for peer in peers(item.table):
            cells = [_percent(peer["mae_pct"]), "", "", "", peer["spearman_within"]]
            rows.append(["", peer["tool"], peer["rows"], *cells, _percent(peer["regret_pct"])])
    return _table(header, rows)


def _summary_row(item: Summary, column: str) -> list[str]:
    name = "" if column == "baseline" else item.table
    errors = [f"{item.mae_pct:.1f} %", f"{item.p95_pct:.1f} %", f"{item.bias_pct:+.1f} %"]
    ranks = ["" if r is None else f"{r:.3f}" for r in (item.spearman, item.spearman_within)]
    regret = "" if item.regret_pct is None else f"{item.regret_pct:.1f} %"
    return [name, column, str(item.rows), *errors, *ranks, regret]


def _percent(text: str) -> str:
    return f"{text} %" if text else ""


def _rows(predictions: Sequence[Prediction], column: str) -> str:
    own = [p for p in predictions if getattr(p.run, column) is not None]
    said = ""
    if len(own) > MOST_ROWS:
        own = sorted(own, key=lambda p: -abs(p.error_pct(column) or 0.0))[:MOST_ROWS]
        said = f"The {MOST_ROWS} worst of them:\n\n"
    header = ("run", "devices", "plan", f"measured {column}", "ours", "error", "bound")
    rows = [
        [
            p.run.name,
            f"{p.run.devices:,} {p.run.device}",
            plan_text(p),
            f"{getattr(p.run, column):,.5g}",
            f"{getattr(p, column):,.5g}",
            f"{p.error_pct(column):+.1f} %",
            p.bound,
        ]
        for p in own
    ]
    return said + _table(header, rows)


def _calibration(predictions: Sequence[Prediction]) -> str:
    text = "\n## What the devices are described by\n\nEvery constant, and where it comes from.\n"
    for device, constants in calibration(predictions).items():
        rows = [[c["constant"], f"{c['value']}", c["source"]] for c in constants]
        text += f"\n### {device}\n\n{_table(('constant', 'value (SI)', 'source'), rows)}"
    return text
