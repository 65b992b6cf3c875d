"""What broken parts cost a wafer, in the terminal."""

from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from star_watos.report.tables import figures_table


def print_faults(found: dict[str, Any], console: Console) -> None:
    """Print what is broken on one wafer, and what every schedule makes of the rest."""
    healthy = found["healthy_tokens_per_s"]
    names = {"robust": "robust", "replanned": "replanned", "non_robust": "not robust"}
    throughput = {
        f"{name} schedule": f"{found[f'{key}_tokens_per_s']:,.0f} tokens/s, "
        f"{found[f'{key}_tokens_per_s'] / healthy:.1%} of the healthy wafer's"
        for key, name in names.items()
    }
    broken = f"{found['broken_dies']} dies, {found['broken_links']} links"
    if found["least_cores"] < found["cores_of_a_die"]:
        broken += f", up to {found['cores_of_a_die'] - found['least_cores']} cores of a die"
    left = f"{found['dies']} dies"
    if found["cut_off_dies"]:
        left += f"; {found['cut_off_dies']} are cut off"
    gain = "" if found["gain"] is None else f"{found['gain']:+.1%}"
    figures = {"broken": broken, "left": left, **throughput}
    console.print(figures_table(figures | ({"gain": gain} if gain else {})))


def print_curve(report: dict[str, Any], console: Console | None = None) -> None:
    """Print throughput over the healthy wafer's, for each rate."""
    console = console or Console()
    console.print(
        f"[bold]{escape(report['wafer']['name'])}[/bold], {escape(report['workload']['model'])}: "
        f"{report['healthy_tokens_per_s']:,.0f} tokens/s with nothing broken. Below, percent of it:"
        f" mean, and 10th to 90th percentile of {report['seeds']} draws"
    )
    table = Table(box=None, header_style="dim", pad_edge=False)
    for name in (report["of"], "left", "robust", "replanned", "not robust", "gain"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in report["rates"]:
        spreads = (_spread(row[name]) for name in ("robust", "replanned", "non_robust"))
        gain = "" if row["gain"] is None else f"{row['gain']:+.1%}"
        table.add_row(f"{row['rate']:.4g}", f"{row['dies']:.1f}", *spreads, gain)
    console.print(table)


def _spread(values: dict[str, float]) -> str:
    """Return mean and percentiles, in percent.

    >>> _spread({"mean": 0.5, "p10": 0.25, "p90": 0.75})
    '50.0 (25 to 75)'
    """
    low, high = 100 * values["p10"], 100 * values["p90"]
    return f"{100 * values['mean']:.1f} ({low:.0f} to {high:.0f})"
