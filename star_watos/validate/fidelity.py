"""The formulas of the core against its event simulation, case by case."""

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from typing import Any

import numpy as np
from numpy.random import Generator

from star_watos.spec import load
from star_watos.star import (
    Attention,
    AttentionWork,
    Core,
    Dataflow,
    Predictor,
    Resources,
    Schedule,
    Sorter,
    Tile,
    Tiling,
    evaluate,
)
from star_watos.star.event import run_events
from star_watos.validate.agreement import Agreement

DESIGNS = 1000
"""Designs of the comparison."""
SHAPES = (
    # d_model, heads, K/V heads, head_dim
    (4096, 32, 32, 128),  # Llama-2 7B
    (4096, 32, 8, 128),  # Llama-3 8B
    (8192, 64, 8, 128),  # Llama-3 70B
    (576, 9, 3, 64),  # SmolLM2 135M
    (12288, 96, 96, 128),  # GPT-3 175B
    (768, 12, 12, 64),  # BERT-Base
)
"""Models whose attention is put on the designs."""


@dataclass(frozen=True, slots=True)
class Case:
    """A design, a workload, a tile and a dataflow."""

    core: Core
    work: AttentionWork
    tile: Tile
    flow: Dataflow


@dataclass(frozen=True, slots=True)
class Gap:
    """One case by both ways."""

    case: Case
    analytic_s: float
    event_s: float
    bound: str

    @property
    def pct(self) -> float:
        """Formulas over events, less one, in percent."""
        return 100 * (self.analytic_s / self.event_s - 1)


def gaps(cases: Iterable[Case], jobs: int = 1) -> Iterator[Gap]:
    """Yield the cases evaluated by both, in `jobs` processes."""
    if jobs == 1:
        yield from map(gap_of, cases)
        return
    with ProcessPoolExecutor(jobs, get_context("spawn")) as pool:
        try:
            yield from pool.map(gap_of, cases, chunksize=4)
        except KeyboardInterrupt:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def gap_of(case: Case) -> Gap:
    """Evaluate a case by the formulas and by the events."""
    found = evaluate(Resources.of(case.core), case.work, case.tile, case.flow)
    events = run_events(case.core, case.work, case.tile, case.flow)
    bound: Any = found.latency.bound
    return Gap(case, float(found.latency.total_s), events.latency_s, bound.value)


def random_cases(seed: int, count: int) -> Iterator[Case]:
    """Yield `count` random legal designs, with workloads that fit."""
    random, template = np.random.default_rng(seed), load(Core, "star_28nm", "configs/cores")
    left = count
    while left:
        core, work = _core(template, random), _work(random)
        tile, flow = _tile(core, work, random), _flow(random)
        if evaluate(Resources.of(core), work, tile, flow).fits:
            left -= 1
            yield Case(core, work, tile, flow)


def _one(random: Generator, *choices: Any) -> Any:  # noqa: ANN401 (one of them)
    return choices[int(random.integers(len(choices)))]


def _core(core: Core, random: Generator) -> Core:
    """Return the template with every resource drawn anew."""

    def changed(part: Any, **fields: Any) -> Any:  # noqa: ANN401 (a spec of the same kind)
        return part.model_copy(update=fields)

    def sram(part: Any, kib: tuple[int, ...]) -> Any:  # noqa: ANN401
        capacity = 1024.0 * _one(random, *kib)
        return changed(part, capacity_bytes=capacity, banks=_one(random, 2, 4, 8, 16))

    buffers = changed(
        core.sram,
        token=sram(core.sram.token, (96, 192, 384, 768)),
        weight=sram(core.sram.weight, (96, 192, 384)),
        temp=sram(core.sram.temp, (28, 56, 112, 224)),
    )
    drawn: Core = changed(
        core,
        queries=_one(random, 32, 64, 128, 256),
        dlzs=changed(core.dlzs, columns=_one(random, 8, 16, 32, 64)),
        sads=changed(core.sads, inputs=_one(random, 8, 16, 32)),
        kv_generation=changed(core.kv_generation, columns=_one(random, 2, 4, 8, 16)),
        sufa=changed(core.sufa, columns=_one(random, 2, 4, 8, 16)),
        sram=buffers,
        dram=changed(core.dram, bandwidth_bytes_per_s=1e9 * _one(random, 64, 128, 256, 512, 1024)),
    )
    return drawn


