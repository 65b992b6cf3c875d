"""A core beside an A100: what both take for the same work."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from star_watos.compare.accelerators import NODE_NM, Chip
from star_watos.compare.equal import CoreRun, Cores, Equal, core_run, equal_cores
from star_watos.compare.gpu import Gpu, GpuRun, run
from star_watos.compare.kernels import Kernel
from star_watos.cost import Overflow
from star_watos.spec import load
from star_watos.star import AttentionWork, Core


@dataclass(frozen=True)
class Beside:
    """A core, a GPU, and their runs of one workload."""

    gpu: Gpu
    equal: Equal
    """What the headlines hold equal."""
    dense_ops: float
    core: CoreRun
    """At its own node."""
    reference: CoreRun
    """At 28 nm, where published accelerators are compared."""
    shrunk: CoreRun
    """At the GPU's node."""
    runs: dict[Kernel, GpuRun]

    @cached_property
    def cores(self) -> dict[Equal, Cores]:
        """Cores beside the GPU, for each thing that may be held equal."""
        return {e: equal_cores(e, self.gpu, self.core, self.shrunk) for e in Equal}

    def speedup(self, kernel: Kernel, equal: Equal | None = None) -> float:
        """Return the GPU's time, K/V generation included, over that of the cores."""
        return self.runs[kernel].total_s / self.cores[equal or self.equal].latency_s

    def energy_gain(self, kernel: Kernel, *, board: bool = False) -> float:
        """Return the GPU's energy over the cores': dynamic, or at the rated power of its board."""
        gpu_run = self.runs[kernel]
        joules = gpu_run.board_j if board else gpu_run.dynamic_j
        return joules / self.cores[self.equal].core.energy_j

    def gpu_gops(self, kernel: Kernel) -> float:
        """Return the GPU's dense-equivalent rate, in the terms of the core's."""
        return self.dense_ops / self.runs[kernel].total_s / 1e9

    @property
    def chip(self) -> Chip:
        """The core at 28 nm as a row of the papers' table."""
        at = self.reference
        return Chip(
            node_nm=NODE_NM,
            vdd_v=1.0,
            area_mm2=at.area_mm2,
            core_power_w=at.core_power_w,
            io_power_w=at.power_w - at.core_power_w,
            throughput_gops=at.throughput_gops,
            multipliers=at.multiplies_per_s / 1e9,
        )


def beside(core: Core, work: AttentionWork, equal: Equal) -> Beside | Overflow:
    """Return `core` and an A100 on the causal prefill `work`, or what does not fit the core."""
    gpu = load(Gpu, "a100", "configs/gpus")
    nodes = {"core": None, "reference": float(NODE_NM), "shrunk": gpu.node_nm}
    found: dict[str, CoreRun] = {}
    for name, node_nm in nodes.items():
        result = core_run(core, work, node_nm)
        if isinstance(result, Overflow):
            return result
        found[name] = result
    runs = {kernel: run(gpu, work, kernel) for kernel in Kernel}
    return Beside(gpu, equal, float(work.dense_ops), runs=runs, **found)


def gpu_document(it: Beside) -> dict[str, Any]:
    """Return `a100` of the JSON: the GPU's runs of the same work."""
    return {
        "name": it.gpu.name,
        "design": it.gpu.model_dump(mode="json"),
        "runs": {kernel.value: _run_document(it, kernel) for kernel in Kernel},
    }


def _run_document(it: Beside, kernel: Kernel) -> dict[str, Any]:
    gpu_run = it.runs[kernel]
    return {
        "latency_s": gpu_run.total_s,
        "attention_s": gpu_run.attention_s,
        "attention_s_band": list(gpu_run.attention_s_band),
        "kv_generation_s": gpu_run.kv_s,
        "throughput_gops": it.gpu_gops(kernel),
        "flops": gpu_run.flops,
        "dram_bytes": gpu_run.dram_bytes,
        "energy_j": {"dynamic": gpu_run.dynamic_j, "board": gpu_run.board_j},
        "energy_efficiency_gops_per_w": {
            "dynamic": it.dense_ops / gpu_run.dynamic_j / 1e9,
            "board": it.dense_ops / gpu_run.board_j / 1e9,
        },
    }


def cores_document(it: Beside) -> list[dict[str, Any]]:
    """Return `normalizations` of the JSON: all that may be held equal, one entry each."""
    return [
        {
            "normalize": equal.value,
            "cores": cores.count,
            "node_nm": cores.core.node_nm,
            "area_mm2": cores.count * cores.core.area_mm2,
            "power_w": cores.count * cores.core.power_w,
            "dram_bytes_per_s": cores.dram_bytes_per_s,
            "latency_s": cores.latency_s,
            "energy_j": cores.core.energy_j,
            "speedup": {kernel.value: it.speedup(kernel, equal) for kernel in Kernel},
            "speedup_of_attention_alone": {
                k.value: it.runs[k].attention_s / cores.latency_s for k in Kernel
            },
        }
        for equal, cores in it.cores.items()
    ]
