"""Which designs of a front are looked at, and how closely."""

from collections.abc import Callable
from typing import assert_never

from star_watos.explore.chosen import Chosen
from star_watos.explore.kinds import Kind
from star_watos.explore.stored import Stored
from star_watos.report.html.columns import best_of, spread
from star_watos.report.html.look import Look

MOST = 100
"""Designs of which parts are worked out, 10 to 200 ms each: the best, and others evenly spread."""
MOST_CLOSELY = 6
"""Of those, designs that are played, up to a second each."""


def looks(stored: Stored) -> dict[int, Look]:
    """Return what there is to see of designs, by their place in the front."""
    best = best_places(stored)
    closely = _first([*best, *spread(len(stored.rows), MOST_CLOSELY)], MOST_CLOSELY)
    every = _first([*closely, *spread(len(stored.rows), MOST)], MOST)
    look_at = _look_of(stored.asked.kind)
    return {
        place: look_at(Chosen.of(stored, place + 1), closely=place in closely)
        for place in sorted(every)
    }


def best_places(stored: Stored) -> dict[int, list[str]]:
    """Return the best designs, and by which objectives they are."""
    found: dict[int, list[str]] = {}
    for name, sense in stored.objectives.items():
        found.setdefault(best_of(stored.rows, name, sense), []).append(name)
    return found


def _first(places: list[int], most: int) -> list[int]:
    return list(dict.fromkeys(places))[:most]


def _look_of(kind: Kind) -> Callable[..., Look]:
    """Return what looks at designs of a kind; only that is imported."""
    match kind:
        case Kind.CORE:
            from star_watos.report.html import cores  # noqa: PLC0415

            return cores.look_at
        case Kind.MESH:
            from star_watos.report.html import meshes  # noqa: PLC0415

            return meshes.look_at
        case Kind.WAFER:
            from star_watos.report.html import training  # noqa: PLC0415

            return training.look_at
        case Kind.SERVING:
            from star_watos.report.html import serving  # noqa: PLC0415

            return serving.look_at
        case _:
            assert_never(kind)