def _work(random: Generator) -> AttentionWork:
    """Return the attention of one layer: prefill, a chunk or a step of decoding."""
    d_model, heads, kv_heads, head_dim = _one(random, *SHAPES)
    seq_len = float(int(2 ** random.uniform(8, 13)))
    q_len = _one(random, seq_len, seq_len, max(seq_len // 4, 1.0), 1.0, 8.0)
    keep = float(2 ** random.uniform(-6, 0))
    load_ratio = float(random.uniform(keep, 1))
    kv_ratio = float(random.uniform(load_ratio, 1))
    group = heads // kv_heads
    return AttentionWork(
        d_model=float(d_model),
        n_layers=1.0,
        n_heads=float(heads),
        n_kv_heads=float(kv_heads),
        head_dim=float(head_dim),
        seq_len=seq_len,
        q_len=q_len,
        keep_ratio=keep,
        kv_ratio=kv_ratio,
        causal=bool(random.random() < 0.75),
        load_ratio=load_ratio,
        group_load_ratio=float(random.uniform(load_ratio, 1)),
        group_heads=float(group),
        cached=seq_len - q_len,
        in_order_distinct=0.69,
    )


def _tile(core: Core, work: AttentionWork, random: Generator) -> Tile:
    group = int(work.n_heads // work.n_kv_heads)
    together = _one(random, *(h for h in range(1, group + 1) if group % h == 0))
    return Tile(float(core.dlzs.columns * _one(random, 1, 2, 3, 4, 8)), float(together))


def _flow(random: Generator) -> Dataflow:
    """Return STAR's dataflow half of the time, else any that is possible."""
    if random.random() < 0.5:
        return Dataflow()
    predictor, sorter = _one(random, *Predictor), _one(random, *Sorter)
    if predictor is Predictor.NONE:
        sorter = Sorter.NONE
    attention = _one(random, *Attention)
    if sorter is Sorter.NONE and attention is Attention.SUFA:
        attention = Attention.FA2
    tiling = Tiling.STAGE_ISOLATED if sorter is Sorter.FULL else _one(random, *Tiling)
    return Dataflow(predictor, sorter, attention, _one(random, *Schedule), tiling)


def by_kind(found: Sequence[Gap]) -> dict[str, Agreement]:
    """Return the agreement of all cases, and of those of a kind, by what bounds and how it runs."""
    kinds: dict[str, list[float]] = {"all": []}
    for gap in found:
        flow, work = gap.case.flow, gap.case.work
        phase = "prefill" if np.all(np.asarray(work.cached) == 0) else "cached tokens"
        star = "STAR's dataflow" if flow == Dataflow() else "ablations"
        for kind in ("all", star, flow.tiling.value, phase, f"bound by {gap.bound}"):
            kinds.setdefault(kind, []).append(gap.pct)
    return {kind: Agreement.of(pcts) for kind, pcts in kinds.items()}


def document(cases: str, found: Sequence[Gap]) -> dict[str, Any]:
    """Return the JSON document `star-fidelity/1`; `cases` says where they come from."""
    return {
        "schema": "star-fidelity/1",
        "cases": cases,
        "agreement": {kind: asdict(part) for kind, part in by_kind(found).items()},
        "rows": [_row(gap) for gap in found],
    }


def _row(gap: Gap) -> dict[str, Any]:
    work, tile = gap.case.work, gap.case.tile

    def mean(name: str) -> float:
        each = np.broadcast_to(getattr(work, name), np.shape(work.n_layers))
        return float(np.average(each, weights=work.n_layers))

    shape = ("seq_len", "q_len", "cached", "n_heads", "n_kv_heads", "head_dim", "d_model")
    return {
        **{name: int(mean(name)) for name in shape},
        "causal": work.causal,
        "keep_ratio": mean("keep_ratio"),
        "kv_ratio": mean("kv_ratio"),
        "key_tile": int(tile.keys),
        "heads_together": int(tile.heads),
        **gap.case.flow.names(),
        "bound": gap.bound,
        "analytic_s": gap.analytic_s,
        "event_s": gap.event_s,
        "gap_pct": gap.pct,
    }
