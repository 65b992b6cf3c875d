"""Published wafers and models against what the model derives for them."""

from star_watos.spec import load, names
from star_watos.validate.published import Comparison, compare
from star_watos.watos import Wafer, area_mm2
from star_watos.watos.cluster import Cluster
from star_watos.watos.silicon import die_area_mm2
from star_watos.watos.switched import Switched
from star_watos.workload import load_model

AREAS_PUBLISHED = ("watos_config3", "wsc_llm_case3")


def wafer_comparisons() -> list[Comparison]:
    """Return wafers, models' parameters and all-reduces on GPUs beside ours."""
    wafers = {name: _figures(name) for name in names("configs/wafers")}
    counts = {name: float(load_model(name).n_params) for name in names("configs/models")}
    return compare(wafers | {"parameters": counts, "all_reduce_4_a100": _all_reduces()})


def _figures(name: str) -> dict[str, float]:
    """Return what follows from a shipped wafer's template, areas where they are published."""
    wafer = load(Wafer, name, "configs/wafers")
    rates = {
        "FLOP rate of a die": wafer.die.peak_flops_per_s / 1e12,
        "FLOP rate of the wafer": wafer.peak_flops_per_s / 1e12,
        "DRAM of the wafer": wafer.n_dies * wafer.dram.capacity_bytes / 1e9,
    }
    areas = {
        "area of a die": die_area_mm2(wafer),
        "area of dies and DRAM": sum(area_mm2(wafer).values()),
    }
    return rates | (areas if name in AREAS_PUBLISHED else {})


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
