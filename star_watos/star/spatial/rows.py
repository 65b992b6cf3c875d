"""K and V on a ring of cores: predicted keys around, the index back, then kept rows around."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from star_watos.cost import Column
from star_watos.star.spatial.layout import Hop
from star_watos.star.spatial.setting import Setting
from star_watos.star.spatial.traffic import kept_further_on


@dataclass(frozen=True, slots=True)
class Rows:
    """What it takes, of a layer; [..., groups]. Each K/V head goes by itself."""

    keys_s: Column
    """Predicted keys, all steps."""
    index_s: Column
    row_s: NDArray[np.float64]
    """Kept rows, [steps, groups]."""
    blocks: NDArray[np.float64]
    """Bytes that a core passes on, [steps, groups]."""
    index: Column
    """Of which it is the index, each step."""
    whole: Column
    """The same if all rows travelled, and no index."""
    load_s: Column
    """Time of the most loaded link."""

    @classmethod
    def of(cls, it: Setting, on: Hop, queries: float) -> "Rows":
        """Return it for a ring on which each core has so many queries."""
        w, tokens, steps = it.widths, it.tokens, on.steps
        kept = tokens * w.row * kept_further_on(it.work, it.flow, steps + 1, queries)
        predicts = steps * float(it.flow.predicts)
        blocks = tokens * (w.key + w.index) + kept
        return cls(
            keys_s=predicts * on.seconds(tokens * w.key, it.heads),
            index_s=predicts * on.seconds(tokens * w.index, it.heads),
            row_s=np.asarray(on.seconds(kept, it.heads), dtype=np.float64),
            blocks=blocks,
            index=tokens * w.index,
            whole=tokens * (w.key + w.row),
            load_s=on.load * blocks.sum(axis=0) / it.link_bytes_per_s,
        )

    @property
    def ahead_s(self) -> Column:
        """All that goes before rows can."""
        return self.keys_s + self.index_s

    @property
    def stored(self) -> Column:
        """Bytes that a core receives and keeps: all but the index."""
        stored: Column = np.sum(self.blocks - self.index, axis=0)
        return stored

    @property
    def pace_s(self) -> Column:
        """Time when heads follow one another: keys of one go beside rows of the one before."""
        seconds: Column = np.maximum(self.load_s, np.maximum(self.keys_s, self.row_s.sum(axis=0)))
        return seconds

    @property
    def total_s(self) -> Column:
        """All of it."""
        seconds: Column = self.ahead_s + self.row_s.sum(axis=0)
        return seconds
