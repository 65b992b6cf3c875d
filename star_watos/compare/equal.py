"""What is held equal when cores are compared with a GPU, and how many cores that makes."""

from dataclasses import dataclass
from enum import StrEnum
from typing import assert_never

import numpy as np

from star_watos.compare.gpu import Gpu
from star_watos.cost import Overflow
from star_watos.star import AttentionWork, Core, simulate


class Equal(StrEnum):
    """What a GPU and so many cores have the same of."""

    CHIP = "chip"
    """One core, one GPU."""
    AREA = "area"
    """Die area, the core scaled to the GPU's node."""
    POWER = "power"
    """Rated power against the power of core, interface and DRAM, the core at the GPU's node."""
    MULTIPLIERS = "multipliers"
    """16-bit multipliers times clock."""


@dataclass(frozen=True, slots=True)
class CoreRun:
    """A core's figures on the workload, as plain numbers."""

    node_nm: float
    latency_s: float
    energy_j: float
    area_mm2: float
    power_w: float
    """Core, interface and DRAM."""
    core_power_w: float
    throughput_gops: float
    dram_bytes: float
    multiplies_per_s: float
    """Of the 16-bit arrays at their clock; shift-add elements are none."""

    @property
    def gops_per_w(self) -> float:
        """Dense-equivalent operations a joule, in 1e9."""
        return self.throughput_gops / self.power_w


@dataclass(frozen=True, slots=True)
class Cores:
    """So many cores beside a GPU; they share the work without loss."""

    equal: Equal
    count: float
    """Not rounded."""
    core: CoreRun

    @property
    def latency_s(self) -> float:
        """Of the workload, spread over all cores: the mesh between them is not modelled."""
        return self.core.latency_s / self.count

    @property
    def dram_bytes_per_s(self) -> float:
        """What all cores together draw from DRAM."""
        return self.core.dram_bytes / self.latency_s


def core_run(core: Core, work: AttentionWork, node_nm: float | None = None) -> CoreRun | Overflow:
    """Return the figures of `core` on `work`, at its own node or with its silicon at `node_nm`."""
    design = core if node_nm is None else core.model_copy(update={"node_nm": node_nm})
    result = simulate(design, work)
    if isinstance(result, Overflow):
        return result
    figures = {name: float(np.asarray(value)) for name, value in result.metrics.items()}
    columns = design.kv_generation.columns + design.sufa.columns
    return CoreRun(
        node_nm=design.node_nm,
        latency_s=figures["latency_s"],
        energy_j=figures["energy_j"],
        area_mm2=figures["area_mm2"],
        power_w=figures["power_w"],
        core_power_w=figures["core_power_w"],
        throughput_gops=figures["throughput_gops"],
        dram_bytes=figures["dram_bytes"],
        multiplies_per_s=design.queries * columns * design.frequency_hz,
    )


def equal_cores(equal: Equal, gpu: Gpu, own: CoreRun, shrunk: CoreRun) -> Cores:
    """Return how many cores stand beside `gpu`: `own` at the core's node, `shrunk` at the GPU's."""
    match equal:
        case Equal.CHIP:
            return Cores(equal, 1.0, own)
        case Equal.AREA:
            return Cores(equal, gpu.area_mm2.value / shrunk.area_mm2, shrunk)
        case Equal.POWER:
            return Cores(equal, gpu.power_w.value / shrunk.power_w, shrunk)
        case Equal.MULTIPLIERS:
            rate = gpu.multipliers.value * gpu.frequency_hz
            return Cores(equal, rate / own.multiplies_per_s, own)
        case _:
            assert_never(equal)
