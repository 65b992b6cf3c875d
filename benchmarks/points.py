"""Points a second: a plan at a time, all plans of a wafer in columns, and a whole exploration.

Run it as `python benchmarks/points.py`. Machines differ and are noisy: the ratios are the result.
"""

import tempfile
import time
from pathlib import Path

import numpy as np

from star_watos.explore import explore
from star_watos.explore.candidates import baseline, load_sweep
from star_watos.explore.watos import WaferExploration, WaferProblem
from star_watos.spec import load
from star_watos.star import AttentionWork, Core
from star_watos.star import evaluate as evaluate_core
from star_watos.watos import Training, Wafer, evaluate, legal_plans

SECONDS = 2.0


def rate(points: int, work: object) -> float:
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
    wafer = load(Wafer, "watos_config3", "configs/wafers")
    training = Training(model="llama3_70b")
    model = training.load()
    plans = legal_plans(model, wafer.grid, training.global_batch)
    one = plans.take(np.array([0]))
    scalar = rate(1, lambda: evaluate(wafer, model, training, one))
    columns = rate(len(plans), lambda: evaluate(wafer, model, training, plans))
    sweep, folder = load_sweep(WaferExploration, "watos_llama3_70b")
    with tempfile.TemporaryDirectory() as out:
        run = explore(
            sweep, WaferProblem(sweep, folder), Path(out) / "run", baseline=baseline(sweep)
        )
    whole = run.manifest["points_evaluated"] / run.manifest["wall_s"]
    show("watos, a plan at a time", scalar)
    show(f"watos, {len(plans):,} plans in columns", columns, f"{columns / scalar:,.0f}x")
    show("watos, whole exploration, 1 job", whole, f"{whole / columns:.2f}x columns")
    print(f"  of its wall time: {run.manifest['time_s']}")
    core = load(Core, "star_28nm", "configs/cores")
    work = AttentionWork(4096.0, 32.0, 32.0, 32.0, 128.0, 4096.0, 4096.0, 0.074, 0.074)
    tiles = np.tile(np.arange(1.0, 129.0) * 32, 100)
    single = rate(1, lambda: evaluate_core(core, work, 64.0))
    many = rate(len(tiles), lambda: evaluate_core(core, work, tiles))
    show("star, a tile at a time", single)
    show(f"star, {len(tiles):,} tiles in columns", many, f"{many / single:,.0f}x")


if __name__ == "__main__":
    main()
