"""Area and power of published accelerators from their published resources.

    area  = sum(circuits x circuit area) + sum(banks x bank area)
    power = utilization x f x (sum(circuits x energy) + sum(banks x energy of a read)) + leakage

Circuits come from `technology/arithmetic.py`, SRAMs from the CACTI table, both at the design's
node; leakage is that of the SRAMs. No constant comes from an accelerator. More: docs/silicon.md.
"""

from dataclasses import replace
from typing import Annotated

from pydantic import Field

from star_watos.spec import Constant, Spec, load, names
from star_watos.technology.arithmetic import (
    Arithmetic,
    Format,
    Operation,
    Style,
    arithmetic,
)
from star_watos.technology.sram import SramBank, scaled_bank, sram_range_note
from star_watos.units import Bytes, Count, Hertz, Real, SquareMillimetres, Watts
from star_watos.validate.published import Comparison

FOLDER = "configs/accelerators"
_CONSTANTS = {
    Style.PIPELINED: "arithmetic of Horowitz and Dally at 45 nm (configs/technologies/arithmetic"
    ".yaml), in a pipeline by the INT8 MAC of upcycle; CACTI 7; Stillmaker and Baas",
    Style.BARE: "arithmetic of Horowitz and Dally at 45 nm without registers; CACTI 7; "
    "Stillmaker and Baas",
}
_TABLES = {Style.PIPELINED: "accelerators", Style.BARE: "accelerators_bare"}


class Published(Spec):
    """What the paper says of the whole, or of a block."""

    area_mm2: Annotated[Constant[SquareMillimetres], Field(alias="area")]
    power_w: Annotated[Constant[Watts], Field(alias="power")]
    """Of the core: without DRAM and its interface."""


class Circuits(Spec):
    """A number of equal arithmetic circuits."""

    operation: Operation
    format: Format
    count: Count


class Buffer(Spec):
    """An SRAM; each bank gives one word in each busy cycle."""

    name: str
    capacity_bytes: Annotated[Bytes, Field(alias="capacity", gt=0)]
    """Of all banks."""
    banks: Count = 1
    word_bits: Count = 512

    def bank(self, node_nm: float) -> SramBank:
        """Return one bank at `node_nm`."""
        return scaled_bank(self.capacity_bytes / self.banks, self.word_bits, node_nm)


class Block(Spec):
    """A module of an accelerator."""

    name: str
    source: Annotated[str, Field(min_length=8)]
    """Where the resources are published, and how they were read."""
    units: tuple[Circuits, ...] = ()
    srams: tuple[Buffer, ...] = ()
    published: Published | None = None


class Accelerator(Spec):
    """A published accelerator: its resources, and the figures it is judged by."""

    name: str
    node_nm: Annotated[Real, Field(alias="node", ge=7, le=180)]
    frequency_hz: Annotated[Hertz, Field(alias="frequency")]
    published: Published
    blocks: Annotated[tuple[Block, ...], Field(min_length=1)]


def block_area_mm2(design: Accelerator, block: Block, tech: Arithmetic, style: Style) -> float:
    """Return the silicon of a block: circuits and banks.

    >>> design = load(Accelerator, "attenio", FOLDER)
    >>> cache = design.blocks[2]
    >>> round(block_area_mm2(design, cache, arithmetic(), Style.BARE), 4)  # 64 x 0.0118487 mm2
    0.7583
    """
    node = design.node_nm
    logic = sum(
        u.count * tech.circuit(u.operation, u.format, node, style).area_mm2 for u in block.units
    )
    return float(logic + sum(s.banks * s.bank(node).area_mm2 for s in block.srams))


def block_power_w(design: Accelerator, block: Block, tech: Arithmetic, style: Style) -> float:
    """Return the power of a block at the common utilization, with the leakage of its SRAMs."""
    node = design.node_nm
    logic_j = sum(
        u.count * tech.circuit(u.operation, u.format, node, style).energy_j for u in block.units
    )
    banks = [(s.banks, s.bank(node)) for s in block.srams]
    sram_j = sum(count * bank.read_j for count, bank in banks)
    leakage_w = sum(count * bank.leakage_w for count, bank in banks)
    busy_hz = tech.utilization.value * design.frequency_hz
    return float(busy_hz * (logic_j + sram_j) + leakage_w)


def accelerators() -> list[Accelerator]:
    """Return the shipped accelerators, by the name of their file."""
    return [load(Accelerator, name, FOLDER) for name in names(FOLDER)]


def accelerator_comparisons() -> list[Comparison]:
    """Return area and power of every accelerator: in a pipeline with its blocks, then bare."""
    designs = accelerators()
    rows = [row for d in designs for row in _compare(d, Style.PIPELINED)]
    return rows + [row for d in designs for row in _compare(d, Style.BARE)]


def _compare(design: Accelerator, style: Style) -> list[Comparison]:
    tech = arithmetic()
    areas = [block_area_mm2(design, block, tech, style) for block in design.blocks]
    powers = [block_power_w(design, block, tech, style) for block in design.blocks]
    rows = _rows(design.name, design.published, (sum(areas), sum(powers)), style)
    rows = [replace(row, note=extrapolated(design)) for row in rows]
    if style is Style.PIPELINED:
        for block, area, power in zip(design.blocks, areas, powers, strict=True):
            if block.published:
                rows += _rows(f"{design.name}, {block.name}", block.published, (area, power), style)
    return rows


def _rows(
    name: str, published: Published, ours: tuple[float, float], style: Style
) -> list[Comparison]:
    quantities = (("area", "mm2", published.area_mm2), ("power", "W", published.power_w))
    return [
        Comparison(
            table=_TABLES[style],
            item=f"{name} {quantity}",
            unit=unit,
            published=theirs.value,
            predicted=mine,
            calibrated="no",
            source=theirs.source,
            constants=_CONSTANTS[style],
        )
        for (quantity, unit, theirs), mine in zip(quantities, ours, strict=True)
    ]


def extrapolated(design: Accelerator) -> str:
    """Say which SRAMs of a design lie outside the table, and in what; empty if none.

    >>> extrapolated(load(Accelerator, "ita", FOLDER))
    'SRAM outside the CACTI table: ITA: weights 2,048 B are outside 8,192 to 8,388,608 B'
    """
    beyond = []
    for sram in (sram for block in design.blocks for sram in block.srams):
        size = sram.capacity_bytes / sram.banks
        note = sram_range_note(size, sram.word_bits, design.node_nm)
        if note:
            beyond.append(f"{sram.name} {note}")
    return f"SRAM outside the CACTI table: {design.name}: {'; '.join(beyond)}" if beyond else ""
