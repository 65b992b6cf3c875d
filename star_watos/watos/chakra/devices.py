"""Which number the devices of a plan have in a set of traces."""

from dataclasses import dataclass

import numpy as np

from star_watos.watos.dies import Dies
from star_watos.watos.hardware import Hardware
from star_watos.watos.plans import Ints, Plans
from star_watos.watos.wafer import Wafer


@dataclass(frozen=True, slots=True)
class Devices:
    """The devices of a plan among all that the hardware has."""

    number: Ints
    """By stage, replica and place in the TP group, row by row: [pp, replicas, tp]."""
    total: int
    """Those without work among them."""

    @classmethod
    def of(cls, hardware: Hardware, plans: Plans) -> "Devices":
        """Return those of one plan: dies row by row; GPUs TP first, then replicas, then stages."""
        if isinstance(hardware, Wafer):
            return cls(Dies(hardware).layout(plans).dies, hardware.n_dies)
        shape = (int(plans.pp[0]), int(plans.replicas[0]), int(plans.tp[0]))
        total = int(np.prod(shape))
        return cls(np.arange(total).reshape(shape), total)

    @property
    def each(self) -> int:
        """Devices of a stage."""
        _, replicas, tp = self.number.shape
        return int(replicas * tp)

    @property
    def places(self) -> dict[int, tuple[int, int, int]]:
        """Stage, replica and place of each device that has work."""
        return {int(number): at for at, number in np.ndenumerate(self.number)}

    @property
    def groups(self) -> dict[str, list[int]]:
        """Devices that hold the same weights, if there are several, by the name of their group.

        In the order of the replicas, for rings follow it.
        """
        pp, replicas, tp = self.number.shape
        if replicas == 1:
            return {}
        return {
            self.group(stage, place): self.number[stage, :, place].tolist()
            for stage in range(pp)
            for place in range(tp)
        }

    def group(self, stage: int, place: int) -> str:
        """Return the name of a group: a whole number, for ASTRA-sim reads it as one.

        From 1 on: 0 means all devices to it.
        """
        return str(1 + stage * self.number.shape[2] + place)
