"""Rates of A100 kernels as measured, looked up inside the measured range."""

import csv
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from math import log
from pathlib import Path

import numpy as np

_HERE = Path(__file__)
GEMM_ROWS = 8192
"""Rows of the longest GEMM measured; a longer one runs as pieces of that many."""


class Kernel(StrEnum):
    """How dense attention runs on the GPU."""

    UNFUSED = "unfused"
    """Scores and probabilities go through DRAM, as PyTorch's plain operators do it."""
    FLASH = "flashattention"
    """FlashAttention-2."""


@dataclass(frozen=True, slots=True)
class Rate:
    """FLOP/s of a kernel, and what a reader must know of where it comes from."""

    flops_per_s: float
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Measured:
    """One kernel of one head width over the sequence lengths that were measured."""

    kernel: Kernel
    head_dim: int
    seq_lens: tuple[int, ...]
    flops_per_s: tuple[float, ...]
    out_of_memory_at: int | None = None
    """Tokens at which the benchmark did not run, for want of memory."""

    def at(self, seq_len: float) -> Rate:
        """Return the rate at `seq_len`, linear in its logarithm; outside, the nearest measured.

        >>> series = Measured(Kernel.FLASH, 128, (1024, 4096), (1e14, 2e14))
        >>> round(series.at(2048).flops_per_s / 1e12, 6), series.at(2048).notes
        (150.0, ())
        >>> print(*series.at(8192).notes)
        A100 flashattention kernels were measured from 1,024 to 4,096 tokens;
        at 8,192 the rate at 4,096 is held
        """
        rate = float(np.interp(log(seq_len), [log(s) for s in self.seq_lens], self.flops_per_s))
        low, high = self.seq_lens[0], self.seq_lens[-1]
        if low <= seq_len <= high:
            return Rate(rate)
        held = low if seq_len < low else high
        note = (
            f"A100 {self.kernel} kernels were measured from {low:,} to {high:,} tokens; "
            f"at {seq_len:,.0f} the rate at {held:,} is held"
        )
        if self.out_of_memory_at is not None and seq_len > high:
            note += f" (the benchmark ran out of memory at {self.out_of_memory_at:,})"
        return Rate(rate, (note,))


@cache
def attention_kernels() -> tuple[Measured, ...]:
    """Return the measured causal attention kernels; a FLOP that the mask removes is not counted.

    >>> [(m.kernel.value, m.head_dim, m.seq_lens[-1]) for m in attention_kernels()]
    [('flashattention', 64, 16384), ('flashattention', 128, 16384),
    ('unfused', 64, 8192), ('unfused', 128, 8192)]
    """
    series: dict[tuple[Kernel, int], list[dict[str, str]]] = {}
    for row in _rows("a100_attention.csv"):
        series.setdefault((Kernel(row["kernel"]), int(row["head_dim"])), []).append(row)
    return tuple(_measured(*key, points) for key, points in series.items())


def _measured(kernel: Kernel, head_dim: int, points: list[dict[str, str]]) -> Measured:
    ran = [row for row in points if row["tflops"]]
    return Measured(
        kernel,
        head_dim,
        seq_lens=tuple(int(row["seq_len"]) for row in ran),
        flops_per_s=tuple(float(row["tflops"]) * 1e12 for row in ran),
        out_of_memory_at=next((int(row["seq_len"]) for row in points if not row["tflops"]), None),
    )


def attention_rate(kernel: Kernel, head_dim: float, seq_len: float) -> Rate:
    """Return the rate of causal attention; a head width not measured takes the nearest one's."""
    same = [m for m in attention_kernels() if m.kernel is kernel]
    nearest = min(same, key=lambda m: abs(log(m.head_dim / head_dim)))
    rate = nearest.at(seq_len)
    if nearest.head_dim == head_dim:
        return rate
    note = (
        f"A100 {kernel} kernels were measured for heads of 64 and 128; "
        f"those of {nearest.head_dim} stand for {head_dim:.0f}"
    )
    return Rate(rate.flops_per_s, (note, *rate.notes))


@cache
def _gemms() -> dict[tuple[int, int], list[tuple[int, float]]]:
    """Return (n, k) -> [(m, FLOP/s)], m ascending."""
    found: dict[tuple[int, int], list[tuple[int, float]]] = {}
    for row in _rows("a100_gemm.csv"):
        point = int(row["m"]), float(row["tflops"]) * 1e12
        found.setdefault((int(row["n"]), int(row["k"])), []).append(point)
    return found


def gemm_rate(m: float, n: float, k: float) -> float:
    """Return the FLOP/s of a [m, k] x [k, n] product in bf16: that of the nearest measured n, k.

    Linear in the logarithm of m; under 512 rows that of 512.

    >>> gemm_rate(4096, 8192, 4096) / 1e12, gemm_rate(131_072, 8192, 4096) / 1e12
    (268.9, 263.02)
    """
    shapes = _gemms()
    shape = min(shapes, key=lambda s: abs(log(s[0] / n)) + abs(log(s[1] / k)))
    rows, rates = zip(*shapes[shape], strict=True)
    return float(np.interp(log(min(m, GEMM_ROWS)), np.log(rows), rates))


def _rows(name: str) -> list[dict[str, str]]:
    with _HERE.with_name(name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
