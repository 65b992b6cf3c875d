"""What the page shows of one design: bars of parts, a map of links, a timeline."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from star_watos.fabric import Mesh
from star_watos.fabric.flows import Values
from star_watos.fabric.mesh_routes import DIRECTIONS

MOST_BARS = 3000
"""Of a timeline; the earliest."""
_SAME = 1e-9
"""Of a timeline's end: what is closer than that follows without a gap."""


@dataclass(frozen=True, slots=True)
class Panel:
    """A quantity of a design by its parts."""

    title: str
    unit: str
    parts: dict[str, float]
    stacked: bool = True
    """Whether the parts add up to something."""


@dataclass(frozen=True, slots=True)
class Dies:
    """Where dies or cores stand, and what each link between them carries."""

    title: str
    rows: int
    cols: int
    labels: list[str]
    """Of each die, row by row; empty where none is used."""
    groups: list[int]
    """What dies of one number have in common: a stage; -1 where none is used."""
    carried: str = ""
    """What links carry, bytes; empty where that is not told."""
    links: list[tuple[float, float, float, float, float]] = field(default_factory=list)
    """From column and row, to column and row, and what is carried."""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Bar:
    """Something that is at work for a while."""

    lane: int
    kind: str
    start_s: float
    end_s: float

    def meets(self, other: "Bar", close_s: float) -> bool:
        """Whether `other` is more of the same."""
        same = (self.lane, self.kind) == (other.lane, other.kind)
        return same and other.start_s - self.end_s <= close_s


@dataclass(frozen=True, slots=True)
class Timeline:
    """Who does what when."""

    title: str
    lanes: list[str]
    kinds: list[str]
    bars: list[tuple[int, int, float, float]]
    """Lane, kind, start and length in seconds."""


@dataclass(frozen=True, slots=True)
class Look:
    """What there is to see of a design."""

    panels: dict[str, Panel]
    dies: Dies | None = None
    timeline: Timeline | None = None


def links_of(mesh: Mesh, loads: Values) -> list[tuple[float, float, float, float, float]]:
    """Return both directions of each link, side by side, and its share of `loads` [4 n].

    >>> links_of(Mesh(1, 2), np.array([8.0] + [0.0] * 7))[0]
    (0.0, 0.09, 1.0, 0.09, 8.0)
    """
    links = np.flatnonzero(mesh.present)
    node, direction = np.divmod(links, 4)
    row, col = np.divmod(node, mesh.cols)
    down, right = np.array(DIRECTIONS)[direction].T
    begin = np.stack([col - 0.09 * down, row + 0.09 * right], axis=-1)
    ends = begin + np.stack([right, down], axis=-1)
    table = np.column_stack([begin, ends, loads[links]]).tolist()
    return [(x0, y0, x1, y1, short(load)) for x0, y0, x1, y1, load in table]


def timeline(title: str, lanes: list[str], bars: Iterable[Bar]) -> Timeline:
    """Return the timeline of bars; those of a kind that follow each other on a lane are one."""
    joined: list[Bar] = []
    every = sorted(bars, key=lambda bar: (bar.lane, bar.start_s, bar.end_s))
    close = _SAME * max((bar.end_s for bar in every), default=0.0)
    for bar in every:
        last = joined[-1] if joined else None
        if last and last.meets(bar, close):
            joined.pop()
            bar = replace(bar, start_s=last.start_s, end_s=max(last.end_s, bar.end_s))  # noqa: PLW2901
        joined.append(bar)
    shown = sorted(joined, key=lambda bar: bar.start_s)[:MOST_BARS]
    kinds = sorted({bar.kind for bar in shown})
    if len(shown) < len(joined):
        title += f", the first {MOST_BARS:,} of {len(joined):,} bars"
    rows = [
        (bar.lane, kinds.index(bar.kind), short(bar.start_s), short(bar.end_s - bar.start_s))
        for bar in shown
    ]
    return Timeline(title, lanes, kinds, rows)


def trace_timeline(title: str, trace: dict[str, Any]) -> Timeline:
    """Return a trace-event document as a timeline, one lane a track."""
    events = trace["traceEvents"]
    names = {e["tid"]: e["args"]["name"] for e in events if e["ph"] == "M"}
    lane = {tid: place for place, tid in enumerate(names)}
    bars = (
        Bar(lane[e["tid"]], e["name"], e["ts"] / 1e6, (e["ts"] + e["dur"]) / 1e6)
        for e in events
        if e["ph"] == "X"
    )
    return timeline(title, list(names.values()), bars)


def short(value: float) -> float:
    """Return a number of six digits: more are not seen.

    >>> short(0.1234567)
    0.123457
    """
    return float(f"{value:.6g}")
