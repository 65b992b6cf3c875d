"""Kernels on one GPU of a cluster: how long they take, and how long the host takes to start them.

A product takes what was measured for it, interpolated in m, n and k. What lies outside of the table
is brought to its edge: fewer columns than the table has to as many tiles of the narrowest entry, a
shorter inner dimension to the shortest one's rate, larger ones to the largest one's rate, for rates
level off. `outside_table` says where that is done. A device without a table fills its
multiprocessors with waves of tiles. No product is faster than its operands pass through memory, or
than long products are.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from star_watos.cost import Column
from star_watos.tables import Table, table
from star_watos.watos.cluster import Cluster
from star_watos.watos.experts import grouped_rates, sorting_s
from star_watos.workload import Kind, Op

ELEMENT_BYTES = 2.0
CAST_BYTES = 1.0
UNFUSED_BACKWARD = 14.0 / 8.0
"""Bytes of the square of scores backward over forward, dropout apart: the gradients of the
softmax's result and of the scores are written and read, and softmax and scores are read."""
VECTOR_BACKWARD = 2.0
"""Passes over its data of a vector operator's backward: gradients in and out beside what was
saved, and the sums over rows for bias and scale."""


def _gemm_table(cluster: Cluster) -> Table | None:
    file = cluster.gemms.table
    return table(file.value, ("m", "n", "k"), ("latency_ms",)) if file else None


@dataclass(frozen=True, slots=True)
class Product:
    """A product, turned so that its larger side is n, and folded to the edge of a table."""

    m: Column
    n: Column
    k: Column
    outside: NDArray[np.bool_]


def folded(measured: Table, m: Column, n: Column, k: Column) -> Product:
    """Return the table's place whose rate a product of [m, k] x [k, n] has.

    Narrower than the narrowest entry, the same area is spread over that width, which leaves the
    number of tiles as it is.
    """
    low, high = np.minimum(m, n), np.maximum(m, n)
    wide = np.maximum(high, np.exp(measured.axes[1][0]))
    m_there = low * high / wide
    outside = measured.outside(1, high) | measured.outside(2, k) | measured.outside(0, m_there)
    return Product(
        m=measured.within(0, m_there),
        n=measured.within(1, wide),
        k=measured.within(2, k),
        outside=outside,
    )


def gemm_s(cluster: Cluster, batch: Column, m: Column, n: Column, k: Column) -> Column:
    """Seconds of `batch` products [m, k] x [k, n] of 16-bit numbers.

    >>> from star_watos.spec import load
    >>> a100 = load(Cluster, "dgx_a100", "configs/clusters")
    >>> seconds = gemm_s(a100, 1, 4096, 4096, 1024)
    >>> round(2 * 4096**2 * 1024 / seconds / 1e12)  # the table: 232 TFLOP/s
    232
    """
    rows = batch * m
    flops = 2.0 * rows * n * k
    measured = _gemm_table(cluster)
    if measured is None:
        seconds = flops / _tiled_flops_per_s(cluster, rows, n)
    else:
        place = folded(measured, rows, n, k)
        latency_s = 1e-3 * measured.at(place.m, place.n, place.k)[0]
        seconds = flops / (2.0 * place.m * place.n * place.k) * latency_s
    moved = ELEMENT_BYTES * (rows * k + batch * k * n + rows * n)
    least = np.maximum(
        moved / cluster.elementwise_bytes_per_s, flops / cluster.sustained_flops_per_s
    )
    longest: Column = np.maximum(seconds, least)
    return longest


def _tiled_flops_per_s(cluster: Cluster, m: Column, n: Column) -> Column:
    """FLOP/s of waves of tiles: the last wave leaves multiprocessors idle."""
    tile, sms = cluster.gemms.tile, cluster.gpu.multiprocessors
    tiles = np.ceil(np.minimum(m, n) / tile.rows) * np.ceil(np.maximum(m, n) / tile.cols)
    filled = (m * n) / (tile.rows * tile.cols) / (np.ceil(tiles / sms) * sms)
    rate: Column = cluster.sustained_flops_per_s * filled
    return rate


def outside_table(cluster: Cluster, op: Op) -> NDArray[np.bool_]:
    """Return whether a product of the operator lies outside of the measured table.

    Devices without a table have nothing measured: all of theirs do.
    """
    measured = _gemm_table(cluster)
    if op.kind is not Kind.GEMM:
        return np.zeros((), dtype=bool)
    if measured is None:
        return np.ones((), dtype=bool)
    m, n, k = op.batch * op.m, op.n, op.k
    return np.asarray(
        folded(measured, m, n, k).outside
        | folded(measured, m, k, n).outside
        | folded(measured, k, n, m).outside
    )


def flash_flops_per_s(cluster: Cluster, head_dim: Column, seq_len: Column) -> NDArray[np.float64]:
    """FLOP/s forward and backward of flash attention, [2, ...]; the ends of the table go on."""
    measured = table(
        cluster.flash.table.value, ("head_dim", "seq_len"), ("forward_tflops", "backward_tflops")
    )
    width, length = measured.within(0, head_dim), measured.within(1, seq_len)
    rates: NDArray[np.float64] = 1e12 * cluster.flash.scale.value * measured.at(width, length)
    return rates


