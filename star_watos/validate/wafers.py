"""Published wafers and models against what the model derives for them."""

from star_watos.spec import load, names
from star_watos.validate.published import Comparison, compare, published_items
from star_watos.validate.served import served_figures
from star_watos.watos import Wafer, area_mm2
from star_watos.watos.cluster import Cluster
from star_watos.watos.silicon import (
    die_area_mm2,
    mesh_bytes_per_s,
    power_at_peak_w,
    wafer_yield,
)
from star_watos.watos.switched import Switched
from star_watos.workload import load_model


def wafer_comparisons() -> list[Comparison]:
    """Return wafers, models' parameters, and all-reduces and a layer on GPUs beside ours."""
    wafers = {name: _figures(name) for name in names("configs/wafers")}
    counts = {name: float(load_model(name).n_params) for name in names("configs/models")}
    gpus = {"all_reduce_4_a100": _all_reduces(), "gpt3_layer_4_a100": served_figures()}
    return compare(wafers | {"parameters": counts} | gpus)


def _figures(name: str) -> dict[str, float]:
    """Return what follows from a shipped wafer's template, of that what is published."""
    figures = _derived(load(Wafer, name, "configs/wafers"))
    return {item: figures[item] for item in published_items(name)}


def _derived(wafer: Wafer) -> dict[str, float]:
    die, n_dies, power = wafer.die, wafer.n_dies, power_at_peak_w(wafer)
    n_cores = n_dies * die.cores.size
    noc = die.core.noc_bandwidth_bytes_per_s or 0.0
    off_wafer = wafer.off_wafer.bandwidth_bytes_per_s if wafer.off_wafer else 0.0
    on_dies = sum(power.values()) - power["off_wafer"] - power["dram"]
    compute = power["macs"] + power["sram"] + power["static"]
    return {
        "FLOP rate of a die": die.peak_flops_per_s / 1e12,
        "FLOP rate of the wafer": wafer.peak_flops_per_s / 1e12,
        "cores of the wafer": n_cores,
        "SRAM of the wafer": n_dies * die.sram_bytes / 1e9,
        "SRAM of a core, area": die.core.sram_bytes / 1e6 * _sram_mm2_per_mb(wafer),
        "SRAM bandwidth of the wafer": n_dies * die.sram_bandwidth_bytes_per_s / 1e15,
        "fabric bandwidth of the wafer": 2 * 8 * n_cores * noc / 1e15,
        "DRAM of the wafer": n_dies * wafer.memory_capacity_bytes / 1e9,
        "DRAM bandwidth of the wafer": n_dies * wafer.dram_bytes_per_s / 1e12,
        "D2D of an edge, both ways": 2 * wafer.d2d.link_bytes_per_s / 1e12,
        "D2D of the wafer": mesh_bytes_per_s(wafer) / 1e12,
        "off the wafer, both ways": 2 * off_wafer / 1e12,
        "power at full rate": sum(power.values()) / 1e3,
        "power at full rate, as WSE-2's": sum(power.values()) / 1e3,
        "power of compute at full rate": compute / 1e3,
        "power of a die": on_dies / n_dies,
        "power of a core": 1e3 * on_dies / n_cores,
        "area of a die": die_area_mm2(wafer),
        "area of dies and DRAM": sum(area_mm2(wafer).values()),
        "yield of the wafer": 100 * wafer_yield(wafer),
    }


def _sram_mm2_per_mb(wafer: Wafer) -> float:
    return wafer.technology.sram_area_mm2_per_mb.value


def _all_reduces() -> dict[str, float]:
    """Return the microseconds of all-reduces over four GPUs of a DGX A100, from 1 MiB on."""
    cluster = load(Cluster, "dgx_a100", "configs/clusters")
    dgx = Switched(cluster, 4)
    seconds = {k: dgx.all_reduce(1.0, 4.0, 2.0**k).time_s for k in range(20, 35)}
    return {_size(k): 1e6 * float(s) for k, s in seconds.items()}


def _size(power: int) -> str:
    """Return 2^power bytes as text.

    >>> _size(20), _size(31)
    ('1 MiB', '2 GiB')
    """
    return f"{2 ** (power - 30)} GiB" if power >= 30 else f"{2 ** (power - 20)} MiB"
