"""Wafers that serve a language model as a problem to explore."""

from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from star_watos.cost import Column, Overflow, number
from star_watos.explore.candidates import parts
from star_watos.explore.chosen import Chosen
from star_watos.explore.problem import Outcome, Parameters, Row
from star_watos.explore.reduce import Room, reduce
from star_watos.explore.sweep import Exploration
from star_watos.explore.watos import worst_limit
from star_watos.spec import From, InputError
from star_watos.watos import Dies, Plans, Wafer, wafer_metrics, wafer_overflow
from star_watos.watos.serving import (
    Search,
    Served,
    Service,
    Serving,
    Together,
    Way,
    sequences_tried,
)

METRICS = frozenset(
    {
        "tokens_per_s",
        "requests_per_s",
        "ttft_s",
        "tpot_s",
        "energy_per_token_j",
        "power_w",
        "memory_per_die_bytes",
        "memory_capacity_bytes",
        "area_mm2",
        "wafer_cost_usd",
        "yield",
    }
)


class ServingExploration(Exploration):
    """A sweep of `watos explore` over wafers that serve."""

    metrics: ClassVar[frozenset[str]] = METRICS

    kind: Literal["watos-serving-exploration"]
    """Which tool the sweep is for."""
    hardware: Annotated[Wafer, From("configs/wafers")]
    """The template: a shipped name, a path, or the wafer itself."""
    workload: Serving
    """What is served."""


_model = lru_cache(maxsize=16)(Serving.load)


class ServingProblem:
    """Evaluates every plan of one wafer that does both phases, and the best of every split."""

    def __init__(self, sweep: ServingExploration, beside: Path | None = None) -> None:
        """Explore `sweep`, whose relative paths start in the folder `beside`."""
        self.sweep = sweep
        self.beside = beside

    def evaluate(self, parameters: Parameters) -> Outcome:
        """Return the ways to serve on the wafer that `parameters` describe which no other beats."""
        built = parts(self.sweep, parameters)
        wafer, serving = built["hardware"], built["workload"]
        overflow = wafer_overflow(wafer)
        if overflow:
            miss = worst_limit(self.sweep, wafer, overflow)
            return Outcome([], 0, 0, {overflow.name: 1}, miss)
        search = Search(wafer, Dies(wafer), _model(serving, self.beside), serving)
        every, splits = search.every_together(), search.splits()
        figures = _joined(_figures(search, every), [_figures_of(way) for way in splits])
        answer = serving.output_len
        figures["tokens_per_s"] = answer * figures["requests_per_s"]
        figures["power_w"] = figures["energy_per_token_j"] * figures["tokens_per_s"]
        held = figures["memory_per_die_bytes"]
        return reduce(
            self.sweep,
            _joined(_mapping(search, every), [_mapping_of(way) for way in splits]),
            {**figures, **wafer_metrics(wafer)},
            Room("memory of the fullest die", held, wafer.memory_capacity_bytes, "B"),
        )


def way_of(chosen: Chosen, wafer: Wafer, serving: Serving) -> Service | Overflow:
    """Return the way to serve of a design of a front, on `wafer`, or by how much it does not fit.

    Two ways to split a wafer may have the same plans: the one that takes the row's time is meant.
    """
    search = Search(wafer, Dies(wafer), serving.load(), serving)
    tried = sequences_tried()
    tried = tried[tried == chosen.row.get("sequences")]
    ways = _ways(chosen, search, tried) if tried.size else []
    if not ways:
        raise InputError.of(chosen.place, "no way to serve has these plans")
    with chosen.reading():
        ttft_s = float(chosen.row["ttft_s"])
    best = min(ways, key=lambda way: abs(way.ttft_s - ttft_s))
    need, have = _figures_of(best)["memory_per_die_bytes"], wafer.memory_capacity_bytes
    if need > have:
        return Overflow("memory of the fullest die", need, have, "B")
    return Service(wafer, search.machine, search.model, serving, {best.way: best})


def _ways(chosen: Chosen, search: Search, sequences: NDArray[np.int64]) -> list[Served]:
    """Return the ways to serve that have the plans of a design."""
    row = chosen.row
    if row.get("way") != Way.TOGETHER.value:
        return [way for way in search.splits(sequences) if _is_of(_mapping_of(way), row)]
    every = search.every_together(sequences)
    columns = _mapping(search, every)
    with chosen.reading():
        same = np.all([columns[name] == row[name] for name in columns if name != "bound"], 0)
    return [search.served_together(every, np.array([place])) for place in np.flatnonzero(same)]


def _is_of(mapping: dict[str, Any], row: Row) -> bool:
    return all(row.get(name) == value for name, value in mapping.items() if name != "bound")


def _joined(columns: dict[str, Column], rows: list[dict[str, Any]]) -> dict[str, NDArray[Any]]:
    """Return columns with more rows below."""
    return {
        name: np.concatenate([np.asarray(column), np.array([row[name] for row in rows])])
        if rows
        else np.asarray(column)
        for name, column in columns.items()
    }


def _figures(search: Search, every: Together) -> dict[str, Column]:
    energy = search.energy_per_token_j(every.prefill, every.decode, every.requests_per_s)
    return {
        "requests_per_s": every.requests_per_s,
        "ttft_s": every.ttft_s,
        "tpot_s": every.tpot_s,
        "energy_per_token_j": energy,
        "memory_per_die_bytes": every.decode.memory_bytes,
    }


def _figures_of(way: Served) -> dict[str, float]:
    held = [number(part.phase.memory_bytes) for part in (way.prefill, way.decode)]
    return {
        "requests_per_s": way.requests_per_s,
        "ttft_s": way.ttft_s,
        "tpot_s": way.tpot_s,
        "energy_per_token_j": way.energy_per_token_j,
        "memory_per_die_bytes": max(held),
    }


def _mapping(search: Search, every: Together) -> dict[str, Column]:
    """Return the columns of `pareto.csv` that say how it is served."""
    n = len(every.pool.plans)
    replicas = every.pool.replicas
    return {
        "way": np.full(n, "together"),
        **_plan("prefill", every.pool.plans, replicas),
        **_plan("decode", every.pool.plans, replicas),
        "sequences": every.pool.plans.microbatch,
        "bound": search.bound(every.prefill, every.decode),
    }


def _plan(phase: str, plans: Plans, replicas: Column) -> dict[str, Column]:
    columns = {"tp_rows": plans.tp_rows, "tp_cols": plans.tp_cols, "pp": plans.pp}
    return {
        f"{phase}_{name}": column for name, column in (columns | {"replicas": replicas}).items()
    }


def _mapping_of(way: Served) -> dict[str, Any]:
    both = {"prefill": way.prefill.pool, "decode": way.decode.pool}
    plans = [_plan(name, pool.plans, pool.replicas) for name, pool in both.items()]
    flat = {name: int(number(value)) for columns in plans for name, value in columns.items()}
    sequences = way.decode.pool.plans.microbatch[0]
    return {"way": "apart", **flat, "sequences": sequences, "bound": way.bound}
