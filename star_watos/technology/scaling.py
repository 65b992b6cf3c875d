"""Area and energy between CMOS nodes, by the equations of Stillmaker and Baas (2017)."""

from functools import cache
from typing import Annotated

import numpy as np
from pydantic import Field

from star_watos.spec import Spec, load
from star_watos.units import Real


class ScalingNode(Spec):
    """One node of the scaling table."""

    node: Annotated[Real, Field(gt=0)]
    """Feature size in nm."""
    area: Annotated[Real, Field(gt=0)]
    """Area of a circuit relative to 7 nm."""
    energy: tuple[Real, Real, Real]
    """e2, e1, e0 of energy(V) = e2 V^2 + e1 V + e0."""
    vdd: Annotated[Real, Field(gt=0)]
    """Nominal supply in volts."""

    @property
    def energy_factor(self) -> float:
        """Energy of an operation at the nominal supply, in the table's own unit."""
        e2, e1, e0 = self.energy
        return e2 * self.vdd**2 + e1 * self.vdd + e0


class ScalingTable(Spec):
    """Nodes with a source; what lies between two nodes is interpolated on logarithms."""

    source: str
    nodes: tuple[ScalingNode, ...]


@cache
def _table() -> tuple[ScalingNode, ...]:
    table = load(ScalingTable, "stillmaker", "configs/technologies")
    return tuple(sorted(table.nodes, key=lambda n: n.node))


def _at(node_nm: float, values: list[float]) -> float:
    logs = np.log([n.node for n in _table()])
    return float(np.exp(np.interp(np.log(node_nm), logs, np.log(values))))


def area_scale(from_nm: float, to_nm: float) -> float:
    """Factor on the area of a circuit moved from one node to another.

    Outside 7 to 180 nm the nearest node's value is held. Source: Stillmaker and Baas 2017.

    >>> area_scale(28, 28), round(area_scale(45, 7), 4)
    (1.0, 0.0588)
    """
    areas = [n.area for n in _table()]
    return _at(to_nm, areas) / _at(from_nm, areas)


def energy_scale(from_nm: float, to_nm: float) -> float:
    """Factor on the energy of an operation moved between nodes, each at its nominal supply.

    >>> round(energy_scale(45, 7), 4)
    0.0626
    """
    factors = [n.energy_factor for n in _table()]
    return _at(to_nm, factors) / _at(from_nm, factors)
