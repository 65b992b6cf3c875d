"""The template of a wafer (`configs/wafers/*.yaml`) and what follows from it."""

from typing import Annotated

from pydantic import Field

from star_watos.cost import Overflow
from star_watos.spec import From, Spec
from star_watos.technology.wafer import WaferTechnology
from star_watos.units import (
    Bytes,
    BytesPerS,
    Count,
    Hertz,
    Millimetres,
    Real,
    Seconds,
    SquareMillimetres,
    Watts,
    Whole,
)

LINKS_PER_DIE = 4
"""Edges of a die; its D2D bandwidth is shared equally among them."""


class Grid(Spec):
    """Rows and columns of dies, or of cores."""

    rows: Annotated[Count, Field(le=256)]
    cols: Annotated[Count, Field(le=256)]

    @property
    def size(self) -> int:
        """Number of places."""
        return self.rows * self.cols


class DieCore(Spec):
    """One core of a training die."""

    mac_rows: Annotated[Count, Field(le=1024)]
    """Rows of the MAC array."""
    mac_cols: Annotated[Count, Field(le=1024)]
    """Columns of the MAC array."""
    sram_bytes: Annotated[Bytes, Field(alias="sram", ge=1024, le=1e12)]
    """Scratchpad of one core."""
    sram_bandwidth_bytes_per_s: Annotated[BytesPerS, Field(alias="sram_bandwidth", gt=0)]
    """Loads and stores of one core's vector unit together."""
    noc_bandwidth_bytes_per_s: Annotated[BytesPerS | None, Field(alias="noc_bandwidth", gt=0)] = (
        None
    )
    """Out of one core over all its links to other cores, where it is known; as much comes in."""

    @property
    def n_macs(self) -> int:
        """MACs of one core."""
        return self.mac_rows * self.mac_cols


class Die(Spec):
    """One compute die."""

    cores: Grid
    """Core array."""
    core: DieCore
    frequency_hz: Annotated[Hertz, Field(alias="frequency", gt=0, le=1e11)]
    """Clock of the cores."""
    edge_bandwidth_bytes_per_s: Annotated[BytesPerS, Field(alias="edge_bandwidth", gt=0)]
    """What all four edges can carry, D2D in and out and DRAM together."""
    operator_overhead_s: Annotated[Seconds, Field(alias="operator_overhead", ge=0)]
    """Time to start one operator on all cores."""
    aspect: Annotated[Real, Field(ge=0.1, le=10)] = 1.0
    """Width over height of the die, and of its site on the wafer."""

    @property
    def peak_flops_per_s(self) -> float:
        """Dense 16-bit FLOP/s, a MAC being 2."""
        return 2.0 * self.cores.size * self.core.n_macs * self.frequency_hz

    @property
    def sram_bytes(self) -> float:
        """Scratchpads of all cores."""
        return self.cores.size * self.core.sram_bytes

    @property
    def sram_bandwidth_bytes_per_s(self) -> float:
        """Vector loads and stores of all cores."""
        return self.cores.size * self.core.sram_bandwidth_bytes_per_s


class D2d(Spec):
    """Links between neighbouring dies."""

    bandwidth_bytes_per_s: Annotated[BytesPerS, Field(alias="bandwidth", gt=0)]
    """Out of one die over all its edges; as much comes in."""
    latency_s: Annotated[Seconds, Field(alias="latency", ge=0)]
    """From one die to the next."""

    @property
    def link_bytes_per_s(self) -> float:
        """One link in one direction."""
        return self.bandwidth_bytes_per_s / LINKS_PER_DIE


class DieDram(Spec):
    """DRAM stacks of one die."""

    stacks_per_die: Annotated[Count, Field(le=64)]
    stack_capacity_bytes: Annotated[Bytes, Field(alias="stack_capacity", gt=0, le=1e15)]
    stack_bandwidth_bytes_per_s: Annotated[BytesPerS, Field(alias="stack_bandwidth", gt=0)]
    stack_area_mm2: Annotated[SquareMillimetres, Field(alias="stack_area", ge=0)]
    """Area in the wafer's plane that one stack takes from the dies."""

    @property
    def capacity_bytes(self) -> float:
        """DRAM of one die."""
        return self.stacks_per_die * self.stack_capacity_bytes

    @property
    def bandwidth_bytes_per_s(self) -> float:
        """DRAM bandwidth of one die."""
        return self.stacks_per_die * self.stack_bandwidth_bytes_per_s


