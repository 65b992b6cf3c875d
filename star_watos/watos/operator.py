"""One operator on one die: time, operations, traffic and energy of a pass.

time = max(compute, DRAM, SRAM) + overhead: the three overlap, the start of the operator does not.
"""

import numpy as np

from star_watos.cost import Column, Cost
from star_watos.watos.silicon import die_area_mm2
from star_watos.watos.training import WEIGHT_BYTES
from star_watos.watos.wafer import Die, Wafer
from star_watos.workload import Kind, Op

RESIDENT_SHARE = 0.5
"""Share of the die's SRAM that an operator's inputs and outputs may fill; the rest holds weights
and the next operator's data. A modelling choice."""


def gemm_seconds(die: Die, batch: Column, m: Column, n: Column, k: Column) -> Column:
    """Seconds of `batch` products [m, k] x [k, n] on all cores, edges and waves rounded up.

    Each core's array of a x b MACs holds a tile of the output (m x n), of the weights (k x n) or
    of the input (m x k) still while the third dimension streams; tiles go to cores in waves:
    cycles = ceil(batch ceil(x / a) ceil(y / b) / cores) z, the least of the three.

    >>> from star_watos.spec import load
    >>> die = load(Wafer, "watos_config3", "configs/wafers").die
    >>> round(gemm_seconds(die, 1, 324 * 16, 32, 1000).item() * die.frequency_hz)
    1000
    """
    a, b = die.core.mac_rows, die.core.mac_cols

    def cycles(x: Column, y: Column, z: Column) -> Column:
        waves: Column = np.ceil(batch * np.ceil(x / a) * np.ceil(y / b) / die.cores.size)
        return waves * z

    least = np.minimum(np.minimum(cycles(m, n, k), cycles(k, n, m)), cycles(m, k, n))
    seconds: Column = least / die.frequency_hz
    return seconds


def _compute_s(
    die: Die, op: Op, flops: Column, shapes: list[tuple[Column, Column, Column]]
) -> Column:
    """Seconds of `flops` done at the efficiency of products of these shapes, in equal shares."""
    whole = sum(2.0 * op.batch * m * n * k for m, n, k in shapes)
    seconds = sum(gemm_seconds(die, op.batch, m, n, k) for m, n, k in shapes)
    return seconds * flops / whole


def _spilled_bytes(die: Die, op: Op) -> Column:
    """Inputs and outputs where they do not fit the die's SRAM, else 0."""
    size = op.input_bytes + op.output_bytes
    return np.where(size > RESIDENT_SHARE * die.sram_bytes, size, 0.0)


def _cost(
    wafer: Wafer, op: Op, compute_s: Column, flops: Column, passes: float, dram: Column
) -> Cost:
    """Cost of going over the operator's data `passes` times."""
    die, tech = wafer.die, wafer.technology
    streamed = (op.input_bytes + op.output_bytes) * passes
    operands = flops * (1 / die.core.mac_rows + 1 / die.core.mac_cols)
    vector_s = streamed / die.sram_bandwidth_bytes_per_s if op.kind is Kind.VECTOR else 0.0
    dram_s = dram / wafer.memory_bytes_per_s
    wire_mm = np.sqrt(die_area_mm2(wafer)) / 2
    energy = (
        flops / 2 * tech.mac_energy_j.value
        + (operands + streamed) * tech.sram_energy_j_per_byte.value
        + (streamed + op.weight_bytes * passes) * wire_mm * tech.noc_energy_j_per_byte_mm.value
        + dram * wafer.memory_energy_j_per_byte
    )
    return Cost(
        time_s=np.maximum(np.maximum(compute_s, dram_s), vector_s) + die.operator_overhead_s,
        energy_j=energy,
        ops=flops,
        sram_bytes=operands + streamed,
        dram_bytes=dram,
    )


def forward(wafer: Wafer, op: Op, saved_bytes: Column) -> Cost:
    """Cost of the forward pass of `op`, of whose results `saved_bytes` are written to DRAM."""
    compute_s: Column = 0.0
    if op.kind is not Kind.VECTOR:
        compute_s = _compute_s(wafer.die, op, op.forward_flops, [(op.m, op.n, op.k)])
    dram = op.weight_bytes + saved_bytes + _spilled_bytes(wafer.die, op)
    return _cost(wafer, op, compute_s, op.forward_flops, 1.0, dram)


def backward(wafer: Wafer, op: Op, gradient_bytes: float) -> Cost:
    """Cost of both gradients of `op`.

    Weights and what was saved are read, spilled data moves twice, and gradients of weights are
    added to those of earlier microbatches in DRAM (one read and one write of `gradient_bytes`).
    """
    compute_s: Column = 0.0
    m, n, k = op.m, op.n, op.k
    if op.kind is Kind.GEMM:
        compute_s = _compute_s(wafer.die, op, op.backward_flops, [(m, k, n), (k, n, m)])
    elif op.kind is Kind.ATTENTION:
        compute_s = _compute_s(wafer.die, op, op.backward_flops, [(m, n, k)])
    gradients = 2 * gradient_bytes / WEIGHT_BYTES * op.weight_bytes
    dram = op.weight_bytes + gradients + op.saved_bytes + 2 * _spilled_bytes(wafer.die, op)
    return _cost(wafer, op, compute_s, op.backward_flops, 2.0, dram)
