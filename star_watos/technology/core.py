"""Unit costs of a sparse-attention core (`configs/technologies/28nm.yaml` and the like)."""

from typing import Annotated

from pydantic import Field

from star_watos.spec import Constant, Spec
from star_watos.units import Joules, JoulesPerByte, Real, SquareMillimetres


class UnitCost(Spec):
    """One hardware unit: its silicon and what an active cycle costs."""

    area_mm2: Annotated[Constant[SquareMillimetres], Field(alias="area")]
    """Silicon of one unit."""
    energy_j: Annotated[Constant[Joules], Field(alias="energy")]
    """Energy of one unit in one active cycle."""


class CoreTechnology(Spec):
    """What the parts of a core cost at one node."""

    node_nm: Annotated[Real, Field(alias="node", ge=7, le=180)]
    """Node at which the constants hold, in nm; a core at another node scales them."""
    idle_share: Constant[Annotated[Real, Field(ge=0, le=1)]]
    """Energy of an idle cycle over that of an active one."""
    shift_pe: UnitCost
    """One shift-add element of the predictor."""
    mac_int4: UnitCost
    """One 4-bit multiply-accumulate element: the predictor of earlier designs."""
    sort_lane: UnitCost
    """One sorter with its clipping unit."""
    mac_int16: UnitCost
    """One 16-bit multiply-accumulate element."""
    softmax_lane: UnitCost
    """EXP, DIV, maximum assurance and output update of one query."""
    controller_lane: UnitCost
    """Scheduler, identifier buffers and FIFOs of one query."""
    dram_energy_j_per_byte: Annotated[Constant[JoulesPerByte], Field(alias="dram_energy")]
    """Energy in the DRAM device."""
    interface_energy_j_per_byte: Annotated[Constant[JoulesPerByte], Field(alias="interface_energy")]
    """Energy in the interface to it."""
