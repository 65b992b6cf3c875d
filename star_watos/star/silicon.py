"""Area and energy of a core from its parts; blocks add up to the whole.

Blocks: dlzs, sads, kv_generation, sufa, sram, controller, and off-chip interface and dram.
Unit costs are at the core's node already (`Resources.costs`).
"""

from dataclasses import dataclass

import numpy as np

from star_watos.cost import Column
from star_watos.star.dataflow import Dataflow, Predictor
from star_watos.star.layer import Layer
from star_watos.star.pipeline import Latency
from star_watos.star.resources import Resources, Unit
from star_watos.star.stages import SRAM_NAMES, Stage, Stages
from star_watos.technology.sram import SramBank, sram_bank

CORE_BLOCKS = ("dlzs", "sads", "kv_generation", "sufa", "sram", "controller")


@dataclass(frozen=True, slots=True)
class SramBlock:
    """One SRAM as silicon, at the core's node."""

    name: str
    banks: Column
    word_bytes: Column
    bank: SramBank


def srams(core: Resources) -> list[SramBlock]:
    """Return the core's SRAMs, from the table, scaled to the core's node."""
    costs, found = core.costs, []
    for name in SRAM_NAMES:
        buffer = getattr(core, name)
        bank = sram_bank(buffer.capacity_bytes / buffer.banks, buffer.word_bits, costs.sram_nm)
        scaled = SramBank(
            area_mm2=bank.area_mm2 * costs.sram_area,
            read_j=bank.read_j * costs.sram_energy,
            write_j=bank.write_j * costs.sram_energy,
            leakage_w=bank.leakage_w * costs.sram_energy,
        )
        found.append(SramBlock(name, buffer.banks, buffer.word_bits / 8, scaled))
    return found


def _predictor(core: Resources, flow: Dataflow) -> Unit:
    """Return an element of the predictor."""
    int4 = flow.predictor is Predictor.INT4
    return core.costs.mac_int4 if int4 else core.costs.shift_pe


def area_mm2(core: Resources, flow: Dataflow) -> dict[str, Column]:
    """Silicon by block, in mm2: units times unit area. What a dataflow does without is left out."""
    rows, costs = core.queries, core.costs
    chooses = float(flow.predicts)
    lanes = rows * costs.softmax_lane.area_mm2
    return {
        "dlzs": rows * core.dlzs_columns * _predictor(core, flow).area_mm2 * chooses,
        "sads": rows * costs.sort_lane.area_mm2 * chooses,
        "kv_generation": rows * core.kv_columns * costs.mac_int16.area_mm2,
        "sufa": rows * core.sufa_columns * costs.mac_int16.area_mm2 + lanes,
        "sram": sum(block.banks * block.bank.area_mm2 for block in srams(core)),
        "controller": rows * costs.controller_lane.area_mm2,
    }


def sram_access_j(blocks: list[SramBlock], stage: Stage) -> Column:
    """Energy of a stage's SRAM accesses in one layer; a byte costs its share of a word."""
    total: Column = 0.0
    for sram in blocks:
        reads = getattr(stage.traffic, f"{sram.name}_read") / sram.word_bytes * sram.bank.read_j
        writes = getattr(stage.traffic, f"{sram.name}_write") / sram.word_bytes * sram.bank.write_j
        total = total + reads + writes
    return total


def array_j(layer: Layer, stages: Stages, layer_s: Column) -> dict[str, Column]:
    """Energy of each stage's array in one layer.

    units x unit energy x (busy cycles + idle share x idle cycles)
    """
    core, costs, rows = layer.core, layer.core.costs, layer.core.queries
    chooses = float(layer.flow.predicts)
    mac, lanes = costs.mac_int16.energy_j, rows * costs.softmax_lane.energy_j
    per_cycle = {
        "predict": rows * core.dlzs_columns * _predictor(core, layer.flow).energy_j * chooses,
        "sort": rows * costs.sort_lane.energy_j * chooses,
        "kv_generation": rows * core.kv_columns * mac,
        "attention": rows * core.sufa_columns * mac + lanes,
    }
    cycles = layer_s * core.frequency_hz
    joules = {}
    for name, stage in zip(Stages._fields, stages, strict=True):
        idle = costs.idle_share * np.maximum(cycles - stage.cycles, 0)
        joules[name] = per_cycle[name] * (stage.cycles + idle)
    return joules


@dataclass(frozen=True, slots=True)
class Energy:
    """Joules of all layers, by block and by stage.

    A stage has its array, its SRAM accesses and its DRAM traffic; the controller and the leakage
    of the SRAMs belong to no stage.
    """

    layer_j: dict[str, Column]
    """By block, of one layer of each group, [..., groups]."""
    blocks_j: dict[str, Column]
    stages_j: dict[str, Column]


def energy(layer: Layer, stages: Stages, time: Latency) -> Energy:
    """Energy of all layers: arrays, SRAM accesses and leakage, controller, interface, DRAM."""
    core, work, costs = layer.core, layer.work, layer.core.costs
    layer_s = time.group_s / work.n_layers
    arrays, blocks = array_j(layer, stages, layer_s), srams(core)
    named = list(zip(Stages._fields, stages, strict=True))
    access = {name: sram_access_j(blocks, stage) for name, stage in named}
    dram = {name: stage.moved_bytes for name, stage in named}
    leakage_w = sum(block.banks * block.bank.leakage_w for block in blocks)
    lanes_w = core.queries * costs.controller_lane.energy_j * core.frequency_hz
    device, interface = costs.dram_j_per_byte, costs.interface_j_per_byte
    layer_j = {
        "dlzs": arrays["predict"],
        "sads": arrays["sort"],
        "kv_generation": arrays["kv_generation"],
        "sufa": arrays["attention"],
        "sram": sum(access.values()) + leakage_w * layer_s,
        "controller": lanes_w * layer_s,
        "interface": interface * sum(dram.values()),
        "dram": device * sum(dram.values()),
    }
    moving = device + interface
    stages_j = {n: work.total(arrays[n] + access[n] + moving * dram[n]) for n in Stages._fields}
    return Energy(layer_j, {name: work.total(joules) for name, joules in layer_j.items()}, stages_j)
