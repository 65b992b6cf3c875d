"""The terminal report of `watos simulate`."""

from typing import Any

from rich.console import Console
from rich.markup import escape

from star_watos.cost import Overflow
from star_watos.report.balance import print_balance
from star_watos.report.faults import print_faults
from star_watos.report.tables import figures_table, parts_table, traces
from star_watos.units import show


def print_wafer(report: dict[str, Any], console: Console | None = None) -> None:
    """Print the document of `watos simulate` as tables."""
    console = console or Console()
    work, plan = report["workload"], report["plan"]
    console.print(
        f"[bold]{escape(report['wafer']['name'])}[/bold], {_devices(report)}, "
        f"{escape(work['model'])}, {work['global_batch']:,} sequences of "
        f"{work['seq_len']:,} tokens"
    )
    console.print(figures_table(_figures(report, plan)))
    console.print(parts_table({"seconds": report["time_s"], "energy J": report["energy_j"]}))
    if report["area_mm2"]:
        console.print(parts_table({"area mm2": report["area_mm2"]}))
        console.print(parts_table({"full rate W": report["power_at_peak_w"]}))
    console.print(f"bound by [bold]{report['bound']}[/bold]")
    if report["faults"]:
        print_faults(report["faults"], console)
    if report["balance"]:
        print_balance(report["balance"], console)
    if report["chakra"]:
        console.print(_written(report["chakra"]), markup=False, soft_wrap=True)


def _written(chakra: dict[str, Any]) -> str:
    found = f"{traces(chakra)}, {chakra['nodes']:,} nodes"
    return f"{found}, {chakra['groups']:,} groups in {chakra['name']}.json"


def _devices(report: dict[str, Any]) -> str:
    grid = report["wafer"].get("grid")
    if grid:
        return f"{grid['rows']} x {grid['cols']} dies"
    return f"{report['metrics']['devices']:,} GPUs"


def _plan(plan: dict[str, Any]) -> str:
    degrees = f"TP {plan['tp']} ({' x '.join(map(str, plan['tp_shape']))}), PP {plan['pp']}, DP "
    degrees += f"{plan['dp']}, microbatch {plan['microbatch']}"
    more = [f"{name.upper()} {plan[name]}" for name in ("cp", "ep") if plan[name] > 1]
    if plan["schedule"] != "1f1b":
        more.append(plan["schedule"])
    if plan["virtual_stages"] > 1:
        more.append(f"{plan['virtual_stages']} chunks a stage")
    more.append(f"recompute {plan['recompute'][0]}")
    more.append(f"{'with' if plan['sp'] else 'no'} sequence parallelism, ZeRO-{plan['zero']}")
    return ", ".join([degrees, *more])


def _figures(report: dict[str, Any], plan: dict[str, Any]) -> dict[str, str]:
    metrics, plans = report["metrics"], report["plans"]
    used, capacity = metrics["memory_per_die_bytes"], metrics["memory_capacity_bytes"]
    figures = {
        "plan": _plan(plan),
        "chosen from": f"{plans['feasible']:,} that fit, of {plans['legal']:,} legal plans",
        "iteration": show(metrics["iteration_s"], "s"),
        "throughput": f"{metrics['tokens_per_s']:,.0f} tokens/s",
        "per die": show(metrics["flops_per_s_per_die"], "FLOP/s"),
        "MFU / HFU": f"{metrics['mfu']:.1%} / {metrics['hfu']:.1%}",
        "memory, fullest die": f"{show(used, 'B')} of {show(capacity, 'B')}",
        f"{_memory(report)} in use, whole machine": f"{metrics['dram_utilization']:.1%}",
        "energy": f"{metrics['energy_per_token_j']:.4g} J a token",
        "power": _power(metrics),
    }
    return figures | (_silicon(report) if report["area_mm2"] else {})


def _memory(report: dict[str, Any]) -> str:
    """Return what holds weights and activations: a wafer without DRAM has SRAM only."""
    return "DRAM" if report["wafer"].get("dram", True) else "SRAM"


def _power(metrics: dict[str, Any]) -> str:
    """Return the mean power of the iteration, beside the limit where there is one."""
    power, limit = metrics["power_w"], metrics["power_limit_w"]
    if limit is None:
        return show(power, "W")
    if power > limit:
        return str(Overflow("the iteration on average", power, limit, "W"))
    return f"{show(power, 'W')} of {show(limit, 'W')}"


def _edge(edges: dict[str, dict[str, float]]) -> str:
    fullest = min(edges.values(), key=lambda edge: edge["left_mm"])
    return f"{fullest['left_mm']:.1f} of {fullest['length_mm']:.1f} mm left"


def _silicon(report: dict[str, Any]) -> dict[str, str]:
    metrics, good = report["metrics"], report["metrics"]["good_wafer_cost_usd"]
    return {
        "power, all at full rate": show(metrics["power_at_peak_w"], "W"),
        "area": f"{metrics['area_mm2']:,.0f} mm2",
        "fullest edge of a die": _edge(report["geometry"]["edges"]),
        "price of dies and DRAM": f"{metrics['wafer_cost_usd']:,.0f} USD",
        "die yield": f"{metrics['yield']:.1%}",
        "wafer yield": f"{metrics['wafer_yield']:.1%}",
        "price of a good wafer": "none is good" if good is None else f"{good:,.0f} USD",
    }