def forward_s(cluster: Cluster, op: Op, *, fp8: bool = False) -> Column:
    """Seconds of the device for the forward pass of `op`; with `fp8`, of 8-bit products."""
    if op.kind is Kind.GEMM:
        rate, _, _ = grouped_rates(cluster, op)
        product_s = gemm_s(cluster, op.batch, op.m, op.n, op.k) / rate
        return _in_8_bits(cluster, op, product_s, (op.m + op.n) * op.k) if fp8 else product_s
    sorted_s = sorting_s(cluster, op)
    if sorted_s is not None:
        return sorted_s
    if op.unfused:
        return _unfused_s(cluster, op, op.forward_flops, 1.0)
    if op.cached:
        return _cached_s(cluster, op)
    if op.kind is Kind.ATTENTION:
        flash_s: Column = op.forward_flops / flash_flops_per_s(cluster, op.k, op.m)[0]
        return flash_s
    streams = cluster.streams
    rate = cluster.stream_bytes_per_s(streams.norm if is_norm(op) else streams.elementwise)
    return (op.input_bytes + op.output_bytes) / rate


def backward_s(cluster: Cluster, op: Op, gradient_bytes: float, *, fp8: bool = False) -> Column:
    """Seconds of the device for both gradients of `op`, weights' added up in memory."""
    if op.kind is Kind.GEMM:
        _, data_rate, weights_rate = grouped_rates(cluster, op)
        data = gemm_s(cluster, op.batch, op.m, op.k, op.n) / data_rate
        weights = gemm_s(cluster, op.batch, op.k, op.n, op.m) / weights_rate
        added = 2.0 * gradient_bytes * op.weight_bytes / ELEMENT_BYTES
        by_itself = not cluster.software.adds_gradients.value
        added_s = by_itself * added / cluster.elementwise_bytes_per_s
        products_s = data + weights / cluster.gemms.weights_share.value
        if fp8:
            products_s = _in_8_bits(cluster, op, products_s, op.m * op.n)
        seconds: Column = products_s + added_s
        return seconds
    sorted_s = sorting_s(cluster, op)
    if sorted_s is not None:
        return sorted_s
    if op.unfused:
        return _unfused_s(cluster, op, op.backward_flops, UNFUSED_BACKWARD)
    if op.kind is Kind.ATTENTION:
        flash_s: Column = op.backward_flops / flash_flops_per_s(cluster, op.k, op.m)[1]
        return flash_s
    return VECTOR_BACKWARD * forward_s(cluster, op)


def _in_8_bits(cluster: Cluster, op: Op, products_s: Column, elements: Column) -> Column:
    """Seconds of products in 8 bits, and of the casts of so many elements of each.

    Those are input and weights forward, the gradient of the result backward: each is read, and
    written as it stands and transposed for the other products (TransformerEngine, cast_transpose).
    """
    n_bytes = (ELEMENT_BYTES + 2 * CAST_BYTES) * op.batch * elements
    faster = cluster.gemms.fp8_speedup.value
    seconds: Column = products_s / faster + n_bytes / cluster.elementwise_bytes_per_s
    return seconds


def loss_s(cluster: Cluster, op: Op) -> Column:
    """Seconds of softmax and cross-entropy over [m, n] logits, forward and backward."""
    n_bytes = op.m * op.n * cluster.software.loss_bytes_per_logit.value
    seconds: Column = n_bytes / cluster.elementwise_bytes_per_s
    return seconds


def _cached_s(cluster: Cluster, op: Op) -> Column:
    """Seconds of a few queries against what is cached: its bytes, or the products."""
    moved = op.weight_bytes + op.input_bytes + op.output_bytes
    seconds: Column = np.maximum(
        moved / cluster.elementwise_bytes_per_s, op.forward_flops / cluster.sustained_flops_per_s
    )
    return seconds


def _unfused_s(cluster: Cluster, op: Op, flops: Column, passes: float) -> Column:
    """Seconds of products and softmax over the square of scores, and of dropout beside."""
    products_s = flops / cluster.sustained_flops_per_s
    dropped = _dropout_bytes(op)
    moved = op.input_bytes + op.output_bytes - dropped
    rate = cluster.stream_bytes_per_s(cluster.streams.unfused_attention)
    longer = np.maximum(products_s, passes * moved / rate)
    seconds: Column = longer + dropped / cluster.elementwise_bytes_per_s
    return seconds


def _dropout_bytes(op: Op) -> Column:
    """Bytes that dropout over the square of scores moves: it reads it, writes mask and result."""
    square = ELEMENT_BYTES * op.batch * op.m * op.n
    written = op.saved_bytes - op.kept_bytes - square
    moved: Column = written + square * (written > 0)
    return moved


def is_norm(op: Op) -> bool:
    """Whether a vector operator reduces each row first."""
    return op.name.endswith("norm")
