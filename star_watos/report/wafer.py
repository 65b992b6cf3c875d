"""The terminal report of `watos simulate`."""

from typing import Any

from rich.console import Console
from rich.markup import escape

from star_watos.report.tables import figures_table, parts_table
from star_watos.units import show


def print_wafer(report: dict[str, Any], console: Console | None = None) -> None:
    """Print the document of `watos simulate` as tables."""
    console = console or Console()
    work, wafer, plan = report["workload"], report["wafer"], report["plan"]
    name, model = escape(wafer["name"]), escape(work["model"])
    console.print(
        f"[bold]{name}[/bold], {wafer['grid']['rows']} x {wafer['grid']['cols']} dies, "
        f"{model}, {work['global_batch']:,} sequences of {work['seq_len']:,} tokens"
    )
    console.print(figures_table(_figures(report, plan)))
    console.print(parts_table({"seconds": report["time_s"], "energy J": report["energy_j"]}))
    console.print(parts_table({"area mm2": report["area_mm2"]}))
    console.print(f"bound by [bold]{report['bound']}[/bold]")


def _figures(report: dict[str, Any], plan: dict[str, Any]) -> dict[str, str]:
    metrics, plans = report["metrics"], report["plans"]
    shape = " x ".join(map(str, plan["tp_shape"]))
    used, capacity = metrics["memory_per_die_bytes"], metrics["memory_capacity_bytes"]
    return {
        "plan": (
            f"TP {plan['tp']} ({shape}), PP {plan['pp']}, DP {plan['dp']}, microbatch "
            f"{plan['microbatch']}, recompute {plan['recompute'][0]}, "
            f"{'with' if plan['sp'] else 'no'} sequence parallelism, ZeRO-{plan['zero']}"
        ),
        "chosen from": f"{plans['feasible']:,} that fit, of {plans['legal']:,} legal plans",
        "iteration": show(metrics["iteration_s"], "s"),
        "throughput": f"{metrics['tokens_per_s']:,.0f} tokens/s",
        "per die": show(metrics["flops_per_s_per_die"], "FLOP/s"),
        "MFU / HFU": f"{metrics['mfu']:.1%} / {metrics['hfu']:.1%}",
        "memory, fullest die": f"{show(used, 'B')} of {show(capacity, 'B')}",
        "DRAM in use, whole wafer": f"{metrics['dram_utilization']:.1%}",
        "energy": f"{metrics['energy_per_token_j']:.4g} J a token",
        "power": show(metrics["power_w"], "W"),
        "area": f"{metrics['area_mm2']:,.0f} mm2",
        "price of dies and DRAM": f"{metrics['wafer_cost_usd']:,.0f} USD",
        "die yield": f"{metrics['yield']:.1%}",
    }
