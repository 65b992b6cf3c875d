"""Peak memory of explorations of a million, ten million and a hundred million points.

Run it as `python benchmarks/memory.py`. Each is a process of its own and enumerates a part of the
space of `watos_llama3_70b`, with all of its grids. Machines differ: the ratios are the result.
"""

import resource
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from star_watos.explore import explore
from star_watos.explore.candidates import load_sweep
from star_watos.explore.watos import WaferExploration, WaferProblem

SWEEP = "watos_llama3_70b"
LINKS = [f"{n} TB/s" for n in (1, 2, 3, 4, 1.5)]
SPACES = {
    "a million": ([16], [16], [4], LINKS[:4]),
    "ten million": ([12, 14, 16], [16], [2, 3, 4, 5], LINKS[:4]),
    "a hundred million": ([12, 14, 16, 18, 20], [12, 14, 16, 18, 20], [2, 3, 4, 5, 6], LINKS),
}
"""Rows and columns of cores, stacks of DRAM a die, bandwidths of D2D."""
BYTES = 1 if sys.platform == "darwin" else 1024
"""The unit of `ru_maxrss`."""


def main(names: Sequence[str] = tuple(SPACES)) -> None:
    """Measure and print."""
    for name in names:
        subprocess.run([sys.executable, __file__, name], check=True)  # noqa: S603 (this file)


def one(name: str) -> None:
    """Explore one space in this process, and print what it took."""
    axes = ("die.cores.rows", "die.cores.cols", "dram.stacks_per_die", "d2d.bandwidth")
    options = [
        f"space.hardware.{axis}={{choices: {values}}}"
        for axis, values in zip(axes, SPACES[name], strict=True)
    ]
    sweep, folder = load_sweep(WaferExploration, SWEEP, [*options, "search.sampler=exhaustive"])
    with tempfile.TemporaryDirectory() as out:
        run = explore(sweep, WaferProblem(sweep, folder), Path(out) / "run").manifest
    points, wall_s = run["points_evaluated"], run["wall_s"]
    peak_bytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * BYTES
    print(
        f"{points:13,} points of {run['distinct_trials']:5,} wafers {peak_bytes / 1e6:6,.0f} MB "
        f"{1e6 * wall_s / points:6.3f} us a point",
        flush=True,
    )


if __name__ == "__main__":
    one(sys.argv[1]) if sys.argv[1:] else main()
