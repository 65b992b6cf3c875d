"""The terminal report of `star simulate`."""

from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from star_watos.report.tables import figures_table, parts_table
from star_watos.units import show

STAGE_NAMES = {
    "predict": "predict",
    "sort": "sort",
    "kv_generation": "K/V generation",
    "attention": "attention",
}
WORTH = 0.995
"""A factor above this is no gain."""
CHANGES_SHOWN = 4
"""Doubled resources that are worth a line."""


def print_core(report: dict[str, Any], console: Console | None = None) -> None:
    """Print the document of `star simulate` as tables."""
    console = console or Console()
    work, design, metrics = report["workload"], report["design"], report["metrics"]
    name, model, sparsity = (escape(n) for n in (design["name"], work["model"], work["sparsity"]))
    console.print(
        f"[bold]{name}[/bold] ({', '.join(design['dataflow'].values())}), {model}, {_asked(work)}, "
        f"{'causal' if work['causal'] else 'full'} attention, {_keeps(work)} "
        f"({sparsity}), key tile {design['key_tile']}{_together(design)}"
    )
    if "mesh" in report:
        console.print(_mesh(report["mesh"]))
    if work["extrapolation"] is not None:
        console.print(_extrapolation(work))
    console.print(figures_table(_figures(metrics)))
    console.print(_stages(report))
    console.print(
        parts_table(
            {
                "area mm2": report["area_mm2"],
                "power W": report["power_w"],
                "energy J": report["energy_j"],
            }
        )
    )
    console.print(f"bound by [bold]{report['bound']}[/bold]{_best_change(report)}")
    console.print(_changes(report["sensitivity"]))
    if report["event"] is not None:
        console.print(_event(report["event"]))


def _asked(work: dict[str, Any]) -> str:
    """Return what is computed: a whole text, its chunks, or the last of it."""
    queries, keys = work["queries"], f"{work['seq_len']:,} tokens"
    if work["phase"] == "prefill":
        return keys
    what = "in chunks of" if work["phase"] == "chunked" else "the last"
    return f"{keys}, {what} {queries or 1:,}"


def _mesh(mesh: dict[str, Any]) -> str:
    """Return how a sequence is spread over cores, and how well, as one line."""
    cores = mesh["rows"] * mesh["cols"]
    hidden = "beside" if mesh["overlap"] else "after"
    text = (
        f"mesh of {mesh['rows']} x {mesh['cols']} cores ({escape(mesh['noc']['name'])}): "
        f"{mesh['dataflow']}, {mesh['ring']} ring, {mesh['partition']} partition, transfers "
        f"{hidden} work; {mesh['efficiency']:.1%} of {cores} times one core, the busiest core has "
        f"{mesh['busiest_core']:.3g} of the mean"
    )
    if mesh["rows_saved_share"] > 0:
        text += (
            f"; not sending unkept rows saves {mesh['rows_saved_share']:.1%} of the traffic, "
            f"saying which are kept is {mesh['index_share']:.2%} of it"
        )
    return text


def _together(design: dict[str, Any]) -> str:
    heads = design["heads_together"]
    return f", {heads} heads of a K/V head together" if heads > 1 else ""


def _best_change(report: dict[str, Any]) -> str:
    """Return the change that would shorten the latency most, and the one that does so cheapest.

    Cheapest is the greatest cut of latency times area, if there is one.
    """
    changes = report["sensitivity"]
    most = changes[0]
    if most["latency"] > WORTH:
        return "; doubling no single resource would help"
    cheapest = min(changes, key=lambda change: change["latency"] * change["area"])
    text = f"; of all single changes twice {_said(most)} would shorten it most"
    if cheapest is most or cheapest["latency"] * cheapest["area"] > WORTH:
        return text
    return f"{text}, for its area twice {_said(cheapest)}"


def _said(change: dict[str, Any]) -> str:
    latency, area = (100 * (change[name] - 1) for name in ("latency", "area"))
    return f"[bold]{change['resource']}[/bold] ({latency:+.1f} % latency, {area:+.1f} % area)"


