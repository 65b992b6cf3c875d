"""Core designs and their tiles as the columns that one call of the model takes."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from star_watos.star import AttentionTask, AttentionWork, Evaluation, Resources, Tile, evaluate
from star_watos.star.by_layer import groups_of, values_of

Rows = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Load:
    """A task as the formulas take it."""

    work: AttentionWork
    groups: tuple[int, ...]
    """Which group of equal layers each layer is in, first to last."""

    @classmethod
    def of(cls, task: AttentionTask, beside: Path | None) -> "Load":
        """Return what `task` is; a model's path starts in the folder `beside`."""
        model = task.load(beside)
        return cls(task.work(model), groups_of(task.ratios(model)))

    @property
    def layers(self) -> int:
        """Number of groups of equal layers."""
        return max(self.groups) + 1

    @property
    def chunks(self) -> int:
        """Steps of each layer: the groups of `work` are those of layers, each by its chunks."""
        return int(np.size(self.work.n_layers)) // self.layers

    def by_layer(self, column: Any, rows: int) -> NDArray[Any]:  # noqa: ANN401 (numbers or truths)
        """Return [rows, layers, chunks] of what is, or broadcasts to, [rows, groups]."""
        whole = np.asarray(column)
        whole = whole if np.ndim(self.work.n_layers) else whole[..., np.newaxis]
        spread = np.broadcast_to(whole, (rows, self.layers * self.chunks))
        return spread.reshape(rows, self.layers, self.chunks)

    def tile(self, keys: int | str, heads: int | str, *, per_layer: bool) -> Tile:
        """Return the tile of these sizes; `per_layer` gives each group of layers its own.

        Sizes are numbers, or what each layer has as text: see `star_watos.star.by_layer`.
        """
        every = [np.array(values_of(size, len(self.groups)), float) for size in (keys, heads)]
        if not per_layer or self.layers == 1:
            return Tile(*(float(each[0]) for each in every))
        firsts = [self.groups.index(group) for group in range(self.layers)]
        return Tile(*(np.repeat(each[firsts], self.chunks) for each in every), by_layer=True)


load_of = lru_cache(maxsize=256)(Load.of)
"""A sweep has few loads; their arrays are shared and never written."""


@dataclass(frozen=True, slots=True)
class Design:
    """One candidate."""

    core: Resources
    tiles: Tile
    """Those worth trying."""
    accuracy_loss: float
    accuracy: str
    """Whether that is measured or interpolated."""


@dataclass(frozen=True, slots=True)
class Stack:
    """Designs with tiles, one a row; those of a design lie together."""

    cores: Resources
    tile: Tile
    owner: Rows
    """The design of each row."""

    @classmethod
    def of(cls, designs: Sequence[Design]) -> "Stack":
        """Return every design with each of its tiles."""
        owner = np.repeat(np.arange(len(designs)), [np.size(d.tiles.keys) for d in designs])
        cores = Resources.columns([design.core for design in designs])
        keys = np.concatenate([design.tiles.keys for design in designs])
        heads = np.concatenate([design.tiles.heads for design in designs])
        return cls(cores.each(lambda c: np.asarray(c)[owner]), Tile(keys, heads), owner)

    def __len__(self) -> int:
        return len(self.owner)

    def take(self, rows: Rows) -> "Stack":
        """Return some rows; of [n, groups], each group of layers gets the tile of its own row."""
        first = rows if rows.ndim == 1 else rows[:, 0]
        keys, heads = (np.asarray(column)[rows] for column in (self.tile.keys, self.tile.heads))
        tile = Tile(keys, heads, by_layer=rows.ndim > 1)
        cores = self.cores.each(lambda column: np.asarray(column)[first])
        return Stack(cores, tile, self.owner[first])

    def evaluate(self, work: AttentionWork) -> Evaluation:
        """Return the figures of every row."""
        return evaluate(self.cores, work, self.tile)

    def split(self, designs: int) -> list[Rows]:
        """Return the rows of each of so many designs."""
        ends = np.searchsorted(self.owner, np.arange(designs + 1))
        return [np.arange(first, last) for first, last in pairwise(ends)]
