"""What the formulas need of a core: numbers, or columns of designs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from star_watos.cost import Column
from star_watos.star.core import Core, Sram
from star_watos.technology.core import UnitCost
from star_watos.technology.scaling import area_scale, energy_scale


@dataclass(frozen=True, slots=True)
class Buffer:
    """One SRAM of the core; `width_bytes` is what all banks together move in a cycle."""

    capacity_bytes: Column
    banks: Column
    word_bits: Column

    @classmethod
    def of(cls, sram: Sram) -> "Buffer":
        """Return the numbers of `sram`."""
        return cls(float(sram.capacity_bytes), float(sram.banks), float(sram.word_bits))

    @property
    def width_bytes(self) -> Column:
        """Bytes a cycle."""
        return self.banks * self.word_bits / 8


@dataclass(frozen=True, slots=True)
class Unit:
    """One unit at the core's node: silicon, and an active cycle."""

    area_mm2: Column
    energy_j: Column

    @classmethod
    def of(cls, cost: UnitCost, area: float, energy: float) -> "Unit":
        """Return `cost` scaled to the core's node."""
        return cls(cost.area_mm2.value * area, cost.energy_j.value * energy)


@dataclass(frozen=True, slots=True)
class UnitCosts:
    """What the parts cost at the core's node, and where the SRAM table is read."""

    shift_pe: Unit
    mac_int4: Unit
    sort_lane: Unit
    mac_int16: Unit
    softmax_lane: Unit
    controller_lane: Unit
    idle_share: Column
    sram_nm: Column
    """Node at which the SRAM table is read."""
    sram_area: Column
    """Factor on its areas, to the core's node."""
    sram_energy: Column
    dram_j_per_byte: Column
    interface_j_per_byte: Column

    @classmethod
    def of(cls, core: Core) -> "UnitCosts":
        """Return the constants of the core's technology, scaled to its node."""
        tech = core.technology
        area = area_scale(tech.node_nm, core.node_nm)
        energy = energy_scale(tech.node_nm, core.node_nm)
        parts = ("shift_pe", "mac_int4", "sort_lane", "mac_int16", "softmax_lane")
        units = {n: Unit.of(getattr(tech, n), area, energy) for n in (*parts, "controller_lane")}
        return cls(
            **units,
            idle_share=tech.idle_share.value,
            sram_nm=tech.node_nm,
            sram_area=area,
            sram_energy=energy,
            dram_j_per_byte=tech.dram_energy_j_per_byte.value,
            interface_j_per_byte=tech.interface_energy_j_per_byte.value,
        )


@dataclass(frozen=True, slots=True)
class Resources:
    """A core, or a column of cores: every field is a float or a column."""

    frequency_hz: Column
    queries: Column
    dlzs_columns: Column
    int8_rate: Column
    sort_inputs: Column
    sort_survivors: Column
    kv_columns: Column
    sufa_columns: Column
    rass_steps: Column
    score_bytes: Column
    token: Buffer
    weight: Buffer
    temp: Buffer
    dram_bytes_per_s: Column
    """Sustained."""
    burst_bytes: Column
    page_bytes: Column
    activations_hz: Column
    costs: UnitCosts

    @classmethod
    def of(cls, core: Core) -> "Resources":
        """Return the numbers of `core`."""
        sram, dram = core.sram, core.dram
        return cls(
            frequency_hz=core.frequency_hz,
            queries=float(core.queries),
            dlzs_columns=float(core.dlzs.columns),
            int8_rate=float(core.dlzs.int8_rate),
            sort_inputs=float(core.sads.inputs),
            sort_survivors=float(core.sads.survivors),
            kv_columns=float(core.kv_generation.columns),
            sufa_columns=float(core.sufa.columns),
            rass_steps=core.sufa.rass_steps,
            score_bytes=core.score_bits / 8,
            token=Buffer.of(sram.token),
            weight=Buffer.of(sram.weight),
            temp=Buffer.of(sram.temp),
            dram_bytes_per_s=dram.bandwidth_bytes_per_s * dram.efficiency,
            burst_bytes=dram.burst_bytes,
            page_bytes=dram.page_bytes,
            activations_hz=dram.activations_hz,
            costs=UnitCosts.of(core),
        )

    @classmethod
    def columns(cls, designs: "Sequence[Resources]") -> "Resources":
        """Return many designs as one, each field a column of their numbers."""
        stacked: Resources = _stacked(designs)
        return stacked

    def each(self, change: Callable[[Column], Column]) -> "Resources":
        """Return the same with every number or column changed alike."""
        changed: Resources = _each(self, change)
        return changed


def _each(part: Any, change: Callable[[Column], Column]) -> Any:  # noqa: ANN401 (of one kind)
    """Return a dataclass of numbers with each changed; nested ones likewise."""
    if isinstance(part, float | int | np.ndarray):
        return change(part)
    changed = {f.name: _each(getattr(part, f.name), change) for f in fields(part)}
    return type(part)(**changed)


def _stacked(parts: Sequence[Any]) -> Any:  # noqa: ANN401 (a dataclass of the same kind)
    """Return dataclasses of numbers as one of columns; nested ones likewise."""
    first = parts[0]
    if isinstance(first, float | int | np.ndarray):
        return np.array(parts, dtype=np.float64)
    columns = {f.name: _stacked([getattr(p, f.name) for p in parts]) for f in fields(first)}
    return type(first)(**columns)
