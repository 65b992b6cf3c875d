"""Unit costs of a wafer-scale training die (`configs/technologies/7nm.yaml` and the like)."""

from typing import Annotated

from pydantic import Field

from star_watos.spec import Constant, Spec
from star_watos.units import (
    BytesPerSPerMm,
    Efficiency,
    Joules,
    JoulesPerByte,
    Millimetres,
    Mm2PerBytesPerS,
    Real,
    SquareMillimetres,
    UsdPerByte,
    Watts,
)


class WaferTechnology(Spec):
    """What the parts of a die cost at one node."""

    node_nm: Annotated[Real, Field(alias="node", ge=3, le=180)]
    """Node at which the constants hold, in nm."""
    mac_energy_j: Annotated[Constant[Joules], Field(alias="mac_energy")]
    """Energy of one 16-bit multiply with 32-bit accumulation, datapath only."""
    mac_area_mm2: Annotated[
        Constant[Annotated[SquareMillimetres, Field(ge=1e-9)]], Field(alias="mac_area")
    ]
    """Silicon of one such MAC."""
    mac_static_power_w: Annotated[Constant[Watts], Field(alias="mac_static_power")]
    """Leakage of one MAC with its share of the core."""
    core_overhead_area_mm2: Annotated[
        Constant[SquareMillimetres], Field(alias="core_overhead_area")
    ]
    """Silicon of a core beside its MACs and SRAM."""
    sram_energy_j_per_byte: Annotated[Constant[JoulesPerByte], Field(alias="sram_energy")]
    """Energy of an access to a core's SRAM."""
    sram_area_mm2_per_mb: Annotated[Constant[SquareMillimetres], Field(alias="sram_area")]
    """Silicon of 1e6 bytes of SRAM."""
    noc_energy_j_per_byte_mm: Annotated[Constant[JoulesPerByte], Field(alias="noc_energy")]
    """Energy of a byte over one millimetre of on-die wire."""
    d2d_energy_j_per_byte: Annotated[Constant[JoulesPerByte], Field(alias="d2d_energy")]
    """Energy of a byte over one link between neighbouring dies."""
    d2d_area_mm2_per_bytes_per_s: Annotated[Constant[Mm2PerBytesPerS], Field(alias="d2d_area")]
    """Silicon of a link interface per bandwidth in each direction."""
    d2d_edge_bytes_per_s_per_mm: Annotated[
        Constant[Annotated[BytesPerSPerMm, Field(gt=0)]] | None, Field(alias="d2d_edge")
    ] = None
    """What a link carries per millimetre of the die's edge, both directions together."""
    dram_edge_mm: Annotated[Constant[Millimetres] | None, Field(alias="dram_edge")] = None
    """Edge of the die that the interface of one DRAM stack takes."""
    off_wafer_energy_j_per_byte: Annotated[
        Constant[JoulesPerByte] | None, Field(alias="off_wafer_energy")
    ] = None
    """Energy of a byte that leaves or enters the wafer."""
    dram_energy_j_per_byte: Annotated[Constant[JoulesPerByte], Field(alias="dram_energy")]
    """Energy of a byte to or from the die's DRAM, interface included."""
    defect_density_per_mm2: Constant[Annotated[Real, Field(ge=0, le=0.05)]]
    """Killer defects per mm2."""
    cluster_parameter: Constant[Annotated[Real, Field(ge=0.01, le=100)]]
    """Shape of the negative binomial yield law; small is clustered."""
    bond_yield: Constant[Efficiency] | None = None
    """Share of the dies that still work after they are placed on the wafer."""
    wafer_price_usd: Constant[Annotated[Real, Field(ge=0, le=1e7)]]
    """Foundry price of a processed 300 mm wafer."""
    dram_price_usd_per_byte: Annotated[Constant[UsdPerByte], Field(alias="dram_price")]
    """Price of DRAM stacks."""
