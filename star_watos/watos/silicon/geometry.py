"""Where things stand: sites in the usable rectangle, interfaces along the edges of a die."""

import math
from dataclasses import dataclass

from star_watos.cost import Overflow
from star_watos.watos.silicon.area import die_area_mm2, dram_area_mm2, sites
from star_watos.watos.wafer import LINKS_PER_DIE, Wafer

EDGES = ("north", "south", "west", "east")


@dataclass(frozen=True, slots=True)
class Edge:
    """One edge of a die and what its interfaces take of it, in mm."""

    name: str
    length_mm: float
    d2d_mm: float
    dram_mm: float

    @property
    def used_mm(self) -> float:
        """Millimetres that are taken."""
        return self.d2d_mm + self.dram_mm

    @property
    def left_mm(self) -> float:
        """Millimetres that are free; negative if more is needed than there is."""
        return self.length_mm - self.used_mm


def rectangle_mm(area_mm2: float, aspect: float) -> tuple[float, float]:
    """Return width and height of a rectangle.

    >>> rectangle_mm(32.0, 2.0)
    (8.0, 4.0)
    """
    return math.sqrt(area_mm2 * aspect), math.sqrt(area_mm2 / aspect)


def site_mm(wafer: Wafer) -> tuple[float, float]:
    """Return width and height of a die's place: the die and the area its DRAM takes beside it."""
    return rectangle_mm(die_area_mm2(wafer) + dram_area_mm2(wafer), wafer.die.aspect)


def span_mm(count: int, side_mm: float, gap_mm: float) -> float:
    """Return the length of `count` sites in a line: n side + (n - 1) gap.

    >>> span_mm(3, 10.0, 0.5)
    31.0
    """
    return count * side_mm + (count - 1) * gap_mm


def sites_that_fit(wafer: Wafer) -> int | None:
    """Return how many sites the usable rectangle holds; None where the template does not say it.

    floor((side + gap) / (site + gap)) each way.
    """
    if wafer.usable_width_mm is None or wafer.usable_height_mm is None:
        return None
    width, height = site_mm(wafer)
    cols = (wafer.usable_width_mm + wafer.gap_mm) / (width + wafer.gap_mm)
    rows = (wafer.usable_height_mm + wafer.gap_mm) / (height + wafer.gap_mm)
    return math.floor(cols) * math.floor(rows)


def rectangle_overflows(wafer: Wafer) -> list[Overflow]:
    """Return by how much the grid exceeds the usable width and height, and sites their number."""
    width, height = site_mm(wafer)
    grid, fit = wafer.grid, sites_that_fit(wafer)
    sides = (
        (f"width of {grid.cols} dies", grid.cols, width, wafer.usable_width_mm),
        (f"height of {grid.rows} dies", grid.rows, height, wafer.usable_height_mm),
    )
    found = [
        Overflow(name, span_mm(count, side, wafer.gap_mm), have, "mm")
        for name, count, side, have in sides
        if have is not None and span_mm(count, side, wafer.gap_mm) > have
    ]
    if fit is not None and wafer.redundancy.spare_dies and fit < sites(wafer):
        found.append(Overflow("dies and spare dies on the wafer", sites(wafer), fit, "dies"))
    return found


def edges(wafer: Wafer) -> tuple[Edge, ...]:
    """Return the four edges of a die: each has a quarter of the D2D, and whole DRAM stacks.

    A link takes both ways' bandwidth over what a millimetre of edge carries. Stacks go one after
    the other to the edge with the most room. What the technology does not say takes nothing.
    """
    tech = wafer.technology
    width, height = rectangle_mm(die_area_mm2(wafer), wafer.die.aspect)
    lengths = (width, width, height, height)
    d2d_mm = 0.0
    if tech.d2d_edge_bytes_per_s_per_mm:
        both = 2 * wafer.d2d.bandwidth_bytes_per_s / LINKS_PER_DIE
        d2d_mm = both / tech.d2d_edge_bytes_per_s_per_mm.value
    stack_mm = tech.dram_edge_mm.value if tech.dram_edge_mm else 0.0
    stacks = [0] * LINKS_PER_DIE
    for _ in range(wafer.dram.stacks_per_die if wafer.dram else 0):
        room = [length - n * stack_mm for length, n in zip(lengths, stacks, strict=True)]
        stacks[room.index(max(room))] += 1
    return tuple(
        Edge(name, length, d2d_mm, n * stack_mm)
        for name, length, n in zip(EDGES, lengths, stacks, strict=True)
    )


def beachfront_overflow(wafer: Wafer) -> Overflow | None:
    """Return by how much the interfaces exceed the fullest edge of a die, if they do."""
    edge = min(edges(wafer), key=lambda e: e.left_mm)
    if edge.left_mm >= 0:
        return None
    name = f"D2D and DRAM interfaces at the {edge.name} edge of a die"
    return Overflow(name, edge.used_mm, edge.length_mm, "mm")
