"""Spatial-STAR against many dense cores with a naive ring, step by step."""

from dataclasses import dataclass, replace

from star_watos.cost import Overflow
from star_watos.star import (
    STAR,
    Attention,
    AttentionTask,
    AttentionWork,
    Core,
    Dataflow,
    Predictor,
    Sorter,
)
from star_watos.star.spatial import (
    Alone,
    Circulation,
    MeshRun,
    Noc,
    Partition,
    RingLayout,
    Spread,
    alone,
    fastest,
    spread_over,
    spreads,
)

DENSE = Dataflow(predictor=Predictor.NONE, sorter=Sorter.NONE, attention=Attention.FA2)
BASELINE = (
    "as many of the same cores without prediction and sorting: every visible key by "
    "FlashAttention-2 on the same array; all K and V rows travel around a naive ring, after the "
    "work on a block; each core has one stretch of the sequence"
)
REFERENCE = ((6, 6), 2**20)
"""The mesh and length of the headline: a mesh of the paper's kind, and its longest text."""


@dataclass(frozen=True, slots=True)
class Rung:
    """A step of the ladder: what a mesh does from here on."""

    step: str
    what: str
    flow: Dataflow
    circulation: Circulation | None
    """None is the best."""
    ring: RingLayout | None
    partition: Partition
    overlap: bool


_NAIVE = (Circulation.KV_RING, RingLayout.NAIVE)
RUNGS = (
    Rung("baseline", "dense cores, naive ring", DENSE, *_NAIVE, Partition.PLAIN, overlap=False),
    Rung("overlap", "transfers beside work", DENSE, *_NAIVE, Partition.PLAIN, overlap=True),
    Rung("balance", "causal work zigzag", DENSE, *_NAIVE, Partition.ZIGZAG, overlap=True),
    Rung("sparse", "STAR cores; kept rows travel", STAR, *_NAIVE, Partition.ZIGZAG, overlap=True),
    Rung("operand", "K/V, Q or 2d", STAR, None, RingLayout.NAIVE, Partition.ZIGZAG, overlap=True),
    Rung("ring", "the best of all", STAR, None, None, Partition.ZIGZAG, overlap=True),
)


@dataclass(frozen=True)
class Machine:
    """Cores, what joins them, and the work on them."""

    core: Core
    noc: Noc
    sides: tuple[int, int]
    work: AttentionWork

    def alone(self, flow: Dataflow) -> Alone | None:
        """Return the work on one of the cores; None where it does not fit."""
        found = alone(self.core, self.noc, self.sides, self.work, flow)
        return None if isinstance(found, Overflow) else found

    def run(self, rung: Rung) -> MeshRun | None:
        """Return the run of a rung; None where it does not fit."""
        by_itself = self.alone(rung.flow)
        if by_itself is None:
            return None
        return fastest(spread_over(by_itself, s, rung.flow) for s in self._spreads(rung))

    def _spreads(self, rung: Rung) -> list[Spread]:
        return spreads(
            *self.sides,
            Circulation if rung.circulation is None else [rung.circulation],
            RingLayout if rung.ring is None else [rung.ring],
            [rung.partition],
            overlap=rung.overlap,
        )


@dataclass(frozen=True, slots=True)
class Step:
    """A rung reached: how much it gained, and what the mesh then does."""

    step: str
    what: str
    latency_s: float
    gain: float
    total: float
    spread: dict[str, str]
    bound: str


def ladder(machine: Machine) -> list[Step]:
    """Return the steps from the dense baseline to Spatial-STAR; empty where something does not fit.

    Throughput is of the same dense-equivalent work, so gains are ratios of times.
    """
    runs = [machine.run(rung) for rung in RUNGS]
    fitting = [run for run in runs if run is not None]
    if len(fitting) < len(runs):
        return []
    first = fitting[0].latency_s
    return [
        Step(
            step=rung.step,
            what=rung.what,
            latency_s=run.latency_s,
            gain=before.latency_s / run.latency_s,
            total=first / run.latency_s,
            spread=run.spread.names(),
            bound=run.bound.value,
        )
        for rung, before, run in zip(RUNGS, [fitting[0], *fitting], fitting, strict=False)
    ]


def total_gain(machine: Machine, baseline: Rung = RUNGS[0]) -> float | None:
    """Return the throughput of Spatial-STAR over that of a baseline."""
    first, last = machine.run(baseline), machine.run(RUNGS[-1])
    return None if first is None or last is None else first.latency_s / last.latency_s


@dataclass(frozen=True, slots=True)
class Assumption:
    """What the gain would be if one thing were otherwise."""

    assumption: str
    total: float

    def times(self, total: float) -> float:
        """Return by how much it moves the gain, up or down: at least 1."""
        return max(self.total / total, total / self.total)


def assumptions(core: Core, noc: Noc, task: AttentionTask) -> list[Assumption]:
    """Return the gain at `REFERENCE` when one thing is assumed otherwise, largest change first."""
    sides, seq_len = REFERENCE
    asked = task.model_copy(update={"seq_len": seq_len})
    model = asked.load()
    base = Machine(core, noc, sides, asked.work(model))
    given = total_gain(base)
    if given is None:
        return []
    slow = noc.link_bandwidth_bytes_per_s.value / 64
    others: list[tuple[str, float | None]] = [
        ("the baseline has STAR cores as well", total_gain(base, replace(RUNGS[0], flow=STAR))),
        ("the baseline is balanced", total_gain(base, RUNGS[2])),
        ("the baseline has its silicon in cores", _equal_silicon(base, given)),
        ("links of a 64th", total_gain(replace(base, noc=_linked(noc, slow)))),
        ("DRAM at the ends of rows only", total_gain(replace(base, noc=_at_edges(noc)))),
    ]
    rule = asked.profile.extrapolation
    if rule is not None and seq_len > asked.profile.seq_len:
        for name, exponent in (("low", rule.low), ("high", rule.high)):
            work = asked.work(model, exponent)
            text = f"keys kept beyond {asked.profile.seq_len:,} tokens: {name} end, {exponent:g}"
            others.append((text, total_gain(replace(base, work=work))))
    found = [Assumption(name, total) for name, total in others if total is not None]
    return sorted(found, key=lambda each: -each.times(given))


def _equal_silicon(machine: Machine, given: float) -> float | None:
    """Return the gain over as many dense cores as fit the silicon of the STAR cores."""
    star, dense = machine.alone(STAR), machine.alone(DENSE)
    if star is None or dense is None:
        return None
    areas = [float(sum(it.result.areas_mm2.values())) for it in (dense, star)]
    return given * areas[0] / areas[1]


def _linked(noc: Noc, bytes_per_s: float) -> Noc:
    link = noc.link_bandwidth_bytes_per_s.model_copy(update={"value": bytes_per_s})
    return noc.model_copy(update={"link_bandwidth_bytes_per_s": link})


def _at_edges(noc: Noc) -> Noc:
    return Noc.model_validate(noc.model_dump(by_alias=True) | {"ports": "edges"})
