"""A layer's work spread over a mesh: what all dataflows of it start from."""

from dataclasses import dataclass, replace
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from star_watos.cost import Column
from star_watos.star.dataflow import Dataflow
from star_watos.star.spatial.choice import Partition, RingLayout, Spread
from star_watos.star.spatial.layout import Hop, by_step, hop
from star_watos.star.spatial.partition import shared_pairs, stripe_waste
from star_watos.star.spatial.traffic import Widths, keep_list_bytes
from star_watos.star.work import AttentionWork


@dataclass(frozen=True)
class Setting:
    """A layer's work spread over a mesh."""

    work: AttentionWork
    flow: Dataflow
    spread: Spread
    query_tile: int
    """Queries that a core serves in parallel."""
    mean_s: NDArray[np.float64]
    """Seconds of a layer on a core with an even share of the work, [groups]."""
    second_pass: float
    """Seconds of the shorter of prediction and attention, over those of both side by side."""
    predicts_longer: bool
    """Whether prediction is the longer of both."""
    link_bytes_per_s: float
    latency_s: float

    @cached_property
    def widths(self) -> Widths:
        """Bytes of a token as it travels."""
        return Widths.of(self.work, self.flow)

    @property
    def tokens(self) -> float:
        """Tokens of a core."""
        return float(np.max(self.work.seq_len)) / self.spread.n_cores

    @property
    def heads(self) -> float:
        """K/V heads, each of which goes around by itself where there are two passes."""
        return float(self.work.n_kv_heads)

    def hop(self, rows: int, cols: int) -> Hop:
        """Return a step of the ring on rows x cols."""
        return hop(self.spread.ring, rows, cols, self.link_bytes_per_s, self.latency_s)

    def without_links(self) -> "Setting":
        """Return the same where transfers take no time."""
        return replace(self, link_bytes_per_s=np.inf, latency_s=0.0)

    def shares(self, queries: int, keys: int) -> NDArray[np.float64]:
        """Return pairs of parts of the queries with parts of the keys, over those of a core."""
        pairs = shared_pairs(self.spread.partition, queries, keys, causal=self.work.causal)
        return pairs * self._longer(queries)

    def by_step(self, *, keys_stay: bool) -> NDArray[np.float64]:
        """Return the work of each core at each step of the ring, over the mean, [steps, cores].

        Cores have their keys, where these stay, and else their queries.
        """
        kind, n = self.spread, self.spread.n_cores
        steps = _steps(kind.ring, kind.partition, n, causal=self.work.causal, keys_stay=keys_stay)
        return steps * self._longer(n)

    def _longer(self, parts: int) -> float:
        """Return cores, times what tiles of queries lengthen the work of each."""
        of_all = self.tokens * self.spread.n_cores
        waste = stripe_waste(self.spread.partition, parts, self.query_tile, of_all)
        return self.spread.n_cores * (1 + waste * self.work.causal) * self._idle_rows(parts)

    def _idle_rows(self, parts: int) -> float:
        """Return by how many more query tiles the parts have than one core with all has."""
        queries = self.tokens * self.spread.n_cores
        tiles, of_all = (
            np.ceil(queries / parts / self.query_tile),
            np.ceil(queries / self.query_tile),
        )
        return float(parts * tiles / of_all)

    @property
    def keep_list_bytes(self) -> Column:
        """Bytes of keep lists that wait in DRAM between two passes."""
        return keep_list_bytes(self.work, self.flow)

    @property
    def passes_s(self) -> NDArray[np.float64]:
        """What two passes take longer than one pipeline: the shorter one of the first head."""
        two = self.flow.predicts and self.spread.n_cores > 1
        return self.mean_s * self.second_pass / self.heads * two


@lru_cache(maxsize=16)
def _steps(
    ring: RingLayout, partition: Partition, n: int, *, causal: bool, keys_stay: bool
) -> NDArray[np.float64]:
    """Return the share of all pairs that each core does at each step."""
    pairs = shared_pairs(partition, n, n, causal=causal)
    return by_step(ring, pairs.T if keys_stay else pairs)
