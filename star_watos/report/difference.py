"""The terminal report of what differs between two runs."""

from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from star_watos.explore.manifest import brief

if TYPE_CHECKING:
    from star_watos.explore.diff import Best, Difference


def print_merged(manifest: dict[str, Any]) -> None:
    """Print how many designs of each run are left."""
    table = Table("run", box=None, header_style="bold", pad_edge=False)
    for name in ("designs", "left"):
        table.add_column(name, justify="right")
    for run, part in manifest["runs"].items():
        table.add_row(escape(run), f"{part['designs']:,}", f"{part['left']:,}")
    Console().print(table)


def print_difference(found: "Difference") -> None:
    """Print what got better or worse, who dominates whom, and what was asked differently."""
    console = Console(highlight=False)
    console.print(_figures(found))
    for text in _designs(found):
        console.print(text, markup=False)
    if found.config:
        console.print(_config(found))


def _figures(found: "Difference") -> Table:
    table = Table("", box=None, header_style="bold", pad_edge=False)
    for name in (f"a: {found.a.name}", f"b: {found.b.name}", "change"):
        table.add_column(escape(name), justify="right")
    a, b = found.hypervolume
    grown = f"{100 * (b / a - 1):+.3g} %" if a else ""
    table.add_row("hypervolume", f"{a:,.6g}", f"{b:,.6g}", grown)
    for best in found.best:
        table.add_row(f"best {best.name}", _number(best.a), _number(best.b), _change(best))
    table.add_row("designs", f"{len(found.a.rows):,}", f"{len(found.b.rows):,}", "")
    return table


def _number(value: float | None) -> str:
    return "none" if value is None else f"{value:,.6g}"


def _change(best: "Best") -> str:
    """Return the change in per cent, and whether it is for the better."""
    if best.a is None or best.b is None or best.a == best.b:
        return "" if best.a != best.b else "same"
    better = (best.b > best.a) == (best.sense == "maximize")
    share = "" if best.change_pct is None else f"{best.change_pct:+.3g} %, "
    return f"{share}{'better' if better else 'worse'}"


def _designs(found: "Difference") -> list[str]:
    over, under = found.b_over_a, found.a_over_b
    return [
        f"{len(over.by):,} designs of b dominate {len(over.rows):,} of a",
        f"{len(under.by):,} designs of a dominate {len(under.rows):,} of b",
        f"{len(found.both):,} designs in both, {len(found.changed):,} of them with other figures",
    ]


def _config(found: "Difference") -> Table:
    table = Table("asked differently", "a", "b", box=None, header_style="bold", pad_edge=False)
    for key, pair in found.config.items():
        table.add_row(escape(key), *(escape(brief(value)) for value in pair))
    return table
