"""Points a second: one at a time, in columns, and a whole exploration, for wafers and for cores.

In columns every plan gets all figures; an exploration asks the plans that fit in memory for them.

Run it as `python benchmarks/points.py`. Machines differ and are noisy: the ratios are the result.
"""

import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from star_watos.explore import explore
from star_watos.explore.candidates import baseline, load_sweep
from star_watos.explore.star import CoreExploration, CoreProblem
from star_watos.explore.watos import WaferExploration, WaferProblem
from star_watos.spec import load
from star_watos.star import AttentionTask, Core, Resources, Sparsity, Tile, legal_tiles
from star_watos.star import evaluate as evaluate_core
from star_watos.watos import Dies, Training, Wafer, evaluate, legal_plans
from star_watos.watos.balance import Operator, Options, Stage, balanced

SECONDS = 2.0
DESIGNS = 128
"""Cores in one column."""


def rate(points: int, work: Callable[[], object]) -> float:
    """Return points a second of `work`, repeated for a while."""
    work()
    start, repeats = time.perf_counter(), 0
    while time.perf_counter() - start < SECONDS:
        work()
        repeats += 1
    return points * repeats / (time.perf_counter() - start)


def show(name: str, points_per_s: float, ratio: str = "") -> None:
    """Print one line."""
    print(f"{name:36}{points_per_s:12,.0f} points/s  {ratio}")


def main() -> None:
    """Measure and print."""
    wafers()
    stages()
    cores()


def wafers() -> None:
    """A point is a plan."""
    wafer = load(Wafer, "watos_config3", "configs/wafers")
    training = Training(model="llama3_70b")
    model = training.load()
    machine = Dies(wafer)
    plans = legal_plans(model, wafer.grid, training.global_batch)
    one = plans.take(np.array([0]))
    scalar = rate(1, lambda: evaluate(machine, model, training, one))
    columns = rate(len(plans), lambda: evaluate(machine, model, training, plans))
    show("watos, a plan at a time", scalar)
    show(f"watos, {len(plans):,} plans in columns", columns, f"{columns / scalar:,.0f}x")
    whole(WaferExploration, WaferProblem, "watos_llama3_70b", columns)


def stages() -> None:
    """Balance a pipeline as long as a wafer has dies, with the operators of GPT-3's layer."""
    line = np.abs(np.subtract.outer(np.arange(56.0), np.arange(56.0)))
    again_s, dropped = (1e-3, 2e-3, 5e-4, 1e-4, 1e-4, 3e-3, 2e-4, 1e-5), (4, 9, 3, 3, 1, 12, 12, 1)
    operators = [Operator(f"{i}", *op) for i, op in enumerate(zip(again_s, dropped, strict=True))]
    pipeline = [Stage(0.1, 2.0, 56.0 - i, 45.0, 1.0, 0.0, 2700.0) for i in range(56)]
    again = rate(1, lambda: balanced(pipeline, Options.of(operators), line))
    show("56 stages balanced, 8 operators", again)


def cores() -> None:
    """A point is a tile of a design: one, designs beside tiles, and both mixed row by row.

    Beside one another each term is worked out on the axes that it depends on.
    """
    core = load(Core, "star_28nm", "configs/cores")
    task = AttentionTask(
        model="llama2_7b", seq_len=4096, sparsity=load(Sparsity, "sofa_2pct", "configs/sparsity")
    )
    work, resources = task.work(task.load()), Resources.of(core)
    tiles = legal_tiles(core, work)
    designs = [replace(resources, sufa_columns=2.0 * n) for n in range(1, DESIGNS + 1)]
    mixed = Resources.columns([design for design in designs for _ in range(np.size(tiles.keys))])
    every = Tile(np.tile(tiles.keys, DESIGNS), np.tile(tiles.heads, DESIGNS))
    points = int(np.size(every.keys))
    scalar = rate(1, lambda: evaluate_core(resources, work, Tile(64.0)))
    down = Resources.columns(designs).each(lambda column: np.asarray(column)[:, np.newaxis])
    across = Tile(np.asarray(tiles.keys)[np.newaxis], np.asarray(tiles.heads)[np.newaxis])
    beside = rate(points, lambda: evaluate_core(down, work, across))
    columns = rate(points, lambda: evaluate_core(mixed, work, every))
    show("star, a tile at a time", scalar)
    show(f"star, {DESIGNS} designs beside tiles", beside, f"{beside / scalar:,.0f}x")
    show(f"star, {points:,} mixed rows", columns, f"{columns / scalar:,.0f}x")
    whole(CoreExploration, CoreProblem, "star_llama2_7b_4k", columns)


def whole(kind: type[Any], problem: type[Any], name: str, columns: float) -> None:
    """Measure an exploration from start to end, in this process."""
    sweep, folder = load_sweep(kind, name)
    with tempfile.TemporaryDirectory() as out:
        run = explore(sweep, problem(sweep, folder), Path(out) / "run", baseline=baseline(sweep))
    points, wall_s = run.manifest["points_evaluated"], run.manifest["wall_s"]
    spent, points_per_s = run.manifest["time_s"], points / wall_s
    show(f"{name}, whole, 1 job", points_per_s, f"{points_per_s / columns:.2f}x columns")
    print(f"  {100 * run.manifest['feasible_points'] / points:.3g} % of its points fit")
    outside = 100 * (1 - spent["model"] / wall_s)
    parts = ", ".join(f"{part} {s:.2f} s" for part, s in spent.items())
    print(f"  {outside:.3g} % of its wall time outside the model: {parts}")


if __name__ == "__main__":
    main()
