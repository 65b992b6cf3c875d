"""The template of what joins cores to a mesh (`configs/meshes/*.yaml`)."""

from enum import StrEnum
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from star_watos.fabric import Mesh
from star_watos.spec import Constant, Spec
from star_watos.units import BytesPerS, JoulesPerByte, Seconds, Watts


class Ports(StrEnum):
    """Where the mesh meets its DRAM."""

    CORES = "cores"
    """At every core."""
    EDGES = "edges"
    """At both ends of every row."""
    CORNERS = "corners"
    """At the four corners."""


class Noc(Spec):
    """Links, routers and DRAM ports."""

    name: str
    """Shown in reports."""
    link_bandwidth_bytes_per_s: Annotated[
        Constant[Annotated[BytesPerS, Field(gt=0)]], Field(alias="link_bandwidth")
    ]
    """Of one link in one direction."""
    hop_latency_s: Annotated[
        Constant[Annotated[Seconds, Field(ge=0, le=1)]], Field(alias="hop_latency")
    ]
    """From a router to the next."""
    wire_energy_j_per_byte: Annotated[
        Constant[Annotated[JoulesPerByte, Field(ge=0)]], Field(alias="wire_energy")
    ]
    """Of a byte on one mm of wire."""
    router_power_w: Annotated[Constant[Annotated[Watts, Field(ge=0)]], Field(alias="router_power")]
    """Static, of one router."""
    ports: Ports = Ports.CORES
    """Where DRAM is."""
    port_bandwidth_bytes_per_s: Annotated[
        Annotated[BytesPerS, Field(gt=0)] | None, Field(alias="port_bandwidth")
    ] = None
    """Of one DRAM port; that of the core's template when left out."""
    dram_bandwidth_bytes_per_s: Annotated[
        Annotated[BytesPerS, Field(gt=0)] | None, Field(alias="dram_bandwidth")
    ] = None
    """Of all ports together, instead: equal shares, however many there are."""

    @model_validator(mode="after")
    def _one_bandwidth(self) -> "Noc":
        if self.port_bandwidth_bytes_per_s and self.dram_bandwidth_bytes_per_s:
            raise ValueError("expected at most one of port_bandwidth and dram_bandwidth")
        return self

    def mesh(self, rows: int, cols: int, pitch_mm: float = 1.0) -> Mesh:
        """Return the mesh of cores that are `pitch_mm` apart."""
        return Mesh(
            rows,
            cols,
            link_bytes_per_s=self.link_bandwidth_bytes_per_s.value,
            latency_s=self.hop_latency_s.value,
            energy_j_per_byte=self.wire_energy_j_per_byte.value * pitch_mm,
        )

    def port_bytes_per_s(self, n_ports: int, of_core: float) -> float:
        """Return the bandwidth of one of so many ports; `of_core` is that of the core's file."""
        if self.dram_bandwidth_bytes_per_s is not None:
            return self.dram_bandwidth_bytes_per_s / n_ports
        return self.port_bandwidth_bytes_per_s or of_core

    def port_nodes(self, rows: int, cols: int) -> NDArray[np.intp]:
        """Return the cores that have a DRAM port.

        >>> noc = Noc.model_construct(ports=Ports.EDGES)
        >>> noc.port_nodes(2, 3).tolist(), noc.port_nodes(2, 1).tolist()
        ([0, 2, 3, 5], [0, 1])
        """
        places = np.arange(rows * cols).reshape(rows, cols)
        match self.ports:
            case Ports.CORES:
                return places.ravel()
            case Ports.EDGES:
                return np.unique(places[:, [0, -1]])
            case Ports.CORNERS:
                return np.unique(places[[0, 0, -1, -1], [0, -1, 0, -1]])
