"""What is broken on a wafer: listed, or drawn at a rate from a seed."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from star_watos.errors import InputError, Mark, Problem, nearest
from star_watos.fabric import Mesh
from star_watos.watos.wafer import Grid, Wafer

Place: TypeAlias = tuple[int, int]
"""Row and column of a die."""

OPTION = "--faults"
RATES = ("dies", "links", "cores")
KEYS = (*RATES, "seed", "die", "link")
MOST_SEED = 2**32 - 1
MOST_DIES = 1024
"""Of a wafer whose groups are packed anew; shipped ones have 48 to 56."""


@dataclass(frozen=True, slots=True)
class Faults:
    """Shares of dies, links and cores that are broken, drawn from `seed`; and some that are named.

    A broken link has neither direction. The three are drawn independently of each other, and so
    that what is broken at one rate is broken at every higher one.
    """

    dies: float = 0.0
    links: float = 0.0
    cores: float = 0.0
    seed: int = 0
    die: frozenset[Place] = frozenset()
    link: frozenset[tuple[Place, Place]] = frozenset()

    def on(self, wafer: Wafer) -> "Damage":
        """Return what is left of a wafer."""
        grid, d2d = wafer.grid, wafer.d2d
        whole = Mesh(grid.rows, grid.cols, d2d.link_bytes_per_s, d2d.latency_s)
        alive = self._cores_alive(wafer)
        named = {row * grid.cols + col for row, col in self.die}
        drawn = np.flatnonzero((self._draw(0, grid.size) < self.dies) | (alive == 0)).tolist()
        links = _pairs(whole)
        lost = np.flatnonzero(self._draw(1, len(links)) < self.links).tolist()
        listed = (tuple(sorted(r * grid.cols + c for r, c in pair)) for pair in self.link)
        gone = frozenset([*(links[i] for i in lost), *((a, b) for a, b in listed)])
        return Damage.of(whole, frozenset(drawn) | named, gone, alive)

    def _cores_alive(self, wafer: Wafer) -> NDArray[np.intp]:
        """Return the cores of each die that work."""
        cores = wafer.die.cores.size
        if self.cores <= 0:
            return np.full(wafer.n_dies, cores)
        broken = self._draw(2, wafer.n_dies * cores).reshape(-1, cores) < self.cores
        alive: NDArray[np.intp] = cores - broken.sum(axis=1)
        return alive

    def _draw(self, kind: int, n: int) -> NDArray[np.float64]:
        """Return a number in [0, 1) for each of n things of a kind."""
        return np.random.default_rng([self.seed, kind]).random(n)


@dataclass(frozen=True, eq=False)
class Damage:
    """What is left of a wafer: the largest part of its mesh that hangs together."""

    mesh: Mesh
    """Dies that are broken or cut off are missing."""
    cores_alive: NDArray[np.intp]
    """Of each die."""
    broken_dies: int
    broken_links: int
    """Pairs of neighbours, those of broken dies included where they are drawn."""

    @classmethod
    def of(
        cls,
        whole: Mesh,
        dies: frozenset[int],
        links: frozenset[tuple[int, int]],
        cores_alive: NDArray[np.intp],
    ) -> "Damage":
        """Return it for dies and links that are broken; of equal parts that of the first die.

        >>> damage = Damage.of(Mesh(1, 4), frozenset({1}), frozenset(), np.full(4, 9))
        >>> damage.mesh.nodes.tolist(), damage.cut_off
        ([2, 3], 1)
        """
        mesh = replace(whole, missing_nodes=dies, missing_links=links)
        lost = frozenset(range(mesh.n_nodes)) - _largest_part(mesh)
        kept = replace(mesh, missing_nodes=lost)
        return cls(kept, cores_alive, len(dies), len(links))

    @property
    def n_dies(self) -> int:
        """Dies that can be used."""
        return len(self.mesh.nodes)

    @property
    def least_cores(self) -> int:
        """Cores alive on the die that has fewest, of those that can be used; 0 if none can."""
        return int(self.cores_alive[self.mesh.nodes].min()) if self.n_dies else 0

    @property
    def cut_off(self) -> int:
        """Dies that work and no link joins to the rest."""
        return self.mesh.n_nodes - self.broken_dies - self.n_dies


def _largest_part(mesh: Mesh) -> set[int]:
    """Return the nodes of the largest connected part; none if all are missing."""
    left, best = set(mesh.nodes.tolist()), set[int]()
    while len(left) > len(best):
        part = mesh.reached(min(left))
        left -= part
        best = max(best, part, key=len)
    return best


def _pairs(mesh: Mesh) -> list[tuple[int, int]]:
    """Return all pairs of neighbours."""
    ahead = mesh.neighbours[:, [0, 2]].tolist()
    return [(a, b) for a, beside in enumerate(ahead) for b in beside if b >= 0]


def check_size(grid: Grid, option: str) -> None:
    """Raise `InputError` for a wafer whose packings would take too long."""
    if grid.size > MOST_DIES:
        text = f"expected a wafer of at most {MOST_DIES:,} dies, got {grid.rows} x {grid.cols}"
        raise InputError.of(option, text)


def parse(text: str, grid: Grid) -> Faults:
    """Return the faults that a text names: `dies=0.05,links=0.02,seed=1` or `die=2:3,link=0:0-0:1`.

    Rates are of dies, links and cores, from 0 to below 1; a place is row:column. Raises
    `InputError` with every mistake.

    >>> parse("dies=0.1,seed=7,die=2:3", Grid(rows=4, cols=4)).die
    frozenset({(2, 3)})
    """
    problems: list[Problem] = []
    given: dict[str, list[float | Place | tuple[Place, Place]]] = {}
    for word in text.split(","):
        key, equals, value = (part.strip() for part in word.partition("="))
        try:
            _check_key(key, equals, given)
            given.setdefault(key, []).append(_value(key, value, grid))
        except ValueError as error:
            problems.append(Problem(Mark(OPTION), "", str(error)))
    if problems:
        raise InputError(problems)
    single = {key: values[0] for key, values in given.items() if key not in ("die", "link")}
    several = {key: frozenset(values) for key, values in given.items() if key in ("die", "link")}
    return Faults(**single, **several)  # type: ignore[arg-type]  # the keys say the types


def _check_key(key: str, equals: str, given: Iterable[str]) -> None:
    """Raise `ValueError` for a key that is none, or that can be said once only."""
    if not equals or key not in KEYS:
        known = ", ".join(f"{known}=..." for known in KEYS)
        raise ValueError(f"expected {known}, got {key[:40]!r}{nearest(key, KEYS)}")
    if key in given and key not in ("die", "link"):
        raise ValueError(f"{key} is given twice")


def _value(key: str, text: str, grid: Grid) -> float | Place | tuple[Place, Place]:
    """Return what stands after a key; `ValueError` where it is wrong."""
    match key:
        case "seed":
            return _whole(text)
        case "die":
            return _place(text, grid)
        case "link":
            return _link(text, grid)
        case _:
            return rate(text, key)


def rate(text: str, key: str = "") -> float:
    """Return a share of what is broken; `ValueError` unless it is from 0 to below 1.

    >>> rate("0.05")
    0.05
    """
    if not re.fullmatch(r"\d{0,9}(\.\d{0,30})?(e-?\d{1,2})?", text, re.ASCII) or not (
        any(c.isdigit() for c in text.partition("e")[0]) and float(text) < 1
    ):
        name = f"{key}: " if key else ""
        raise ValueError(f"{name}expected a share from 0 to below 1, got {text[:40]!r}")
    return float(text)


def _whole(text: str) -> int:
    if not re.fullmatch(r"\d{1,10}", text, re.ASCII) or int(text) > MOST_SEED:
        raise ValueError(f"seed: expected a whole number to {MOST_SEED:,}, got {text[:40]!r}")
    return int(text)


def _place(text: str, grid: Grid) -> Place:
    match = re.fullmatch(r"(\d{1,4}):(\d{1,4})", text, re.ASCII)
    row, col = map(int, match.groups()) if match else (grid.rows, 0)
    if row >= grid.rows or col >= grid.cols:
        last = f"{grid.rows - 1}:{grid.cols - 1}"
        raise ValueError(f"die: expected row:column from 0:0 to {last}, got {text[:40]!r}")
    return row, col


def _link(text: str, grid: Grid) -> tuple[Place, Place]:
    ends = text.split("-")
    try:
        (a, b), (c, d) = sorted(_place(end, grid) for end in ends)
        beside = abs(a - c) + abs(b - d) == 1
    except ValueError:
        beside = False
    if not beside:
        last = f"{grid.rows - 1}:{grid.cols - 1}"
        raise ValueError(
            f"link: expected two neighbours from 0:0 to {last}, such as 0:0-0:1, got {text[:40]!r}"
        )
    return (a, b), (c, d)
