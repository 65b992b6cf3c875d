"""What the in-order schedule loads, as measured."""

from functools import cache
from typing import Annotated

from pydantic import Field

from star_watos.spec import Constant, Spec, load
from star_watos.units import Real


class InOrder(Spec):
    """The in-order schedule on a real tile (`configs/operations/in_order.yaml`)."""

    distinct: Constant[Annotated[Real, Field(gt=0, le=1)]]
    """Rows loaded over keys kept: some queries reach the same key in the same step."""


@cache
def in_order_distinct() -> float:
    """Return loads over kept keys.

    >>> in_order_distinct()
    0.69
    """
    return load(InOrder, "in_order", "configs/operations").distinct.value
