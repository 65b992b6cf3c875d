"""The best plans for both phases on the same dies, and on dies of their own."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from star_watos.cost import Column, Overflow, number
from star_watos.watos.dies import Dies
from star_watos.watos.hardware import Hardware
from star_watos.watos.machine import Machine
from star_watos.watos.plans import Ints
from star_watos.watos.serving.phases import Phase, decode_phase, prefill_phase
from star_watos.watos.serving.pools import pool_of, sequences_tried
from star_watos.watos.serving.request import Serving
from star_watos.watos.serving.ways import FREE, Limits, Part, Served, Together, Way
from star_watos.watos.wafer import Grid, Wafer
from star_watos.workload import Microbatch, Model, cached_bytes


@dataclass(frozen=True, slots=True)
class Search:
    """What is served on what, and the limits that a way must keep."""

    hardware: Hardware
    machine: Machine
    model: Model
    serving: Serving
    limits: Limits = FREE

    def every_together(self, sequences: Ints | None = None) -> Together:
        """Return all plans in which each replica does both phases, whether they fit or not.

        `sequences` are the numbers of them at once in decode; all that are tried if not told.
        Each pass of b sequences takes b / O prompts along: d + b p / O a stage. A prompt goes with
        O / b passes of its microbatch, at least with one.
        """
        tried = sequences_tried() if sequences is None else sequences
        pool = pool_of(self.hardware, self.machine.n_devices, self.model, tried)
        plans, answer = pool.plans, float(self.serving.output_len)
        prompts = plans.microbatch / answer
        it = (self.machine, self.model, self.serving, plans)
        first, then = prefill_phase(*it), decode_phase(*it, np.ceil(prompts))
        tpot_s = then.latency_s + plans.pp * prompts * first.stage_s
        ttft_s = np.maximum(np.maximum(1 / prompts, 1.0) * tpot_s, first.latency_s)
        rate = pool.replicas * plans.pp * prompts / tpot_s
        return Together(pool, first, then, rate, ttft_s, tpot_s)

    def together(self) -> Served | Overflow:
        """Return the best way in which each replica does both phases."""
        every = self.every_together()
        missed = self._missed(every.decode.memory_bytes, every.ttft_s, every.tpot_s)
        if isinstance(missed, Overflow):
            return missed
        return self.served_together(every, _best(np.where(missed, -np.inf, every.requests_per_s)))

    def served_together(self, every: Together, row: Ints) -> Served:
        """Return one of all plans in which each replica does both phases."""
        parts = [Part(every.pool, phase).take(row) for phase in (every.prefill, every.decode)]
        columns = (every.requests_per_s, every.ttft_s, every.tpot_s)
        rate, *times = (number(np.asarray(column)[row]) for column in columns)
        return self._served(Way.TOGETHER, parts, rate, (times[0], times[1]))

    def _missed(
        self, memory: Column, ttft_s: Column, tpot_s: Column
    ) -> NDArray[np.bool_] | Overflow:
        """Return what does not fit or takes too long; if all do, the one that misses least."""
        limits = {
            ("memory of the fullest device", "B"): (memory, self.machine.memory_bytes),
            ("time to the first token", "s"): (ttft_s, self.limits.ttft_s),
            ("time per token", "s"): (tpot_s, self.limits.tpot_s),
        }
        ratios = np.stack(np.broadcast_arrays(*(need / have for need, have in limits.values())))
        missed: NDArray[np.bool_] = ratios.max(axis=0) > 1
        if not missed.all():
            return missed
        nearest = int(ratios.max(axis=0).argmin())
        (name, unit), (need, have) = list(limits.items())[int(ratios[:, nearest].argmax())]
        return Overflow(name, float(np.asarray(need)[nearest]), have, unit)

    def apart(self) -> Served | None:
        """Return the best way with a part of the rows, or columns, for each phase."""
        return max(self.splits(), key=lambda way: way.requests_per_s, default=None)

    def splits(self, sequences: Ints | None = None) -> list[Served]:
        """Return the best plans of both parts of every split of the wafer in which any fit."""
        tried = sequences_tried() if sequences is None else sequences
        assert isinstance(self.hardware, Wafer)  # noqa: S101 (the caller's)
        rows, cols = self.hardware.grid.rows, self.hardware.grid.cols
        halves = [
            *((Grid(rows=k, cols=cols), Grid(rows=rows - k, cols=cols)) for k in range(1, rows)),
            *((Grid(rows=rows, cols=k), Grid(rows=rows, cols=cols - k)) for k in range(1, cols)),
        ]
        # What a replica takes is the same on any part of the wafer.
        prefill, decode = self._prefills(), self._decodes(tried)
        found = (self._split(prefill, decode, *both) for both in halves)
        return [way for way in found if way is not None]

    def _split(self, prefill: Part, decode: Part, ahead: Grid, behind: Grid) -> Served | None:
        """Return the best plans of both parts; they meet along their common edge."""
        first = _fastest(_on(prefill, ahead), _prompts_per_s)
        then = _fastest(_on(decode, behind), _tokens_per_s)
        if first is None or then is None:
            return None
        edge = ahead.cols if ahead.cols == behind.cols else ahead.rows
        handoff_s = self._cache_bytes() / (edge * self._link_bytes_per_s)
        rates = [
            number(_prompts_per_s(first)),
            number(_tokens_per_s(then)) / self.serving.output_len,
            1 / handoff_s,
        ]
        ttft_s = number(first.phase.latency_s) + handoff_s
        if ttft_s > self.limits.ttft_s:
            return None
        times = (ttft_s, number(then.phase.latency_s))
        return self._served(Way.APART, [first, then], min(rates), times)

    def _prefills(self) -> Part:
        pool = pool_of(self.hardware, self.machine.n_devices, self.model, np.array([1]))
        phase = prefill_phase(self.machine, self.model, self.serving, pool.plans)
        return self._within(Part(pool, phase), self.limits.ttft_s)

    def _decodes(self, sequences: Ints) -> Part:
        pool = pool_of(self.hardware, self.machine.n_devices, self.model, sequences)
        phase = decode_phase(self.machine, self.model, self.serving, pool.plans)
        return self._within(Part(pool, phase), self.limits.tpot_s)

    def _within(self, every: Part, limit_s: float) -> Part:
        """Return the plans that fit, and are as fast as they have to be."""
        small = np.asarray(every.phase.memory_bytes <= self.machine.memory_bytes)
        return every.take(np.flatnonzero(small & (every.phase.latency_s <= limit_s)))

    def _cache_bytes(self) -> float:
        """What a prompt leaves cached in all layers."""
        one = number(cached_bytes(self.model, Microbatch(1.0, 1)))
        return self.serving.prompt_len * self.model.n_layers * one

    @property
    def _link_bytes_per_s(self) -> float:
        assert isinstance(self.machine, Dies)  # noqa: S101 (phases are apart on wafers only)
        return self.machine.wafer.d2d.link_bytes_per_s

    def _served(
        self, way: Way, parts: list[Part], rate: float, times: tuple[float, float]
    ) -> Served:
        first, then = parts
        energy_j = self.energy_per_token_j(first.phase, then.phase, rate)
        bound = self.bound(first.phase, then.phase)[0]
        return Served(way, first, then, rate, *times, number(energy_j), bound)

    def bound(self, first: Phase, then: Phase) -> NDArray[np.object_]:
        """Return what bounds the phase for which a request keeps a stage longer."""
        answer = self.serving.output_len * then.stage_s / then.plans.microbatch
        return np.where(first.stage_s > answer, first.bound, then.bound)

    def energy_per_token_j(self, first: Phase, then: Phase, requests_per_s: Column) -> Column:
        """Joules of a token of an answer: its passes, its share of the prompt's and of leakage."""
        answer = self.serving.output_len
        tokens_j = answer * then.energy_j / then.plans.microbatch
        static_j = self.machine.static_power_w / requests_per_s
        energy: Column = (first.energy_j + tokens_j + static_j) / answer
        return energy


def _on(whole: Part, grid: Grid) -> Part:
    """Return those of a wafer's plans that a rectangle of its dies has room for."""
    rows, replicas = whole.pool.inside(grid)
    some = whole.take(rows)
    return replace(some, pool=replace(some.pool, replicas=replicas, devices=grid.size))


def _fastest(part: Part, rate: Callable[[Part], Column]) -> Part | None:
    """Return the plan with the highest rate, if there is any."""
    return part.take(_best(rate(part))) if len(part.pool.plans) else None


def _prompts_per_s(part: Part) -> Column:
    prompts: Column = part.pool.replicas / part.phase.stage_s
    return prompts


def _tokens_per_s(part: Part) -> Column:
    plans = part.pool.plans
    tokens: Column = part.pool.replicas * plans.pp * plans.microbatch / part.phase.latency_s
    return tokens


def _best(rate: Column) -> Ints:
    """Return the first row of the highest rate."""
    return np.array([int(np.argmax(rate))])
