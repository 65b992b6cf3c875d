"""Dense attention with K/V generation on a GPU: time from measured kernels, energy two ways."""

from dataclasses import dataclass, replace
from typing import Annotated

import numpy as np
from pydantic import Field

from star_watos.compare.kernels import Kernel, attention_rate, gemm_rate
from star_watos.spec import Constant, Spec
from star_watos.star import AttentionWork
from star_watos.units import (
    BytesPerS,
    Count,
    Efficiency,
    Hertz,
    Joules,
    JoulesPerByte,
    Real,
    SquareMillimetres,
    Watts,
)

ELEMENT_BYTES = 2
SCORE_PASSES = 6
"""Times that unfused causal attention moves a score: Q Kᵀ writes it, the mask reads and writes it,
the softmax reads and writes it, S V reads it."""


class Gpu(Spec):
    """A GPU, as far as a comparison needs it."""

    name: str
    """Shown in reports."""
    node_nm: Annotated[Real, Field(alias="node", ge=7, le=180)]
    """Node of its die, in nm."""
    frequency_hz: Annotated[Hertz, Field(alias="frequency", gt=0)]
    """Clock under load."""
    multipliers: Constant[Count]
    """FP16 multipliers of its matrix units."""
    area_mm2: Annotated[Constant[SquareMillimetres], Field(alias="area")]
    """Its die."""
    power_w: Annotated[Constant[Watts], Field(alias="power")]
    """Rated power of the board."""
    dram_bytes_per_s: Annotated[Constant[BytesPerS], Field(alias="dram_bandwidth")]
    """Peak of its memory."""
    dram_share: Constant[Efficiency]
    """Share of that peak that long streams reach."""
    flop_energy_j: Annotated[Constant[Joules], Field(alias="flop_energy")]
    """Dynamic energy of a FLOP of the matrix units, operands included."""
    dram_energy_j_per_byte: Annotated[Constant[JoulesPerByte], Field(alias="dram_energy")]
    """Dynamic energy of a byte from DRAM to the cores."""
    unfused_forward_rate: Constant[Efficiency]
    """FLOP/s of an unfused forward pass over those of forward and backward, where known."""

    @property
    def peak_flops_per_s(self) -> float:
        """Rate of its matrix units, a MAC being 2."""
        return 2 * self.multipliers.value * self.frequency_hz


@dataclass(frozen=True, slots=True)
class GpuRun:
    """Dense attention of all layers on a GPU, K/V generation apart."""

    kernel: Kernel
    attention_s: float
    attention_s_band: tuple[float, float]
    """What the forward pass may take; both equal to `attention_s` where it was measured."""
    kv_s: float
    flops: float
    """FLOPs done, a MAC being 2; a fused kernel skips what the causal mask removes."""
    dram_bytes: float
    dynamic_j: float
    """FLOPs and DRAM bytes times their measured energies; on-chip SRAM beyond operands left out."""
    board_j: float
    """Rated power times time."""
    notes: tuple[str, ...]

    @property
    def total_s(self) -> float:
        """K/V generation, then attention."""
        return self.attention_s + self.kv_s


def attention_bytes(work: AttentionWork, kernel: Kernel) -> float:
    """DRAM bytes of one layer's attention: Q, K, V, O once, and unfused `SCORE_PASSES` S² scores.

    >>> work = AttentionWork(4096.0, 1.0, 32.0, 32.0, 128.0, 4096.0, 4096.0, 1.0, 1.0)
    >>> attention_bytes(work, Kernel.FLASH) / 1e6, attention_bytes(work, Kernel.UNFUSED) / 1e9
    (134.217728, 6.576668672)
    """
    rows = work.seq_len * 2 * (work.d_q + work.d_kv)
    scores = work.n_heads * work.seq_len**2 if kernel is Kernel.UNFUSED else 0.0
    return float(ELEMENT_BYTES * (rows + SCORE_PASSES * scores))


def kv_bytes(work: AttentionWork) -> float:
    """DRAM bytes of one layer's K/V generation: tokens and weights in, K and V out, each once."""
    tokens, width = work.seq_len, 2 * work.d_kv
    return float(ELEMENT_BYTES * (tokens * work.d_model + work.d_model * width + tokens * width))


def run(gpu: Gpu, work: AttentionWork, kernel: Kernel) -> GpuRun:
    """Return time and energy of causal prefill `work`, dense, on `gpu`.

    Per layer, attention takes 2 S² d_q FLOPs (half the square) at the measured rate; K and V
    4 S D d_kv at the measured rate of that GEMM.
    """
    work = replace(work, seq_len=float(np.max(work.seq_len)))  # dense: all layers do the same
    layers, seq_len = float(np.sum(work.n_layers)), float(work.seq_len)
    half = 2 * seq_len**2 * float(work.d_q)
    rate = attention_rate(kernel, float(work.head_dim), seq_len)
    kv_flops = 4 * seq_len * float(work.d_model * work.d_kv)
    kv_rate = gemm_rate(seq_len, float(2 * work.d_kv), float(work.d_model))
    done = half * (2 if kernel is Kernel.UNFUSED else 1) + kv_flops
    moved = attention_bytes(work, kernel) + kv_bytes(work)
    attention_s, kv_s = layers * half / rate.flops_per_s, layers * kv_flops / kv_rate
    joules = gpu.flop_energy_j.value * done + gpu.dram_energy_j_per_byte.value * moved
    return GpuRun(
        kernel=kernel,
        attention_s=attention_s,
        attention_s_band=_band(gpu, work, kernel, attention_s),
        kv_s=kv_s,
        flops=layers * done,
        dram_bytes=layers * moved,
        dynamic_j=layers * joules,
        board_j=gpu.power_w.value * (attention_s + kv_s),
        notes=rate.notes,
    )


def _band(gpu: Gpu, work: AttentionWork, kernel: Kernel, attention_s: float) -> tuple[float, float]:
    """Return the range of a forward pass whose rate is that of forward and backward.

    No shorter than its own DRAM traffic takes, no longer than the one case measured apart.
    """
    if kernel is not Kernel.UNFUSED:
        return attention_s, attention_s
    stream = gpu.dram_bytes_per_s.value * gpu.dram_share.value
    floor_s = float(np.sum(work.n_layers)) * attention_bytes(work, kernel) / stream
    return min(floor_s, attention_s), attention_s / gpu.unfused_forward_rate.value