def _changes(changes: list[dict[str, Any]]) -> Table:
    """Return the changes that help latency most, and the one that helps energy most."""
    table = Table("twice", box=None, header_style="dim", pad_edge=False)
    for column in ("latency", "energy", "area"):
        table.add_column(column, justify="right")
    frugal = min(changes, key=lambda change: change["energy"])
    shown = changes[:CHANGES_SHOWN]
    for change in [*shown, *([] if frugal in shown else [frugal])]:
        factors = (f"{100 * (change[c] - 1):+.1f} %" for c in ("latency", "energy", "area"))
        table.add_row(change["resource"], *factors)
    return table


def _event(event: dict[str, Any]) -> str:
    return (
        f"played out: {show(event['latency_s'], 's')}; by the formulas "
        f"{show(event['analytic_latency_s'], 's')} ({event['analytic_gap_pct']:+.1f} %)"
    )


def _keeps(work: dict[str, Any]) -> str:
    """Return the keep ratio, or its range over the layers and the mean."""
    by_layer = work["keep_ratio_by_layer"]
    if by_layer is None:
        return f"keep ratio {work['keep_ratio']:.4g}"
    low, high = min(by_layer), max(by_layer)
    return f"keep ratio {low:.2g} to {high:.2g} by layer, mean {work['keep_ratio']:.2g}"


def _extrapolation(work: dict[str, Any]) -> str:
    """Return what is known of the ratio beyond its measured length, as one line."""
    found = work["extrapolation"]
    known = f"keep ratio and accuracy loss {work['accuracy_loss']:g} measured up to "
    known += f"{found['measured_seq_len']:,} tokens; beyond, "
    if found["keep_ratio_band"] is None:
        return f"{known}the ratio is held constant, band unknown"
    low, high = found["keep_ratio_band"]
    fast, slow = ("too big" if s is None else show(s, "s") for s in found["latency_s_band"])
    return f"{known}{low:.4g} to {high:.4g}: latency {fast} to {slow}"


def _figures(metrics: dict[str, float]) -> dict[str, str]:
    links = {}
    if "noc_bytes" in metrics:
        links = {
            "traffic on links, each hop": show(metrics["noc_bytes"], "B"),
            "time that transfers add": show(metrics["noc_exposed_s"], "s"),
        }
    return {
        "latency": show(metrics["latency_s"], "s"),
        "throughput, dense-equivalent": show(metrics["throughput_gops"] * 1e9, "OP/s"),
        "throughput, operations done": show(metrics["raw_throughput_gops"] * 1e9, "OP/s"),
        "16-bit MAC utilization": f"{metrics['utilization']:.1%}",
        "energy": show(metrics["energy_j"], "J"),
        "power, core / with DRAM": f"{metrics['core_power_w']:.3g} / {metrics['power_w']:.3g} W",
        "area": f"{metrics['area_mm2']:.4g} mm2",
        "efficiency, core / with DRAM": (
            f"{metrics['core_energy_efficiency_gops_per_w']:,.0f} / "
            f"{metrics['energy_efficiency_gops_per_w']:,.0f} GOPS/W"
        ),
        "area efficiency": f"{metrics['area_efficiency_gops_per_mm2']:,.0f} GOPS/mm2",
        "DRAM traffic": show(metrics["dram_bytes"], "B"),
        **links,
    }


def _stages(report: dict[str, Any]) -> Table:
    table = Table("stage", box=None, header_style="dim", pad_edge=False)
    for column in ("busy", "of the time", "operations", "DRAM", "energy"):
        table.add_column(column, justify="right")
    for name, stage in report["stages"].items():
        table.add_row(
            STAGE_NAMES[name],
            show(stage["latency_s"], "s"),
            f"{stage['utilization']:.1%}",
            show(stage["ops"], "OP"),
            show(stage["dram_bytes"], "B"),
            show(stage["energy_j"], "J"),
        )
    return table
