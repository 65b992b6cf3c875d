"""One operator as one die sees it, and the microbatch and split it is part of.

Every quantity is a float or a NumPy column, so a column of tensor-parallel degrees gives columns of
FLOPs and bytes.
"""

from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias, cast

import numpy as np
from numpy.typing import NDArray

from star_watos.cost import Column

Flag: TypeAlias = "bool | NDArray[np.bool_]"
"""Yes or no, or one yes or no a row."""

LSE_BYTES = 4.0
"""Flash attention keeps the log-sum-exp of a row as one fp32 number (arXiv 2307.08691, 3.1)."""
LOGIT_BYTES = 4.0
"""Logits are saved in fp32 (arXiv 2205.05198, 4.3); router scores are taken to be, too."""
MASK_BYTES = 1.0
"""One element of a dropout mask (arXiv 2205.05198, 4.1)."""


class Kind(Enum):
    """Which unit of a die does the work."""

    GEMM = "gemm"
    ATTENTION = "attention"
    VECTOR = "vector"


class Attention(Enum):
    """How scores, softmax and weighted sum are computed."""

    FLASH = "flash"
    """In one pass; the square of scores never leaves the die, and its masked half is skipped."""
    UNFUSED = "unfused"
    """One after the other over the full square of scores, which is written out between them."""


@dataclass(frozen=True, slots=True)
class Microbatch:
    """What goes through a layer at once, and over how many dies the layer is split."""

    tokens: Column
    """Sequences of the microbatch times `seq_len`."""
    seq_len: int
    tp: Column = 1.0
    """Dies that share each matrix (tensor parallelism)."""
    sequence_parallel: Flag = False
    """Whether the dies share the norms, dropouts and residual adds too, a part of the tokens each.
    """
    attention: Attention = Attention.FLASH
    element_bytes: float = 2.0
    """Bytes of a weight or activation."""
    ep: Column = 1.0
    """Groups of dies that share the routed experts, each bringing `tokens` of its own."""

    @property
    def rows(self) -> Column:
        """Tokens a die has of what tensor parallelism does not split: all, or 1/tp of them."""
        split = 1.0 + self.sequence_parallel * (self.tp - 1.0)
        return cast("Column", self.tokens / split)


@dataclass(frozen=True, slots=True, kw_only=True)
class Op:
    """One operator of a layer on one die of its tensor-parallel group.

    A GEMM is `batch` products of [m, k] by [k, n]. Attention has the shape of Q·Kᵀ. An operator of
    the vector unit works on m rows of n elements and counts no FLOPs.
    """

    name: str
    kind: Kind
    m: Column
    n: Column
    k: Column = 1.0
    batch: Column = 1.0
    forward_flops: Column = 0.0
    """Matrix FLOPs of the forward pass; a MAC is 2."""
    backward_flops: Column = 0.0
    """Matrix FLOPs of both gradients."""
    weight_bytes: Column = 0.0
    """Parameters that the operator reads."""
    input_bytes: Column = 0.0
    """Activations that the forward pass reads."""
    output_bytes: Column = 0.0
    """Activations that the forward pass writes."""
    saved_bytes: Column = 0.0
    """What the backward pass finds in memory because of this operator when nothing is recomputed.
    """
    kept_bytes: Column = 0.0
    """The part of `saved_bytes` that stays although the operator is run again."""
    recomputed: bool = False
    """Whether selective recomputation drops the result and runs the operator again."""
    cached: bool = False
    """Whether it is attention whose keys and values are read from memory, as `weight_bytes`."""

    @property
    def unfused(self) -> bool:
        """Whether it is attention that writes its square of scores; only that is run again."""
        return self.kind is Kind.ATTENTION and self.recomputed

    @property
    def selective_bytes(self) -> Column:
        """What the backward pass finds in memory under selective recomputation."""
        return self.kept_bytes if self.recomputed else self.saved_bytes


def share_of_heads(heads: int, tp: Column) -> Column:
    """Return the whole heads on the fullest die: heads / tp, rounded up.

    With fewer key-value heads than dies, each die holds one, so that dies hold copies.

    >>> share_of_heads(64, 8), share_of_heads(8, 32)
    (8.0, 1.0)
    """
    return -(-float(heads) // tp)


def gemm(
    name: str,
    shape: Microbatch,
    m: Column,
    n: Column,
    k: Column,
    *,
    batch: Column = 1.0,
    bias: Column = 0.0,
    saved_bytes: Column = 0.0,
) -> Op:
    """Return the product of [m, k] by weights [k, n], `batch` times.

    FLOPs = 2 m n k batch forward, and twice that backward: one such product for the gradient of
    the input and one for that of the weights. `bias` is its number of parameters.

    >>> op = gemm("up", Microbatch(tokens=4, seq_len=4), m=4, n=3, k=2, bias=3)
    >>> op.forward_flops, op.backward_flops, op.weight_bytes
    (48.0, 96.0, 18.0)
    """
    flops, size = 2.0 * m * n * k * batch, shape.element_bytes
    return Op(
        name=name,
        kind=Kind.GEMM,
        m=m,
        n=n,
        k=k,
        batch=batch,
        forward_flops=flops,
        backward_flops=2.0 * flops,
        weight_bytes=size * (batch * n * k + bias),
        input_bytes=size * batch * m * k,
        output_bytes=size * batch * m * n,
        saved_bytes=saved_bytes,
    )


def result(name: str, shape: Microbatch, m: Column, n: Column, reads: Column) -> Op:
    """Return a vector operator that reads `reads` elements a row and whose result is saved.

    The result has [m, n] elements and is made again under selective recomputation.

    >>> result("act", Microbatch(tokens=4, seq_len=4), m=4, n=8, reads=16).saved_bytes
    64.0
    """
    size = shape.element_bytes
    written = size * m * n
    return Op(
        name=name,
        kind=Kind.VECTOR,
        m=m,
        n=n,
        input_bytes=size * m * reads,
        output_bytes=written,
        saved_bytes=written,
        recomputed=True,
    )


def norm(
    name: str,
    shape: Microbatch,
    width: int,
    params: int,
    *,
    saves_input: bool = True,
    saves_result: bool = True,
) -> Op:
    """Return a norm of `width` on the residual stream; its input stays in memory with its result.

    The input is the sum that entered the stream last. To make it again would take the product
    before it and that product's all-reduce, so recomputation keeps it. Where another norm has saved
    the same input, `saves_input` is false; where the result is added only, `saves_result` is.
    """
    size, rows = shape.element_bytes, shape.rows
    stream = size * rows * width
    kept = saves_input * stream
    return Op(
        name=name,
        kind=Kind.VECTOR,
        m=rows,
        n=float(width),
        weight_bytes=size * params,
        input_bytes=stream,
        output_bytes=stream,
        saved_bytes=kept + saves_result * stream,
        kept_bytes=kept,
        recomputed=saves_result,
    )


def residual(name: str, shape: Microbatch, width: int, dropout: float, blocks: int = 1) -> Op:
    """Return the add that ends `blocks` blocks side by side, after dropout if there is one.

    The sum is saved by the norm that reads it, so that only the masks are this operator's own.
    """
    size, elements = shape.element_bytes, shape.rows * width
    mask = blocks * MASK_BYTES * elements if dropout else 0.0 * elements
    return Op(
        name=name,
        kind=Kind.VECTOR,
        m=shape.rows,
        n=float(width),
        input_bytes=(1.0 + blocks) * size * elements,
        output_bytes=size * elements + mask,
        saved_bytes=mask,
        recomputed=dropout > 0,
    )
