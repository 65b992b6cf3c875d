"""`docs/accuracy.md`: what `watos validate` found, as a page with pictures."""

from collections.abc import Sequence
from pathlib import Path

from star_watos.files import write_whole
from star_watos.report.run_tables import TextTable, run_tables, summary_table
from star_watos.report.scatter import plot_scatter
from star_watos.validate.runs.document import calibration
from star_watos.validate.runs.predict import Prediction, measured_columns

_HEAD = """# Measured training runs against the model

Written by `watos validate --report docs/accuracy.md`; do not edit. Errors are prediction over
measurement, less one. Ranks are Spearman's, over the table and as the mean over groups of equal
model, devices and batch with five or more plans. Regret is how much slower than its group's best
measured plan the plan is that the prediction would pick; where that costs most stands under each
table. The baseline is one constant times the bubble of 1F1B, fitted to the table it is judged on;
no prediction of ours is. What each table leaves open and what was assumed for it:
[training.md](training.md).

"""


def write_accuracy_page(predictions: Sequence[Prediction], page: Path) -> None:
    """Write the page and a picture a table and measured column beside it."""
    parts = [_HEAD, _markdown(summary_table(predictions))]
    for table in dict.fromkeys(p.table for p in predictions):
        own = [p for p in predictions if p.table == table]
        parts.append(f"## {table}\n")
        for column in measured_columns(own):
            picture = page.with_name(f"accuracy_{table}_{column}.png")
            plot_scatter(own, column, picture)
            parts.append(f"\n![predicted over measured]({picture.name})\n\n")
            parts += [_markdown(shown) for shown in run_tables(own, column)]
    parts.append(_calibration(predictions))
    write_whole(page, "".join(parts))


def _markdown(text: TextTable) -> str:
    title = f"{text.title}\n\n" if text.title else ""
    lines = [text.names, ("---",) * len(text.names), *text.rows]
    return title + "".join(f"| {' | '.join(line)} |\n" for line in lines) + "\n"


def _calibration(predictions: Sequence[Prediction]) -> str:
    text = "## What the devices are described by\n\nEvery constant, and where it comes from.\n"
    for device, constants in calibration(predictions).items():
        rows = [(c["constant"], f"{c['value']}", c["source"]) for c in constants]
        names = ("constant", "value (SI)", "source")
        text += f"\n### {device}\n\n{_markdown(TextTable('', names, 3, rows))}"
    return text.rstrip("\n") + "\n"