class OffWafer(Spec):
    """What joins a wafer to hosts, storage and other wafers."""

    bandwidth_bytes_per_s: Annotated[BytesPerS, Field(alias="bandwidth", gt=0)]
    """Into the whole wafer; as much goes out."""
    latency_s: Annotated[Seconds, Field(alias="latency", ge=0)]
    """From one wafer to the next, or from the host."""


class Redundancy(Spec):
    """What is made beside what is needed, so that defects may be left out."""

    spare_cores: Annotated[Whole, Field(le=10**6)] = 0
    """Cores of each die beside those of its core array."""
    spare_dies: Annotated[Whole, Field(le=10**4)] = 0
    """Dies of the wafer beside those of its grid."""


class Wafer(Spec):
    """A mesh of dies, with DRAM or without, that share one area."""

    name: str
    """Shown in reports."""
    technology: Annotated[WaferTechnology, From("configs/technologies")]
    """Unit costs: a shipped name, a path, or the constants themselves."""
    grid: Grid
    """Dies on the wafer."""
    usable_area_mm2: Annotated[SquareMillimetres, Field(alias="usable_area", gt=0)]
    """Area that dies and stacks may take together."""
    usable_width_mm: Annotated[Millimetres | None, Field(alias="usable_width", gt=0)] = None
    """Width of the rectangle that holds the grid of sites; not checked if not said."""
    usable_height_mm: Annotated[Millimetres | None, Field(alias="usable_height", gt=0)] = None
    """Height of that rectangle."""
    gap_mm: Annotated[Millimetres, Field(alias="gap")] = 0.0
    """Between neighbouring sites."""
    monolithic: bool = False
    """Whether the dies are fields of one wafer that is never cut: none is tested alone."""
    power_limit_w: Annotated[Watts | None, Field(alias="power_limit", gt=0)] = None
    """What supply and cooling allow the whole wafer, where it is known."""
    redundancy: Redundancy = Redundancy()
    """Spare cores and dies."""
    die: Die
    d2d: D2d
    dram: DieDram | None = None
    """DRAM of each die; without it the SRAM of the cores is all the memory."""
    off_wafer: OffWafer | None = None
    """Links that leave the wafer, where they are known."""

    @property
    def n_dies(self) -> int:
        """Dies on the wafer."""
        return self.grid.size

    @property
    def memory_capacity_bytes(self) -> float:
        """Memory of one die: its DRAM, or its SRAM where it has none."""
        return self.dram.capacity_bytes if self.dram else self.die.sram_bytes

    @property
    def memory_bytes_per_s(self) -> float:
        """Bandwidth of the memory of one die."""
        return self.dram.bandwidth_bytes_per_s if self.dram else self.die.sram_bandwidth_bytes_per_s

    @property
    def memory_energy_j_per_byte(self) -> float:
        """Energy of a byte to or from that memory."""
        tech = self.technology
        return (tech.dram_energy_j_per_byte if self.dram else tech.sram_energy_j_per_byte).value

    @property
    def dram_bytes_per_s(self) -> float:
        """DRAM bandwidth of one die, 0 without."""
        return self.dram.bandwidth_bytes_per_s if self.dram else 0.0

    @property
    def peak_flops_per_s(self) -> float:
        """Dense 16-bit FLOP/s of all dies."""
        return self.n_dies * self.die.peak_flops_per_s

    def edge_overflow(self) -> Overflow | None:
        """Return by how much D2D both ways and DRAM exceed the die's edges, if they do."""
        need = 2 * self.d2d.bandwidth_bytes_per_s + self.dram_bytes_per_s
        have = self.die.edge_bandwidth_bytes_per_s
        return (
            Overflow("D2D in and out and DRAM at the die's edges", need, have, "B/s")
            if need > have
            else None
        )
