"""The tasks of a layer in each dataflow of a mesh."""

from dataclasses import dataclass, field
from typing import assert_never

import numpy as np
from numpy.typing import NDArray

from star_watos.fabric import Area
from star_watos.star.spatial.choice import Circulation
from star_watos.star.spatial.event.cores import Cores
from star_watos.star.spatial.setting import Setting
from star_watos.star.spatial.traffic import kept_further_on
from star_watos.star.spatial.ways import Circle, circle

HALVES = 2
"""Parts of a block of queries: one is handed on while the other is worked on."""


@dataclass
class Rows:
    """K and V of one group of layers on their way around, head after head."""

    cores: Cores
    it: Setting
    group: int
    on: Circle
    queries: float
    """Of each core."""
    work_s: NDArray[np.float64]
    """Of a head, [steps, cores]."""
    keys_end: list[int] = field(default_factory=list)
    rows_end: list[int] = field(default_factory=list)
    """When the head before has passed."""
    predicted: list[list[int]] = field(init=False)
    attended: list[list[int]] = field(init=False)
    """What each core did last."""

    def __post_init__(self) -> None:
        self.predicted = [[] for _ in self.on.nodes]
        self.attended = [[] for _ in self.on.nodes]

    def head(self, ready: list[list[int]]) -> None:
        """Predicted keys around, index back, kept rows around; cores wait until they are ready."""
        two_passes = self.it.flow.predicts and self.on.size > 1
        chosen = self._predict(ready) if two_passes else []
        rows = self.cores.circulate("rows", self.on, self._row_bytes(), [*chosen, *self.rows_end])
        self.rows_end = _last(rows)
        waits = [[*self.attended[i], *chosen, *ready[i]] for i in range(self.on.size)]
        shorter = two_passes and self.it.predicts_longer
        attend_s = self.work_s * (self.it.second_pass if shorter else 1.0)
        done = self.cores.work("attends", self.on, attend_s, rows, waits)
        self.attended = [[task] for task in done]

    def _predict(self, ready: list[list[int]]) -> list[int]:
        """Predicted keys around, then the index back; return when the index is there."""
        it, steps = self.it, np.ones(self.on.size - 1)
        key_bytes = steps * it.tokens * float(it.widths.key) / it.heads
        keys = self.cores.circulate("keys", self.on, key_bytes, self.keys_end)
        self.keys_end = _last(keys)
        waits = [[*self.predicted[i], *ready[i]] for i in range(self.on.size)]
        predict_s = self.work_s * (1.0 if it.predicts_longer else it.second_pass)
        done = self.cores.work("predicts", self.on, predict_s, keys, waits)
        self.predicted = [[task] for task in done]
        all_done = self.cores.all_of(done)
        index_bytes = steps * it.tokens * float(it.widths.index) / it.heads
        index = self.cores.circulate("index", self.on, index_bytes, [all_done])
        return [self.cores.all_of([all_done, *_last(index)])]

    def _row_bytes(self) -> NDArray[np.float64]:
        """Bytes of a core's block of a head at each step."""
        it, n = self.it, self.on.size
        kept = kept_further_on(it.work, it.flow, n, self.queries)
        of_group = np.broadcast_to(kept, (n - 1, len(it.mean_s)))[:, self.group]
        return of_group * it.tokens * float(it.widths.row) / it.heads


def _last(arrivals: list[list[list[int]]]) -> list[int]:
    """Return what brings the last blocks."""
    return [task for here in arrivals[-1] for task in here]


def build(cores: Cores, it: Setting, group: int) -> None:
    """Add the tasks of a layer of one group."""
    match it.spread.circulation:
        case Circulation.KV_RING:
            _kv_ring(cores, it, group)
        case Circulation.Q_RING:
            _q_ring(cores, it, group)
        case Circulation.TWO_D:
            _two_d(cores, it, group)
        case _:
            assert_never(it.spread.circulation)


def _kv_ring(cores: Cores, it: Setting, group: int) -> None:
    n, on = it.spread.n_cores, circle(it.spread.ring, Area.all(cores.mesh))
    work_s = it.by_step(keys_stay=False) * it.mean_s[group] / it.heads
    rows = Rows(cores, it, group, on, it.tokens, work_s)
    for _ in range(int(it.heads)):
        rows.head([[]] * n)


def _q_ring(cores: Cores, it: Setting, group: int) -> None:
    n, on = it.spread.n_cores, circle(it.spread.ring, Area.all(cores.mesh))
    work_s = it.by_step(keys_stay=True) * it.mean_s[group] / HALVES
    passing = it.tokens * float(it.widths.query + it.widths.partial) / HALVES
    home = it.tokens * float(it.widths.partial) / HALVES
    there: list[list[list[int]]] = [[[] for _ in range(n)] for _ in range(HALVES)]
    last: list[list[int]] = [[] for _ in range(n)]
    sent: dict[tuple[int, int], int] = {}
    for step in range(n):
        for half in range(HALVES):
            waits = [[*last[i], *there[half][i]] for i in range(n)]
            worked = cores.work("works", on, work_s[step : step + 1], [], waits)
            last = [[task] for task in worked]
            n_bytes = passing if step < n - 1 else home
            there[half] = cores.hand_on(on, worked, n_bytes, sent)


def _two_d(cores: Cores, it: Setting, group: int) -> None:
    rows, cols, mesh, ring = it.spread.rows, it.spread.cols, cores.mesh, it.spread.ring
    along = [circle(ring, Area(mesh, r, 0, 1, cols)) for r in range(rows)]
    seconds = it.shares(rows, cols) * it.mean_s[group] / it.heads
    columns = []
    for c in range(cols):
        at_once = np.zeros((rows, rows))  # when all rows of K and V are there
        at_once[-1] = seconds[:, c]
        down = circle(ring, Area(mesh, 0, c, rows, 1))
        columns.append(Rows(cores, it, group, down, it.tokens * cols, at_once))
    out = np.full(cols - 1, it.tokens * float(it.widths.query) / it.heads)
    back = np.full(cols - 1, it.tokens * float(it.widths.partial) / it.heads)
    before: list[list[int]] = [[] for _ in range(rows)]
    for _ in range(int(it.heads)):
        gathered = [cores.circulate("queries", along[r], out, before[r]) for r in range(rows)]
        before = [_last(each) for each in gathered]
        for c, column in enumerate(columns):
            column.head([[task for step in gathered[r] for task in step[c]] for r in range(rows)])
        for r in range(rows):
            done = [column.attended[r][0] for column in columns]
            cores.circulate("outputs", along[r], back, done)
