"""One number for operations of different kinds, and the papers' comparison of update orders."""

from dataclasses import dataclass
from enum import Enum
from functools import cache
from typing import Annotated, assert_never

from pydantic import Field

from star_watos.spec import Constant, Spec, load
from star_watos.star.algorithms.operations import Operations
from star_watos.units import Real

Weight = Constant[Annotated[Real, Field(ge=0)]]


class Complexity(Spec):
    """Cost of each kind of operation (`configs/operations/*.yaml`), in 16-bit additions."""

    exp: Weight
    """An exponential."""
    mul: Weight
    """A 16-bit multiplication."""
    add: Weight
    """An addition or subtraction."""
    compare: Weight
    """A comparison of two numbers."""
    div: Weight
    """A 16-bit division."""
    shift: Weight
    """A shift by any distance."""
    low_mul: Weight
    """A 4-bit multiplication."""

    @property
    def weights(self) -> Operations:
        """The weights in the shape of counts, for `Operations.weighted`."""
        return Operations(
            exp=self.exp.value,
            mul=self.mul.value,
            add=self.add.value,
            compare=self.compare.value,
            div=self.div.value,
            shift=self.shift.value,
            low_mul=self.low_mul.value,
        )


@cache
def load_complexity() -> Complexity:
    """Return the shipped weights, read once.

    >>> load_complexity().weights.exp
    34.0
    """
    return load(Complexity, "complexity", "configs/operations")


class UpdateOrder(Enum):
    """In which order the running maximum meets the scores."""

    DESCENDING = "descending"
    """The first is the largest: nothing to compare, nothing to rescale."""
    ASCENDING = "ascending"
    """Each is the largest so far: nothing to compare, the sum is rescaled each time."""
    TRADITIONAL = "traditional"
    """FlashAttention: compare each, rescale sum and output once a tile."""


def per_key(order: UpdateOrder, tile_keys: int, head_dim: int) -> Operations:
    """Operations of the softmax part a kept key, as SOFA states them (section on SU-FA).

    Descending: 1 exp + 1 add. Ascending: 1 exp + 1 mul + 1 add. Traditional: 1 exp + 1 add +
    1 compare, and for each tile of `tile_keys` keys one factor and its d + 1 products.

    >>> per_key(UpdateOrder.TRADITIONAL, tile_keys=16, head_dim=63).mul
    4.0
    """
    match order:
        case UpdateOrder.DESCENDING:
            return Operations(exp=1, add=1)
        case UpdateOrder.ASCENDING:
            return Operations(exp=1, mul=1, add=1)
        case UpdateOrder.TRADITIONAL:
            rescale = Operations(exp=1, mul=head_dim + 1) * (1 / tile_keys)
            return Operations(exp=1, add=1, compare=1) + rescale
        case _:
            assert_never(order)


@dataclass(frozen=True, slots=True)
class Savings:
    """Share of the weighted operations that descending order saves, in (0, 1)."""

    against_traditional: float
    """SOFA prints 0.25."""
    against_ascending: float
    """SOFA prints 0.11."""


def savings(
    weights: Operations, tile_keys: int, head_dim: int, *, products: bool = False
) -> Savings:
    """Return what descending order saves a kept key: 1 - descending / other.

    Of the softmax part, or of all with `products`: 2d multiply-accumulates for Q K^T and S V.

    >>> savings(load_complexity().weights, tile_keys=16, head_dim=64).against_ascending
    0.3137254901960784
    """
    macs = Operations(mul=2 * head_dim, add=2 * head_dim) * products
    descending, ascending, traditional = (
        (per_key(order, tile_keys, head_dim) + macs).weighted(weights) for order in UpdateOrder
    )
    return Savings(1 - descending / traditional, 1 - descending / ascending)
