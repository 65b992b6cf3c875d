"""Published wafers and models against what the model derives for them."""

from star_watos.spec import load, names
from star_watos.validate.published import Comparison, compare
from star_watos.watos import Wafer, area_mm2
from star_watos.watos.silicon import die_area_mm2
from star_watos.workload import load_model


def wafer_comparisons() -> list[Comparison]:
    """Return configuration 3 of WATOS and the models' parameter counts beside ours."""
    wafer = load(Wafer, "watos_config3", "configs/wafers")
    config3 = {
        "FLOP rate of a die": wafer.die.peak_flops_per_s / 1e12,
        "FLOP rate of the wafer": wafer.peak_flops_per_s / 1e12,
        "DRAM of the wafer": wafer.n_dies * wafer.dram.capacity_bytes / 1e9,
        "area of a die": die_area_mm2(wafer),
        "area of dies and DRAM": sum(area_mm2(wafer).values()),
    }
    counts = {name: float(load_model(name).n_params) for name in names("configs/models")}
    return compare({"watos_config3": config3, "parameters": counts})
