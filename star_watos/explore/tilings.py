"""All tilings of several core designs at once: those that fit are evaluated as columns."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from star_watos.cost import Overflow
from star_watos.explore.layers import MOST, combinations, terms
from star_watos.explore.problem import Outcome
from star_watos.explore.reduce import reduce, spread
from star_watos.explore.stack import Design, Load, Rows, Stack
from star_watos.explore.sweep import Exploration
from star_watos.star.by_layer import text_of
from star_watos.star.fit import layer_needs
from star_watos.star.layer import Layer

Columns = dict[str, NDArray[Any]]


class Fit(NamedTuple):
    """Which tiles of a design fit."""

    rows: Rows
    """Rows of the stack that fit some layer; none if there is a layer that none fits."""
    fits: NDArray[np.bool_]
    """Whether they fit, [rows, layers]."""
    points: int
    """Tiles looked at, or tiles on a group of layers where each may have its own."""
    infeasible: dict[str, int]
    nearest: Overflow


class Needs(NamedTuple):
    """What each SRAM must hold, for each row and layer: [rows, layers]."""

    names: tuple[str, ...]
    need: NDArray[np.float64]
    """[needs, rows, layers]."""
    have: NDArray[np.float64]

    @classmethod
    def of(cls, stack: Stack, load: Load, *, per_layer: bool) -> "Needs":
        """Return the needs of a stack; of all layers as one if they share a tile."""
        needs = layer_needs(Layer.of(stack.cores, load.work, stack.tile))

        def most(column: Any) -> NDArray[np.float64]:  # noqa: ANN401 (a column or a number)
            whole: NDArray[np.float64] = load.by_layer(column, len(stack)).max(axis=-1)
            return whole if per_layer else np.max(whole, axis=-1, keepdims=True)

        need, have = (np.stack([most(n[i]) for n in needs]) for i in (1, 2))
        return cls(tuple(n.name for n in needs), need, have)

    def fit(self, rows: Rows) -> Fit:
        """Return which of a design's rows fit; a point counts against the first need it breaks."""
        excess = self.need[:, rows] / self.have[:, rows] - 1
        fits: NDArray[np.bool_] = np.all(excess <= 0, axis=0)
        first = np.where(fits, len(self.names), np.argmax(excess > 0, axis=0))
        counts = np.bincount(first.ravel(), minlength=len(self.names))
        reasons = {name: int(n) for name, n in zip(self.names, counts, strict=False) if n}
        useful = np.any(fits, axis=1) & np.all(np.any(fits, axis=0))
        return Fit(rows[useful], fits[useful], fits.size, reasons, self._nearest(rows, excess))

    def _nearest(self, rows: Rows, excess: NDArray[np.float64]) -> Overflow:
        """Return the worst need of the tile and layer whose worst need is least."""
        place = np.unravel_index(excess.max(axis=0).argmin(), excess.shape[1:])
        worst = int(excess[(slice(None), *place)].argmax())
        at = (worst, int(rows[place[0]]), int(place[1]))
        return Overflow(self.names[worst], float(self.need[at]), float(self.have[at]), "B")


def outcomes(
    sweep: Exploration, load: Load, designs: Sequence[Design], *, per_layer: bool, most: int = MOST
) -> list[Outcome]:
    """Return the outcome of each design on one load: its tilings that no other one beats.

    `per_layer` gives each group of equal layers its own tile; a tiling is a choice for each, and
    no more than about `most` of them are kept of a design.
    """
    stack, per_layer = Stack.of(designs), per_layer and load.layers > 1
    needs = Needs.of(stack, load, per_layer=per_layer)
    checked = [needs.fit(rows) for rows in stack.split(len(designs))]
    tilings = stack.take(np.concatenate([fit.rows for fit in checked]))
    if not len(tilings):
        return [_nothing(fit) for fit in checked]
    thinned = [False] * len(designs)
    if per_layer:
        tilings, thinned = _per_layer(sweep, load, tilings, checked, most)
    table = _Table.of(tilings, load)
    each = zip(designs, checked, tilings.split(len(designs)), thinned, strict=True)
    return [table.outcome(sweep, *one) if len(one[2]) else _nothing(one[1]) for one in each]


def _nothing(fit: Fit) -> Outcome:
    return Outcome([], fit.points, 0, fit.infeasible, fit.nearest)


def _per_layer(
    sweep: Exploration, load: Load, fitting: Stack, checked: Sequence[Fit], most: int
) -> tuple[Stack, list[bool]]:
    """Return the tilings that no other one of their design beats, and whether any were left out.

    A layer has one tile in all its chunks.
    """
    sums = fitting.evaluate(load.work).by_layer()
    wanted = [sign * load.by_layer(sums[name], len(fitting)).sum(-1) for name, sign in terms(sweep)]
    losses, taken, thinned = np.stack(wanted, axis=-1), [], []
    for rows, fit in zip(fitting.split(len(checked)), checked, strict=True):
        choices = combinations(losses[rows], fit.fits, most)
        taken.append(rows[choices.tiles] if len(rows) else np.empty((0, load.layers), np.intp))
        thinned.append(choices.thinned)
    return fitting.take(np.repeat(np.concatenate(taken), load.chunks, axis=1)), thinned


class _Table(NamedTuple):
    """Tilings with their figures, one a row."""

    mapping: Columns
    metrics: Columns
    per_layer: bool

    @classmethod
    def of(cls, tilings: Stack, load: Load) -> "_Table":
        """Return the columns of `pareto.csv` for the rows of a stack."""
        result = tilings.evaluate(load.work)
        sizes = {"key_tile": tilings.tile.keys, "heads_together": tilings.tile.heads}
        mapping = {name: _shown(np.asarray(size), load) for name, size in sizes.items()}
        mapping["bound"] = np.asarray(result.latency.bound)
        return cls(mapping, spread(result.metrics, len(tilings)), tilings.tile.by_layer)

    def outcome(
        self, sweep: Exploration, design: Design, fit: Fit, rows: Rows, thinned: bool
    ) -> Outcome:
        """Return the outcome of the design that has these rows."""
        mapping, metrics = ({k: c[rows] for k, c in part.items()} for part in self[:2])
        mapping["accuracy"] = np.full(len(rows), design.accuracy, dtype=object)
        found = reduce(sweep, mapping, metrics | {"accuracy_loss": design.accuracy_loss})
        fitting = int(fit.fits.sum()) if found.rows else 0
        return replace(
            found,
            points=fit.points,
            feasible=fitting if self.per_layer else found.feasible,
            infeasible=fit.infeasible | found.infeasible,
            thinned=thinned,
        )


def _shown(sizes: NDArray[np.float64], load: Load) -> NDArray[Any]:
    """Return a tile's size as a number, or as text where each layer has its own."""
    whole = sizes.astype(np.int64)
    if whole.ndim == 1:
        return whole
    layers = whole[:, :: load.chunks][:, load.groups]
    shown = np.empty(len(layers), dtype=object)
    shown[:] = [text_of(row) for row in layers.tolist()]
    return shown
