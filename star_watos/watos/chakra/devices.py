"""Which number the devices of a plan have in a set of traces."""

from dataclasses import dataclass

import numpy as np

from star_watos.watos.hardware import Hardware
from star_watos.watos.placement import snake
from star_watos.watos.plans import Ints, Plans
from star_watos.watos.wafer import Grid, Wafer


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
            return cls(_dies(hardware.grid, plans), hardware.n_dies)
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


def _dies(grid: Grid, plans: Plans) -> Ints:
    """Return the dies of each TP rectangle; rectangles stand on the snake, replicas side by side.

    >>> from star_watos.watos import plans_of
    >>> _dies(Grid(rows=2, cols=4), plans_of(tp_cols=2, pp=2, dp=2))[:, :, 0].tolist()
    [[0, 2], [6, 4]]
    """
    pp, replicas, rows, cols = (
        int(column[0]) for column in (plans.pp, plans.replicas, plans.tp_rows, plans.tp_cols)
    )
    inside = (np.arange(rows)[:, None] * grid.cols + np.arange(cols)).ravel()
    corners = [snake(grid, rows, cols, place) for place in range(pp * replicas)]
    first = np.array([row * grid.cols + col for row, col in corners])
    numbers: Ints = (first[:, None] + inside).reshape(pp, replicas, rows * cols)
    return numbers
