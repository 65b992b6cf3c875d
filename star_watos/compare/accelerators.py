"""Published accelerators, and the two ways of putting them on one node and supply."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path

from star_watos.technology.scaling import area_scale, energy_scale

NODE_NM = 28
"""Node to which everything is brought."""
MULTIPLIERS = 128
"""Multipliers at 1 GHz to which the papers bring every accelerator before they print a latency."""
LATENCY_MACS = 2.0 * 4096**2 * 4096
"""MACs of Q Kᵀ and S V of one layer of Llama-7B at 4,096 tokens: 2 S² H = 137.44e9."""
_FILE = Path(__file__).with_name("accelerators.csv")


@dataclass(frozen=True, slots=True)
class Chip:
    """An accelerator as it was built, at its own node."""

    node_nm: float
    vdd_v: float
    area_mm2: float
    core_power_w: float
    io_power_w: float | None
    """Interface and DRAM; None where the paper gives none."""
    throughput_gops: float
    """Skipped work counted, a MAC is 2."""
    multipliers: float | None
    """Multipliers times clock in GHz; None where unknown."""


@dataclass(frozen=True, slots=True)
class Cells:
    """One row of the papers' table; None where something is not published."""

    core_gops_per_w: float | None = None
    device_gops_per_w: float | None = None
    gops_per_mm2: float | None = None
    latency_ms: float | None = None

    def items(self) -> Iterator[tuple[str, float | None]]:
        """Yield name and value, in the table's order."""
        return ((f.name, getattr(self, f.name)) for f in fields(self))


@dataclass(frozen=True, slots=True)
class Accelerator:
    """A published accelerator: what it is, and what a paper prints of it at 28 nm."""

    name: str
    chip: Chip | None
    """None where only a final figure is known."""
    printed: Cells
    multipliers_from: str
    """`published`; `power of two`: the one that gives the latency; `solved` from the latency."""
    accuracy_loss_pct: float | None
    saved_computation_pct: float | None
    source: str


def accelerators() -> list[Accelerator]:
    """Return the published accelerators, in the order of SOFA's table, then later ones.

    >>> [a.name for a in accelerators()][:3]
    ['A3', 'ELSA', 'Sanger']
    """
    with _FILE.open(encoding="utf-8", newline="") as file:
        return [_accelerator(row) for row in csv.DictReader(file)]


def _accelerator(row: dict[str, str]) -> Accelerator:
    loss, saved = _number(row["accuracy_loss_pct"]), _number(row["saved_computation_pct"])
    return Accelerator(
        name=row["name"],
        chip=_chip(row) if row["node_nm"] else None,
        printed=Cells(**{f.name: _number(row[f"printed_{f.name}"]) for f in fields(Cells)}),
        multipliers_from=row["multipliers_from"],
        accuracy_loss_pct=loss,
        saved_computation_pct=saved,
        source=row["source"],
    )


def _chip(row: dict[str, str]) -> Chip:
    return Chip(
        node_nm=float(row["node_nm"]),
        vdd_v=float(row["vdd_v"]),
        area_mm2=float(row["area_mm2"]),
        core_power_w=float(row["core_power_w"]),
        io_power_w=_number(row["io_power_w"]),
        throughput_gops=float(row["throughput_gops"]),
        multipliers=_number(row["multipliers"]),
    )


def _number(text: str) -> float | None:
    return float(text) if text else None


def papers_law(chip: Chip) -> Cells:
    """Return the row under the papers' normalisation to 28 nm and 1.0 V.

    With s = node / 28: area' = area / s², power' = power / (s Vdd²), neither throughput nor the
    power of interface and DRAM change, and latency = 2 S² H MACs / (GOPS 128 / multipliers).
    The latter takes a MAC for one operation where GOPS count two; as printed, so kept.

    A3 by hand: s = 40 / 28; 221 / (0.205 / (s 1.1²)) = 1863.5 GOPS/W; 221 / 2.08 s² = 216.8;
    221 / (0.1186 + 0.617) = 300.4; 137.44 / 221 = 622 ms. Source: SOFA (MICRO 2024) Table II; the
    supplies are those that its cells follow from.

    >>> cells = papers_law(Chip(40, 1.1, 2.08, 0.205, 0.617, 221, 128))
    >>> [round(value, 1) for _, value in cells.items()]
    [1863.5, 300.4, 216.8, 621.9]
    """
    s = chip.node_nm / NODE_NM
    return _cells(chip, chip.area_mm2 / s**2, chip.core_power_w / (s * chip.vdd_v**2), LATENCY_MACS)


def physical(chip: Chip) -> Cells:
    """Return the row with area and energy scaled as circuits do, by Stillmaker and Baas (2017).

    The clock is kept, so throughput is, and core power scales as energy does, from nominal supply
    to nominal supply. Interface and DRAM do not scale. A MAC is 2 operations in the latency too.

    >>> cells = physical(Chip(40, 1.1, 2.08, 0.205, 0.617, 221, 128))
    >>> [round(value) for _, value in cells.items()]
    [2204, 308, 220, 1244]
    """
    area_mm2 = chip.area_mm2 * area_scale(chip.node_nm, NODE_NM)
    power_w = chip.core_power_w * energy_scale(chip.node_nm, NODE_NM)
    return _cells(chip, area_mm2, power_w, 2 * LATENCY_MACS)


def _cells(chip: Chip, area_mm2: float, core_power_w: float, ops: float) -> Cells:
    gops, io_w = chip.throughput_gops, chip.io_power_w
    fewer = None if chip.multipliers is None else chip.multipliers / MULTIPLIERS
    return Cells(
        core_gops_per_w=gops / core_power_w,
        device_gops_per_w=None if io_w is None else gops / (core_power_w + io_w),
        gops_per_mm2=gops / area_mm2,
        latency_ms=None if fewer is None else 1e3 * ops / (gops * 1e9 / fewer),
    )


def errors_pct(printed: Cells, law: Cells) -> dict[str, float | None]:
    """Return the error of each cell of `law` in percent; None where nothing is printed.

    >>> errors_pct(Cells(latency_ms=50), Cells(latency_ms=75, gops_per_mm2=1))
    {'core_gops_per_w': None, 'device_gops_per_w': None, 'gops_per_mm2': None, 'latency_ms': 50.0}
    """
    found = dict(law.items())
    return {
        name: None if cell is None or (own := found[name]) is None else 100 * (own / cell - 1)
        for name, cell in printed.items()
    }
