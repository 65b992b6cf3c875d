"""The schedule against a plain simulator of tasks that share, which knows no visits.

The plain one takes a list of tasks: what each waits for, how long it takes alone, and of what is
shared how much. Whatever can start does, and time steps to the next end.
"""

from dataclasses import dataclass, field
from itertools import product
from types import SimpleNamespace

import numpy as np
import pytest

from star_watos.spec import load
from star_watos.star.core import Core
from star_watos.star.dataflow import Attention, Dataflow, Predictor, Sorter, Tile, Tiling
from star_watos.star.event.head import Batches, Head, head_tasks
from star_watos.star.event.machine import Machine
from star_watos.star.event.predicting import KeyBlocks
from star_watos.star.event.schedule import HEADS_WAITING, play
from star_watos.star.event.servers import fair
from star_watos.star.event.tasks import CYCLES, SECONDS, Tasks
from star_watos.star.event.visits import Choice, key_tiles
from star_watos.star.work import AttentionWork

CORE = load(Core, "star_28nm", "configs/cores")
WIDTH = {"token": CORE.sram.token, "weight": CORE.sram.weight, "temp": CORE.sram.temp}
DENSE = Dataflow(Predictor.NONE, Sorter.NONE, Attention.FA2)
ISOLATED = Dataflow(tiling=Tiling.STAGE_ISOLATED)
MOVES = "dma"
"""What all transfers share; an array shares the ports that it asks."""


@dataclass
class Task:
    """Needs `cycles` of its own; waits for the tasks of `after`, and for the one before it."""

    kind: str
    cycles: float = 0.0
    asks: dict = field(default_factory=dict)
    """Cycles that it takes of what it shares."""
    after: list = field(default_factory=list)
    start: float = 0.0
    end: float | None = None


def level(asked):
    """Return the most that anyone gets of 1 if nobody gets less than asked while another has more.

    By filling up: whoever asks for less than an equal part of what is left is served first.
    """
    part = 1 / len(asked)
    while True:
        served = [a for a in asked if a <= part]
        if len(served) == len(asked):
            return 1.0
        better = (1 - sum(served)) / (len(asked) - len(served))
        if better <= part * (1 + 1e-15):
            return part
        part = better


def rates_of(active):
    """Return how fast each active task goes: the least of what it gets of all that it asks."""
    rates = dict.fromkeys(active, 1.0)
    for shared in {name for task in active.values() for name in task.asks}:
        users = {key: t.asks[shared] / alone(t) for key, t in active.items() if shared in t.asks}
        most = level(list(users.values()))
        for key, share in users.items():
            rates[key] = min(rates[key], most / share)
    return rates


def alone(task):
    """Return the cycles of a task that shares with nobody."""
    return max([task.cycles, *task.asks.values()])


def play_plainly(tasks):
    """Set start and end of every task, keyed by kind and number: whatever can start does."""
    waiting = {key: sum(k in tasks for k in task.after) for key, task in tasks.items()}
    next_of = {}
    for key, task in tasks.items():
        for before in task.after:
            next_of.setdefault(before, []).append(key)
    ready = [key for key, n in waiting.items() if not n]
    active, left, now = {}, {}, 0.0
    while ready or active:
        for key in ready:
            tasks[key].start = now
            active[key], left[key] = tasks[key], alone(tasks[key])
        ready = []
        rates = rates_of(active)
        step = min(left[key] / rates[key] for key in active)
        now += step
        for key in list(active):
            left[key] -= step * rates[key]
            if left[key] <= 1e-12 * alone(tasks[key]):
                active.pop(key).end = now
                for later in next_of.get(key, []):
                    waiting[later] -= 1
                    if not waiting[later]:
                        ready.append(later)


