"""Kill explorations at random moments, resume each, and compare what they find in the end.

Run it as `python benchmarks/kills.py --kills 100`. It ends with 1 if a front differs.
"""

import argparse
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

RESULTS = ("pareto.csv", "trials.csv")


def started(out: Path, search: list[str]) -> "subprocess.Popen[bytes]":
    """Start an exploration that goes on from what is in `out`."""
    code = "from star_watos.cli.watos import main; main()"
    options = ["watos_llama3_70b", *search, "--resume", "--out", str(out)]
    return subprocess.Popen(  # noqa: S603 (our own command)
        [sys.executable, "-c", code, "explore", *options],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def results(out: Path) -> list[bytes]:
    """Return what a run found."""
    return [(out / name).read_bytes() for name in RESULTS]


def main(arguments: list[str] | None = None) -> int:
    """Kill, resume, compare; return 1 if a result differs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--trials", type=int, default=400)
    parser.add_argument("--jobs", type=int, default=1)
    asked = parser.parse_args(arguments)
    search = ["--trials", str(asked.trials), "--jobs", str(asked.jobs)]
    chance = random.Random(asked.seed)  # noqa: S311 (repeatable, not secret)
    with tempfile.TemporaryDirectory() as folder:
        begun = time.perf_counter()
        if started(Path(folder) / "whole", search).wait():
            return 1
        whole_s = time.perf_counter() - begun
        expected = results(Path(folder) / "whole")
        print(f"uninterrupted: {whole_s:.1f} s")
        return kill(Path(folder), asked.kills, search, whole_s, expected, chance)


def kill(
    folder: Path,
    kills: int,
    search: list[str],
    whole_s: float,
    expected: list[bytes],
    chance: random.Random,
) -> int:
    """Kill so often, on as many runs as that takes; return 1 if one ends with something else."""
    killed = runs = different = 0
    while killed < kills:
        runs += 1
        out, here = folder / f"run{runs}", 0
        while True:
            process = started(out, search)
            try:
                process.wait(chance.uniform(0.0, whole_s) if killed < kills else None)
                break
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
                process.wait()
                killed, here = killed + 1, here + 1
        same = process.returncode == 0 and results(out) == expected
        different += not same
        print(f"run {runs}: killed {here} times, {'identical' if same else 'DIFFERENT'}")
    print(f"{killed} kills, {runs} runs, {different} different")
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
