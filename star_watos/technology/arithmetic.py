"""Area and energy of arithmetic circuits of any width (`configs/technologies/arithmetic.yaml`).

Laws, for integers of w bits, from the costs at 8 bits: a multiplier grows with w squared, an adder
with w. A comparator is an adder (it subtracts), a divider a multiplier of its width (an array of as
many cells), an exponent two multiplications and two additions (a polynomial of degree 2), a MAC a
multiplier with an adder: of 32 bits for integers, of its own format for floating point.
"""

from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Annotated, assert_never

from pydantic import Field

from star_watos.spec import Constant, Spec, load
from star_watos.technology.core import UnitCost
from star_watos.technology.scaling import area_scale, energy_scale
from star_watos.units import Real

Format = Annotated[str, Field(pattern=r"^(int[1-9][0-9]?|fp16|fp32)$")]
"""`int9` is an integer of 9 bits."""
ACCUMULATOR = "int32"


class Operation(StrEnum):
    """What a circuit does every cycle."""

    MAC = "mac"
    MULTIPLIER = "multiplier"
    ADDER = "adder"
    COMPARATOR = "comparator"
    DIVIDER = "divider"
    EXPONENT = "exponent"


class Style(StrEnum):
    """How a circuit stands in a design."""

    PIPELINED = "pipelined"
    """With the registers and the drive of a stage at 1 GHz."""
    BARE = "bare"
    """The function alone: a lower bound."""


@dataclass(frozen=True, slots=True)
class Circuit:
    """Silicon, and the energy of one operation."""

    area_mm2: float = 0.0
    energy_j: float = 0.0

    def __add__(self, other: "Circuit") -> "Circuit":
        return Circuit(self.area_mm2 + other.area_mm2, self.energy_j + other.energy_j)

    def times(self, area: float, energy: float) -> "Circuit":
        """Return the circuit with its area and its energy multiplied."""
        return Circuit(self.area_mm2 * area, self.energy_j * energy)


class Arithmetic(Spec):
    """What multipliers and adders cost, and what a pipeline adds."""

    node_nm: Annotated[Real, Field(alias="node", ge=7, le=180)]
    """Node of the bare circuits, in nm."""
    multiplier_int8: UnitCost
    adder_int8: UnitCost
    multiplier_fp16: UnitCost
    adder_fp16: UnitCost
    multiplier_fp32: UnitCost
    adder_fp32: UnitCost
    pipelined_node_nm: Annotated[Real, Field(alias="pipelined_node", ge=7, le=180)]
    """Node of the pipelined MAC, in nm."""
    pipelined_mac_int8: UnitCost
    """An 8-bit MAC as synthesised for a pipeline; over the bare one it is what a pipeline adds."""
    utilization: Constant[Annotated[Real, Field(gt=0, le=1)]]
    """Share of the cycles in which circuits and SRAMs work."""

    def multiplier(self, form: str) -> Circuit:
        """Return a bare multiplier.

        >>> round(arithmetic().multiplier("int32").energy_j * 1e12, 2)  # Horowitz prints 3.1 pJ
        3.2
        """
        width = _bits(form) / 8
        unit: UnitCost = getattr(self, f"multiplier_{_known(form)}")
        squared = 1.0 if form.startswith("fp") else width**2
        return _circuit(unit).times(squared, squared)

    def adder(self, form: str) -> Circuit:
        """Return a bare adder.

        >>> round(arithmetic().adder("int32").area_mm2 * 1e6)  # Dally prints 137 um2
        144
        """
        unit: UnitCost = getattr(self, f"adder_{_known(form)}")
        width = 1.0 if form.startswith("fp") else _bits(form) / 8
        return _circuit(unit).times(width, width)

    def bare(self, operation: Operation, form: str) -> Circuit:
        """Return the circuit of an operation at the node of the table, without registers."""
        multiplier, adder = self.multiplier(form), self.adder(form)
        match operation:
            case Operation.MULTIPLIER | Operation.DIVIDER:
                return multiplier
            case Operation.ADDER | Operation.COMPARATOR:
                return adder
            case Operation.MAC:
                return multiplier + (self.adder(ACCUMULATOR) if form.startswith("int") else adder)
            case Operation.EXPONENT:
                return (multiplier + adder).times(2, 2)
            case _:
                assert_never(operation)

    def margin(self, style: Style) -> Circuit:
        """Return what a style multiplies area and energy by, from the 8-bit MAC at one node.

        >>> pipelined = arithmetic().margin(Style.PIPELINED)
        >>> round(pipelined.area_mm2, 2), round(pipelined.energy_j, 2)
        (2.15, 2.28)
        """
        if style is Style.BARE:
            return Circuit(1.0, 1.0)
        bare = self.bare(Operation.MAC, "int8")
        mac, at = self.pipelined_mac_int8, (self.node_nm, self.pipelined_node_nm)
        return Circuit(
            mac.area_mm2.value / (bare.area_mm2 * area_scale(*at)),
            mac.energy_j.value / (bare.energy_j * energy_scale(*at)),
        )

    def circuit(self, operation: Operation, form: str, node_nm: float, style: Style) -> Circuit:
        """Return the circuit of an operation at `node_nm`."""
        margin = self.margin(style)
        return self.bare(operation, form).times(
            margin.area_mm2 * area_scale(self.node_nm, node_nm),
            margin.energy_j * energy_scale(self.node_nm, node_nm),
        )


def _bits(form: str) -> int:
    """Return the width of a format.

    >>> _bits("int9"), _bits("fp16")
    (9, 16)
    """
    return int(form.lstrip("intfp"))


def _known(form: str) -> str:
    """Return the format of the table that a format is derived from."""
    return form if form.startswith("fp") else "int8"


def _circuit(unit: UnitCost) -> Circuit:
    return Circuit(unit.area_mm2.value, unit.energy_j.value)


@cache
def arithmetic() -> Arithmetic:
    """Return the shipped table."""
    return load(Arithmetic, "arithmetic", "configs/technologies")