def tasks_of(machine, heads):
    """Return the tasks of K/V heads, with what the document says that each waits for."""
    flow, tasks, v, b = machine.flow, {}, heads[0].n_visits, heads[0].n_batches
    hz = machine.core.frequency_hz

    def array(kind, number, column, *after):
        ports = {
            name: bytes_ / sram.width_bytes
            for (name, sram), bytes_ in zip(WIDTH.items(), column[CYCLES + 1 :], strict=True)
            if bytes_
        }
        before = (kind, number - 1)
        tasks[kind, number] = Task(kind, column[CYCLES], ports, [before, *after])

    def move(kind, number, column, *after):
        cycles = column[SECONDS] * hz
        asks = {MOVES: cycles} if cycles else {}
        tasks[kind, number] = Task(kind, cycles, asks, [(kind, number - 1), *after])

    for t in range(v * len(heads)):
        head, g, own = heads[t // v], t // v, t % v
        visit = head.visits
        if flow.predicts:
            move("front load", t, visit.front[:, own], ("predict", t - 2))
            begin = [("front load", t), ("predict", t - 1), ("sort", t - 2)]
            begin += [(kind, t - HEADS_WAITING * v) for kind in ("attention", "rows load")]
            array("project", t, visit.project[:, own], *begin)
            move("tokens and codes", t, visit.codes[:, own], *begin)
            array("predict", t, visit.predict[:, own], ("project", t), ("tokens and codes", t))
            move("K^ store", t, visit.key_store[:, own], ("predict", t))
            scores = ("predict", t)
            if flow.isolated:
                move("scores store", t, visit.scores[:, own], ("predict", t))
                move("scores load", t, visit.scores[:, own], ("scores store", t))
                scores = ("scores load", t)
            array("sort", t, visit.sort[:, own], scores)
            move("identifiers store", t, visit.identifiers[:, own], ("sort", t))
        begin = [("batch store", g * b + x) for x in range(int(head.needs[own]))]
        begin += [("attention", t - 1), ("rows load", t - 1), ("identifiers store", t)]
        move("rows load", t, visit.rows[:, own], *begin)
        array("attention", t, visit.attention[:, own], *begin)
        move("output store", t, visit.output[:, own], ("attention", t), ("rows load", t))
    for x in range(b * len(heads)):
        batches, own = heads[x // b].batches, x % b
        begin = [("sort", x // b * v + int(batches.known[own]))]
        begin += [("kv_generation", x - 1), ("batch load", x - 1)]
        move("batch load", x, batches.load[:, own], *begin)
        array("kv_generation", x, batches.generation[:, own], *begin)
        move("batch store", x, batches.store[:, own], ("kv_generation", x), ("batch load", x))
    return tasks


def both(machine, heads):
    """Return all spans of the schedule, and the plain simulator's times of the same."""
    played = play(machine, heads)
    tasks = tasks_of(machine, heads)
    play_plainly(tasks)
    spans = played.stages | played.transfers
    for name, span in spans.items():
        begin = "project" if name == "predict" else name
        plain = [(tasks[begin, i].start, tasks[name, i].end) for i in range(span.end.size)]
        yield name, span, np.array(plain).reshape(-1, 2).T


def some(rng, rows, n, share=1.0):
    """Return durations from 0.1 to 10, spread over their magnitudes; `share` of them are not 0."""
    column = 10 ** rng.uniform(-1, 1, n) * (rng.random(n) < share)
    return np.stack([column * rng.random() for _ in range(rows)])


def random_head(rng, n_visits, n_batches, port_share):
    """Return tasks of no machine in particular: any durations, lags and needs that cannot hang."""
    n = n_visits
    stage = lambda size: some(rng, 4, size) * np.array([[1], *[[port_share * 100]] * 3])  # noqa: E731
    visits = Tasks(
        front=some(rng, 3, n), project=stage(n) * (rng.random(n) < 0.5),
        codes=some(rng, 3, n, 0.5), predict=stage(n), key_store=some(rng, 3, n, 0.3),
        scores=some(rng, 3, n, 0.5), sort=stage(n), identifiers=some(rng, 3, n),
        rows=some(rng, 3, n), attention=stage(n), output=some(rng, 3, n, 0.3),
        new=np.zeros(n), high=np.zeros(n), query_tile=np.zeros(n), key_tile=np.zeros(n),
    )  # fmt: skip
    visits.output[:, -1] = 1.0
    known = np.sort(rng.integers(0, n, n_batches))
    lump = lambda: some(rng, 3, n_batches) * 3  # noqa: E731
    batches = Batches(lump(), stage(n_batches) * 3, lump(), known)
    needs = np.sort(rng.integers(0, n_batches + 1, n))
    needs = np.where(rng.random(n) < 0.2, 0, needs)
    return Head(visits, batches, needs, n)


@pytest.mark.parametrize("flow", [Dataflow(), ISOLATED, DENSE], ids=["star", "isolated", "dense"])
def test_random_tasks_are_played_as_the_plain_simulator_does(flow):
    """Every start and every end, to the last digits."""
    core = CORE.model_copy(update={"frequency_hz": 1.0})
    for seed in range(60):
        rng = np.random.default_rng(seed)
        n_visits, n_batches = rng.integers(1, 25), rng.integers(0, 6)
        heads = [random_head(rng, n_visits, n_batches, rng.random()) for _ in range(1 + seed % 5)]
        for name, span, plain in both(SimpleNamespace(core=core, flow=flow), heads):
            assert span.start == pytest.approx(plain[0], rel=1e-9, abs=1e-9), (seed, name)
            assert span.end == pytest.approx(plain[1], rel=1e-9, abs=1e-9), (seed, name)


def random_design(rng, flow):
    """Return a small machine and the tasks of its heads."""
    pick = lambda *values: values[rng.integers(len(values))]  # noqa: E731
    rows, head_dim, group = pick(16, 24, 64), pick(16, 48, 64), pick(1, 2, 4)
    parts = {
        "queries": rows,
        "dlzs": CORE.dlzs.model_copy(update={"columns": pick(4, 16, 32)}),
        "kv_generation": CORE.kv_generation.model_copy(update={"columns": pick(2, 8, 32)}),
        "sufa": CORE.sufa.model_copy(update={"columns": pick(4, 16)}),
        "dram": CORE.dram.model_copy(update={"bandwidth_bytes_per_s": pick(4e9, 32e9, 256e9)}),
    }
    seq_len = int(rng.integers(1, 300))
    q_len = pick(seq_len, 1, int(rng.integers(1, seq_len + 1)))
    cached = pick(0, seq_len - q_len)
    keep = rng.uniform(0.05, 0.5)
    work = AttentionWork(
        4 * head_dim, 1, 3 * group, 3, head_dim, seq_len, q_len, keep, rng.uniform(keep, 1),
        causal=bool(rng.random() < 0.8), cached=cached,
    )  # fmt: skip
    tile = Tile(pick(16, 50, 64), pick(1, group))
    machine = Machine.of(CORE.model_copy(update=parts), work, tile, flow)
    choice = Choice.of(machine, key_tiles(machine).size)
    return machine, [head_tasks(machine, KeyBlocks.of(machine, g), choice) for g in range(3)]


@pytest.mark.parametrize("flow", [Dataflow(), ISOLATED, DENSE], ids=["star", "isolated", "dense"])
def test_random_designs_take_what_the_plain_simulator_says(flow):
    gaps = []
    for seed in range(40):
        machine, heads = random_design(np.random.default_rng(seed), flow)
        ends = [(span.end, plain[1]) for _, span, plain in both(machine, heads) if span.end.size]
        gaps.append(max(a.max() for a, _ in ends) / max(b.max() for _, b in ends) - 1)
    assert np.abs(gaps).max() < 1e-9


def test_what_has_begun_when_a_play_stops_is_as_in_the_whole():
    machine, heads = random_design(np.random.default_rng(3), Dataflow())
    whole, part = play(machine, heads), play(machine, heads, 5)
    assert part.stages["attention"].end.size == 5
    for name, span in (part.stages | part.transfers).items():
        every = (whole.stages | whole.transfers)[name]
        assert span.end.tolist() == every.end[: span.end.size].tolist()


def test_nobody_does_two_things_at_once():
    for seed, flow in product(range(10), (Dataflow(), ISOLATED)):
        played = play(*random_design(np.random.default_rng(seed), flow))
        for span in (played.stages | played.transfers).values():
            assert (span.start[1:] >= span.end[:-1]).all()


def test_shares_of_a_port_by_hand():
    """0.9 and 0.3 of a port: a third asks for less than a half, and leaves 0.7 to the other."""
    assert fair([0.9, 0.3]) == pytest.approx([0.7 / 0.9, 1.0])
    assert fair([0.9, 0.8, 0.1]) == pytest.approx([0.45 / 0.9, 0.45 / 0.8, 1.0])
    assert level([0.9, 0.8, 0.1]) == pytest.approx(0.45)
