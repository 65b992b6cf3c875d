"""The papers' headline ratios beside ours, with one line each on why they differ."""

import csv
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from star_watos.compare.accelerators import (
    Accelerator,
    Cells,
    Chip,
    accelerators,
    papers_law,
    physical,
)
from star_watos.compare.equal import Equal
from star_watos.compare.kernels import Kernel
from star_watos.compare.meshes import Meshes
from star_watos.compare.run import Beside
from star_watos.compare.spatial import BASELINE

_FILE = Path(__file__).with_name("headlines.csv")
SPATIAL = "spatial_throughput"


@dataclass(frozen=True, slots=True)
class Headline:
    """One ratio; `beside` holds the same ratio under other readings."""

    name: str
    paper: float
    ours: float | None
    why: str
    beside: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Claim:
    """A ratio as the papers print it."""

    name: str
    paper: float
    rival: Accelerator | None
    """Whom the ratio is read to be against, where the paper names nobody."""


def claims() -> list[Claim]:
    """Return the headline ratios of STAR's abstract.

    >>> [(c.name, c.paper) for c in claims()][:2]
    [('speedup_vs_a100', 9.2), ('energy_efficiency_vs_a100', 71.2)]
    """
    known = {a.name: a for a in accelerators()}
    with _FILE.open(encoding="utf-8", newline="") as file:
        return [
            Claim(row["name"], float(row["paper"]), known.get(row["rival"]))
            for row in csv.DictReader(file)
        ]


def headlines(it: Beside, spatial: Meshes) -> list[Headline]:
    """Return each claim beside ours on the workload of `it`, under what it holds equal."""
    return [
        _spatial(claim, spatial) if claim.name == SPATIAL else _OURS[claim.name](claim, it)
        for claim in claims()
    ]


_HELD = {
    Equal.CHIP: "one core against one A100",
    Equal.AREA: "{:.4g} cores on the A100's die area",
    Equal.POWER: "{:.4g} cores on the A100's rated power",
    Equal.MULTIPLIERS: "{:.4g} cores with the A100's multipliers",
}


def _speedup(claim: Claim, it: Beside) -> Headline:
    """The papers' A100 is far from what its kernels reach at these lengths."""
    held = _HELD[it.equal].format(it.cores[it.equal].count)
    gops = _chip(_sofa()).throughput_gops
    implied = gops / claim.paper
    share = implied * 1e9 / it.gpu.peak_flops_per_s
    unfused, flash = (it.gpu_gops(kernel) / 1e3 for kernel in Kernel)
    enough = claim.paper / it.speedup(Kernel.UNFUSED, Equal.CHIP)
    why = (
        f"ours is {held}; the papers do not say what they hold equal. SOFA's {gops:,.0f} GOPS "
        f"as {claim.paper:g} A100s puts the A100 at {implied / 1e3:.2g} TOPS, {share:.1%} of peak "
        f"(20 workloads of 256 to 4,096 tokens under PyTorch); its measured kernels give "
        f"{unfused:.3g} TOPS here unfused, {flash:.3g} with FlashAttention-2, and "
        f"{claim.paper:g} times the former takes {enough:.3g} cores"
    )
    beside = {"flashattention": it.speedup(Kernel.FLASH)}
    return Headline(claim.name, claim.paper, it.speedup(Kernel.UNFUSED), why, beside)


