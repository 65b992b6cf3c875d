"""Area and energy of a core from its parts; blocks add up to the whole.

Blocks: dlzs, sads, kv_generation, sufa, sram, controller, and off-chip interface and dram.
Everything on chip scales from the technology's node to the core's node.
"""

from dataclasses import dataclass

import numpy as np

from star_watos.cost import Column
from star_watos.star.core import Core
from star_watos.star.pipeline import Latency
from star_watos.star.stages import SRAM_NAMES, Stage, Stages
from star_watos.star.work import AttentionWork
from star_watos.technology.scaling import area_scale, energy_scale
from star_watos.technology.sram import SramBank, sram_bank

CORE_BLOCKS = ("dlzs", "sads", "kv_generation", "sufa", "sram", "controller")


@dataclass(frozen=True, slots=True)
class Units:
    """How many of each unit a core has."""

    shift_pe: Column
    sort_lane: Column
    kv_mac: Column
    sufa_mac: Column
    lane: Column

    @classmethod
    def of(cls, core: Core) -> "Units":
        """Count the units of `core`: every array has one row per query."""
        rows = core.queries
        return cls(
            shift_pe=float(rows * core.dlzs.columns),
            sort_lane=float(rows),
            kv_mac=float(rows * core.kv_generation.columns),
            sufa_mac=float(rows * core.sufa.columns),
            lane=float(rows),
        )


@dataclass(frozen=True, slots=True)
class SramBlock:
    """One SRAM as silicon, at the core's node."""

    name: str
    banks: int
    word_bytes: float
    bank: SramBank


def buffers(core: Core) -> list[SramBlock]:
    """Return the core's SRAMs, from the table at the technology's node, scaled to the core's."""
    at = core.technology.node_nm
    area, energy = area_scale(at, core.node_nm), energy_scale(at, core.node_nm)
    found = []
    for name in SRAM_NAMES:
        sram = getattr(core.sram, name)
        bank = sram_bank(sram.capacity_bytes / sram.banks, sram.word_bits, at)
        scaled = SramBank(
            area_mm2=bank.area_mm2 * area,
            read_j=bank.read_j * energy,
            write_j=bank.write_j * energy,
            leakage_w=bank.leakage_w * energy,
        )
        found.append(SramBlock(name, sram.banks, sram.word_bits / 8, scaled))
    return found


def area_mm2(core: Core) -> dict[str, Column]:
    """Silicon by block, in mm2: units times unit area."""
    tech, units = core.technology, Units.of(core)
    scale = area_scale(tech.node_nm, core.node_nm)
    mac = tech.mac_int16.area_mm2.value
    return {
        "dlzs": units.shift_pe * tech.shift_pe.area_mm2.value * scale,
        "sads": units.sort_lane * tech.sort_lane.area_mm2.value * scale,
        "kv_generation": units.kv_mac * mac * scale,
        "sufa": (units.sufa_mac * mac + units.lane * tech.softmax_lane.area_mm2.value) * scale,
        "sram": sum(b.banks * b.bank.area_mm2 for b in buffers(core)),
        "controller": units.lane * tech.controller_lane.area_mm2.value * scale,
    }


def sram_access_j(srams: list[SramBlock], stage: Stage) -> Column:
    """Energy of a stage's SRAM accesses in one layer; a byte costs its share of a word."""
    total: Column = 0.0
    for sram in srams:
        reads = getattr(stage.traffic, f"{sram.name}_read") / sram.word_bytes * sram.bank.read_j
        writes = getattr(stage.traffic, f"{sram.name}_write") / sram.word_bytes * sram.bank.write_j
        total = total + reads + writes
    return total


def array_j(core: Core, stages: Stages, layer_s: Column) -> dict[str, Column]:
    """Energy of each stage's array in one layer.

    units x unit energy x (busy cycles + idle share x idle cycles), scaled to the core's node.
    """
    tech, units = core.technology, Units.of(core)
    scale = energy_scale(tech.node_nm, core.node_nm)
    mac, lane = tech.mac_int16.energy_j.value, tech.softmax_lane.energy_j.value
    per_cycle = {
        "predict": units.shift_pe * tech.shift_pe.energy_j.value,
        "sort": units.sort_lane * tech.sort_lane.energy_j.value,
        "kv_generation": units.kv_mac * mac,
        "attention": units.sufa_mac * mac + units.lane * lane,
    }
    cycles = layer_s * core.frequency_hz
    idle = tech.idle_share.value
    return {
        name: per_cycle[name] * scale * (stage.cycles + idle * np.maximum(cycles - stage.cycles, 0))
        for name, stage in zip(Stages._fields, stages, strict=True)
    }


@dataclass(frozen=True, slots=True)
class Energy:
    """Joules of all layers, by block and by stage.

    A stage has its array, its SRAM accesses and its DRAM traffic; the controller and the leakage
    of the SRAMs belong to no stage.
    """

    blocks_j: dict[str, Column]
    stages_j: dict[str, Column]


def energy(core: Core, work: AttentionWork, stages: Stages, time: Latency) -> Energy:
    """Energy of all layers: arrays, SRAM accesses and leakage, controller, interface, DRAM."""
    tech = core.technology
    scale = energy_scale(tech.node_nm, core.node_nm)
    arrays = array_j(core, stages, time.group_s / work.n_layers)
    srams = buffers(core)
    access = {n: sram_access_j(srams, s) for n, s in zip(Stages._fields, stages, strict=True)}
    dram = {n: s.traffic.dram for n, s in zip(Stages._fields, stages, strict=True)}
    leakage_w = sum(b.banks * b.bank.leakage_w for b in srams)
    lanes = Units.of(core).lane * tech.controller_lane.energy_j.value * scale
    dram_bytes = work.total(sum(dram.values()))
    device = tech.dram_energy_j_per_byte.value
    interface = tech.interface_energy_j_per_byte.value
    return Energy(
        blocks_j={
            "dlzs": work.total(arrays["predict"]),
            "sads": work.total(arrays["sort"]),
            "kv_generation": work.total(arrays["kv_generation"]),
            "sufa": work.total(arrays["attention"]),
            "sram": work.total(sum(access.values())) + leakage_w * time.total_s,
            "controller": lanes * core.frequency_hz * time.total_s,
            "interface": interface * dram_bytes,
            "dram": device * dram_bytes,
        },
        stages_j={
            name: work.total(arrays[name] + access[name] + (device + interface) * dram[name])
            for name in Stages._fields
        },
    )
