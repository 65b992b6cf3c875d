"""SOFA's published figures against the model at SOFA's operating point."""

from dataclasses import replace

from star_watos.cost import Overflow
from star_watos.spec import Document, Mark, load, validate
from star_watos.star import AttentionTask, Core, Evaluation, simulate
from star_watos.technology.sram import sram_range_note
from star_watos.validate.published import Comparison, compare


def core_comparisons() -> list[Comparison]:
    """Return SOFA's Tables II to IV beside ours: Llama-2 7B, 4k tokens, 2 % loss."""
    core = load(Core, "star_28nm", "configs/cores")
    point, union = _run(core, "sofa_2pct"), _run(core, "sofa_2pct_union")
    metrics = {name: float(value) for name, value in point.metrics.items()}
    time_s = metrics["latency_s"]
    power_w = {block: float(j) / time_s for block, j in point.energy.blocks_j.items()}
    areas = {f"area {block}": float(a) for block, a in point.areas_mm2.items()}
    logic = ("dlzs", "sads", "kv_generation", "sufa", "sram")
    figures = {
        "throughput": metrics["throughput_gops"],
        "throughput with generated share 0.241": float(union.metrics["throughput_gops"]),
        "PE utilization": 100 * metrics["utilization"],
        "area": metrics["area_mm2"],
        "core power": metrics["core_power_w"],
        "core efficiency": metrics["core_energy_efficiency_gops_per_w"],
        "area efficiency": metrics["area_efficiency_gops_per_mm2"],
        "DRAM bandwidth used": metrics["dram_bytes"] / time_s / 1e9,
        "DRAM power": power_w["dram"],
        "device efficiency": metrics["energy_efficiency_gops_per_w"],
    }
    rows = compare({"sofa": figures | areas | {f"power {b}": power_w[b] for b in logic}})
    note = _sram_note(core)
    return [replace(row, note=note) if row.item.endswith(" sram") else row for row in rows]


def _sram_note(core: Core) -> str:
    """Say which SRAMs of a core lie outside the table, and in what; empty if none."""
    node = core.technology.node_nm
    notes = {
        name: sram_range_note(sram.capacity_bytes / sram.banks, sram.word_bits, node)
        for name, sram in core.sram
    }
    beyond = [f"{name} {text}" for name, text in notes.items() if text]
    return f"SRAM outside the CACTI table: {core.name}: {'; '.join(beyond)}" if beyond else ""


def _run(core: Core, sparsity: str) -> Evaluation:
    fields = {"model": "llama2_7b", "seq_len": 4096, "sparsity": sparsity}
    task = validate(AttentionTask, Document(fields, {(): Mark("validate")}))
    result = simulate(core, task.work(task.load()))
    assert not isinstance(result, Overflow)  # noqa: S101 (the shipped core fits its own workload)
    return result