def _efficiency(claim: Claim, it: Beside) -> Headline:
    """Energy on the same work; independent of how many cores there are, but not of their node."""
    core = it.cores[it.equal].core
    unfused = it.runs[Kernel.UNFUSED]
    dynamic, board = (it.dense_ops / j / 1e9 for j in (unfused.dynamic_j, unfused.board_j))
    device = papers_law(_chip(_sofa())).device_gops_per_w or 0.0
    why = (
        f"ours against the A100's dynamic energy, as the papers measure it. {claim.paper:g} puts "
        f"the A100 at {device / claim.paper:,.0f} GOPS/W, against SOFA's "
        f"{device:,.0f}; from measured energies of its FLOPs and DRAM bytes it has "
        f"{dynamic:,.0f} here unfused, at rated power {board:,.0f}; our core has "
        f"{core.gops_per_w:,.0f} at {core.node_nm:g} nm with DRAM"
    )
    beside = {
        "flashattention": it.energy_gain(Kernel.FLASH),
        "unfused_at_board_power": it.energy_gain(Kernel.UNFUSED, board=True),
        "flashattention_at_board_power": it.energy_gain(Kernel.FLASH, board=True),
    }
    return Headline(claim.name, claim.paper, it.energy_gain(Kernel.UNFUSED), why, beside)


def _sofa() -> Accelerator:
    """Return SOFA, whose table STAR's ratios follow from."""
    return next(a for a in accelerators() if a.name == "SOFA")


def _chip(known: Accelerator) -> Chip:
    """Return the silicon of an accelerator of which it is published."""
    assert known.chip is not None  # noqa: S101 (the shipped table has it)
    return known.chip


def _energy_vs_sota(claim: Claim, it: Beside) -> Headline:
    """Efficiency with interface and DRAM over that of the rival."""
    at, sofa = it.reference, _chip(_sofa())
    why = (
        f"core, then interface and DRAM, draw {at.core_power_w:.3g} + "
        f"{at.power_w - at.core_power_w:.3g} W, "
        f"SOFA's {sofa.core_power_w:.3g} + {sofa.io_power_w:.3g} W"
    )
    return _against(claim, it, why, lambda cells: cells.device_gops_per_w, "GOPS/W")


def _area_vs_sota(claim: Claim, it: Beside) -> Headline:
    """Throughput per area over that of the rival."""
    at = it.reference
    why = f"our core does {at.throughput_gops:,.0f} GOPS on {at.area_mm2:.3f} mm2 at 28 nm"
    return _against(claim, it, why, lambda cells: cells.gops_per_mm2, "GOPS/mm2")


def _against(
    claim: Claim, it: Beside, why: str, pick: Callable[[Cells], float | None], unit: str
) -> Headline:
    """Return the ratio to the rival's printed figure, and to its physically scaled one."""
    rival = claim.rival
    assert rival is not None  # noqa: S101 (the shipped table names one)
    own, printed, scaled = (
        pick(papers_law(it.chip)),
        pick(rival.printed),
        pick(physical(_chip(rival))),
    )
    assert own and printed and scaled  # noqa: S101, PT018 (every one of them is known)
    text = (
        f"the paper names no rival; {claim.paper:g} x {rival.name}'s {printed:,.0f} is "
        f"{claim.paper * printed:,.0f} {unit}, ours {own:,.0f}: {why}"
    )
    return Headline(claim.name, claim.paper, own / printed, text, {"physical": own / scaled})


def _spatial(claim: Claim, spatial: Meshes) -> Headline:
    """The paper names neither its mesh nor its baseline."""
    said = spatial.document["reference"]
    why = (
        f"ours is {said['rows']}x{said['cols']} STAR cores at {said['seq_len']:,} tokens over "
        f"{BASELINE}; the paper's mesh, length and baseline are not known"
    )
    others = spatial.document["assumptions"]
    if others:
        most = others[0]
        why += f". What moves it most: {most['assumption']}, then {most['total']:.3g}"
    beside = {"lowest": spatial.low_gain, "highest": spatial.high_gain}
    known = {name: gain for name, gain in beside.items() if gain is not None}
    return Headline(claim.name, claim.paper, spatial.gain, why, known)


_OURS: dict[str, Callable[[Claim, Beside], Headline]] = {
    "speedup_vs_a100": _speedup,
    "energy_efficiency_vs_a100": _efficiency,
    "energy_vs_sota": _energy_vs_sota,
    "area_vs_sota": _area_vs_sota,
}
