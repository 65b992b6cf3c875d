"""The terminal report of `star compare`."""

from collections.abc import Callable
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from star_watos.report.spatial import print_spatial
from star_watos.units import show

CELLS = {
    "core_gops_per_w": "core GOPS/W",
    "device_gops_per_w": "device GOPS/W",
    "gops_per_mm2": "GOPS/mm2",
    "latency_ms": "latency ms",
}
HEADLINES = {
    "speedup_vs_a100": "speedup over A100",
    "energy_efficiency_vs_a100": "energy efficiency over A100",
    "energy_vs_sota": "energy efficiency over SOTA",
    "area_vs_sota": "area efficiency over SOTA",
    "spatial_throughput": "throughput of Spatial-STAR",
}
READINGS = {
    "lowest": "lowest",
    "highest": "highest",
    "flashattention": "FlashAttention-2",
    "unfused_at_board_power": "rated power",
    "flashattention_at_board_power": "flash, rated",
    "physical": "physical",
}
LAW = (
    "core power / (s Vdd^2), area / s^2, s = node / 28; latency of 137.44e9 MACs taken as "
    "operations, on 128 multipliers at 1 GHz"
)
PHYSICAL = (
    "area and energy by Stillmaker and Baas (2017), clocks kept, interface and DRAM as they are; "
    "the same latency with a MAC as 2 operations"
)


def print_compare(report: dict[str, Any], console: Console | None = None) -> None:
    """Print the document of `star compare` as tables."""
    console = console or Console()
    work, name = report["workload"], report["design"]["name"]
    console.print(
        f"[bold]{escape(name)}[/bold], {escape(work['model'])}, {work['seq_len']:,} tokens, causal "
        f"prefill with K/V generation, keep ratio {work['keep_ratio']:.4g} "
        f"({escape(work['sparsity'])})"
    )
    _section(console, f"Published at 28 nm, the papers' normalisation: {LAW}")
    console.print(_published(report["rows"]))
    _section(console, f"The same, physically: {PHYSICAL}")
    console.print(_physical(report["rows"]))
    _section(
        console,
        "A100, dense, from measured kernels; in brackets what an unfused forward pass may take",
    )
    console.print(_gpu(report["a100"]["runs"]))
    _section(
        console,
        "Cores beside one A100, scaling perfectly; in brackets over its attention without K/V",
    )
    console.print(_equal(report))
    _section(console, f"The papers' ratios, {report['normalize']} held equal")
    console.print(_headlines(report["headline"]))
    for key, headline in report["headline"].items():
        console.print(f"[dim]{HEADLINES[key]}: {escape(headline['why'])}[/dim]")
    _section(console, "Ladder: what each step gains")
    console.print(_ladder(report["ladder"]))
    if "ladders" in report["spatial"]:
        claim = report["headline"]["spatial_throughput"]["paper"]
        print_spatial(console, report["spatial"], claim)


def _section(console: Console, title: str) -> None:
    console.print()
    console.print(title)


def _table(*columns: str) -> Table:
    table = Table(columns[0], box=None, header_style="dim", pad_edge=False)
    for column in columns[1:]:
        table.add_column(column, justify="right")
    return table


def _published(rows: list[dict[str, Any]]) -> Table:
    """Return the law's cells with what is printed in brackets."""
    table = _table("law (printed)", *CELLS.values())
    for row in rows:
        ours = row["ours"] or {}
        star = " *" if row["multipliers_from"] == "solved" else ""
        cells = [_pair(ours.get(key), row["paper"][key]) for key in CELLS]
        table.add_row(escape(row["name"]), *cells[:-1], cells[-1] + star)
    table.caption = "* multipliers solved from the printed latency: no power of two gives it"
    table.caption_justify = "left"
    return table


def _pair(law: float | None, printed: float | None) -> str:
    texts = [_figure(law)] if law is not None else []
    texts += [f"({_figure(printed)})"] if printed is not None else []
    return " ".join(texts)


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:,.0f}" if value >= 100 else f"{value:,.3g}"


def _physical(rows: list[dict[str, Any]]) -> Table:
    table = _table("", *CELLS.values())
    for row in rows:
        if row["ours"] is not None:
            cells = (_figure(row["ours"]["physical"][key]) for key in CELLS)
            table.add_row(escape(row["name"]), *cells)
    return table


def _gpu(runs: dict[str, dict[str, Any]]) -> Table:
    table = _table("", *runs)
    figures: dict[str, Callable[[dict[str, Any]], str]] = {
        "attention": lambda r: _seconds(r["attention_s"], r["attention_s_band"]),
        "K/V generation": lambda r: show(r["kv_generation_s"], "s"),
        "dense-equivalent rate": lambda r: show(r["throughput_gops"] * 1e9, "OP/s"),
        "DRAM traffic": lambda r: show(r["dram_bytes"], "B"),
        "energy, dynamic / rated power": lambda r: _both(r["energy_j"], "J"),
        "efficiency, the same": lambda r: _both(r["energy_efficiency_gops_per_w"], "GOPS/W"),
    }
    for name, figure in figures.items():
        table.add_row(name, *(figure(run) for run in runs.values()))
    return table


def _seconds(value: float, band: list[float]) -> str:
    low, high = band
    return show(value, "s") if low == high else f"{show(value, 's')} ({_range(low, high)})"


def _range(low: float, high: float) -> str:
    return f"{show(low, 's', 3)} to {show(high, 's', 3)}"


def _both(pair: dict[str, float], unit: str) -> str:
    return f"{_figure(pair['dynamic'])} / {_figure(pair['board'])} {unit}"


def _equal(report: dict[str, Any]) -> Table:
    table = _table(
        "held equal", "cores", "nm", "mm2", "W", "DRAM", "x unfused (alone)", "x flash (alone)"
    )
    for held in report["normalizations"]:
        whole, alone = held["speedup"], held["speedup_of_attention_alone"]
        table.add_row(
            held["normalize"],
            _figure(held["cores"]),
            f"{held['node_nm']:g}",
            _figure(held["area_mm2"]),
            _figure(held["power_w"]),
            show(held["dram_bytes_per_s"], "B/s"),
            *(f"{_figure(whole[kernel])} ({_figure(alone[kernel])})" for kernel in whole),
            style="bold" if held["normalize"] == report["normalize"] else None,
        )
    return table


def _headlines(headline: dict[str, dict[str, Any]]) -> Table:
    table = _table("", "paper", "ours", *READINGS.values())
    for key, found in headline.items():
        others = (_figure(found["other_readings"].get(reading)) for reading in READINGS)
        table.add_row(HEADLINES[key], f"{found['paper']:g}", _figure(found["ours"]), *others)
    return table


def _ladder(steps: list[dict[str, Any]]) -> Table:
    table = _table("step", "of", "paper", "ours", "")
    for step in steps:
        percent = " %" if step["quantity"] == "memory access" else ""
        ours = "" if step["ours"] is None else f"{step['ours']:.3g}{percent}"
        why = step["why"] if step["ours"] is None else ""
        table.add_row(step["step"], step["quantity"], f"{step['paper']:g}{percent}", ours, why)
    return table
