"""Training plans a second of GPT-3 175B on 1,024 GPUs: in columns, alone, and in two other tools.

Run it as `python benchmarks/plans.py`; `--only-ours` installs nothing. One core does all. Machines
differ and are noisy: the ratios are the result. The others come from the package index, each into
an environment that is thrown away, and get plans of the same column without CP, one at a time, for
neither takes columns. Evaluations alone are timed; for genz-llm that includes two files each, which
it leaves in /tmp/genz. llm-analysis knows no pipeline bubble, genz-llm no backward pass.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")  # read when NumPy loads

import numpy as np
from numpy.typing import NDArray

from star_watos import watos

SECONDS = 4.0
"""Of each measurement."""
ALONE = 50
"""How many random plans are evaluated one at a time, and how many the other tools get."""
BLOCK = 36_000
"""Plans of a column that a core's cache still holds, with what is worked out beside it."""
CHOICES = watos.Choices(
    recompute=tuple(watos.Recompute),
    zero=(0, 1, 2, 3),
    schedule=tuple(watos.Schedule),
    virtual_stages=(2, 3, 4, 6, 8, 12, 16, 24, 48),
    cp=(1, 2, 4, 8, 16, 32),
)


@dataclass(frozen=True, slots=True)
class Tool:
    """Another tool: its package, what is timed, and Python that defines `evaluate` with it."""

    package: str
    timed: str
    setup: str


LLM_ANALYSIS = Tool(
    "llm-analysis",
    "LLMAnalysis.training",
    """
from llm_analysis import analysis, config
MODEL = config.get_model_config_by_name("megatron-lm-175b")
GPU = config.get_gpu_config_by_name("a100-sxm-80gb")
OPTIONS = {"activation_recomputation": analysis.ActivationRecomputation.FULL,
           "ds_zero": analysis.DSZeRO.STAGE_1, "global_batch_size": 1536, "seq_len": 2048}
def evaluate(tp, pp, dp, microbatch):
    degrees = config.ParallelismConfig(tp_size=tp, pp_size=pp, dp_size=dp)
    tool = analysis.LLMAnalysis(MODEL, GPU, parallelism_config=degrees, flops_efficiency=0.5)
    tool.training(batch_size_per_gpu=microbatch, **OPTIONS)
""",
)
GENZ = Tool(
    "genz-llm",
    "prefill_moddeling (no training)",
    """
from GenZ import prefill_moddeling
def evaluate(tp, pp, dp, microbatch):  # a batch passes the pipeline in pp parts
    prefill_moddeling(
        model="gpt-3", batch_size=microbatch * pp, input_tokens=2048, system_name="A100_80GB_GPU",
        tensor_parallel=tp, pipeline_parallel=pp,
        parallelism_heirarchy=f"TP{{{tp}}}_EP{{1}}_PP{{{pp}}}",
        model_offload=True,  # what overflows memory is evaluated, not refused
    )
""",
)
BEFORE = """
import importlib.metadata, itertools, json, logging, sys, time, warnings
logging.disable(logging.CRITICAL)
warnings.simplefilter("ignore")
"""
AFTER = """
task = json.load(sys.stdin)
evaluate(*task["plans"][0])
start = time.perf_counter()
for n, plan in enumerate(itertools.cycle(task["plans"])):
    if (spent := time.perf_counter() - start) >= task["seconds"]:
        break
    evaluate(*plan)
print(json.dumps({"rate": n / spent, "version": importlib.metadata.version(task["package"])}))
"""


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--only-ours", action="store_true", help="leave the other tools out")
    only_ours = parser.parse_args(arguments).only_ours
    columns, sample = ours()
    for tool in () if only_ours else (LLM_ANALYSIS, GENZ):
        other(tool, sample, columns)


def ours() -> tuple[float, list[list[int]]]:
    """Print our rates; return that in columns, and plans that the other tools can evaluate."""
    training = watos.Training(model="gpt3_175b", seq_len=2048, global_batch=1536, precision="fp16")
    model = training.load()
    machine = watos.machine_of(watos.load_hardware("dgx_a100"), training, 1024)
    plans = watos.cluster_plans(
        model, gpus_per_node=8, devices=1024, global_batch=1536, choices=CHOICES
    )
    rng = np.random.default_rng(0)
    rows = rng.choice(len(plans), ALONE, replace=False)
    singles = [plans.take(np.array([row])) for row in rows]

    def run(some: watos.Plans) -> watos.Iterations:
        return watos.evaluate(machine, model, training, some)

    blocks = np.array_split(np.arange(len(plans)), -(-len(plans) // BLOCK))

    def run_blocks() -> NDArray[np.float64]:
        return np.concatenate([run(plans.take(block)).iteration_s for block in blocks])

    in_columns = np.asarray(run(plans).iteration_s)
    check(in_columns[rows], np.array([run(one).iteration_s for one in singles]).ravel())
    check(in_columns, run_blocks())
    columns, in_blocks = rate(len(plans), lambda: run(plans)), rate(len(plans), run_blocks)
    alone = rate(ALONE, lambda: [run(one) for one in singles])
    show(f"watos, {len(plans):,} plans in columns", columns, 1.0)
    show(f"watos, in columns of {len(blocks[0]):,}", in_blocks, columns / in_blocks)
    show("watos, a plan at a time", alone, columns / alone)
    return columns, sample_of(plans, rng)


def sample_of(plans: watos.Plans, rng: np.random.Generator) -> list[list[int]]:
    """Return tp, pp, dp, microbatch of plans as the other tools know them, without CP."""
    plain = (plans.cp == 1) & (plans.sp == (plans.tp > 1)) & (plans.zero == 1)
    plain &= plans.recompute == watos.Recompute.FULL
    plain &= plans.schedule == watos.Schedule.ONE_F_ONE_B
    some = plans.take(rng.permutation(np.flatnonzero(plain))[:ALONE])
    columns = (some.tp, some.pp, some.dp, some.microbatch)
    return [[int(n) for n in row] for row in zip(*columns, strict=True)]


def check(columns: NDArray[np.float64], alone: NDArray[np.float64]) -> None:
    """Stop unless plans alone, or in shorter columns, take exactly what they take in columns."""
    if differ := np.count_nonzero(columns != alone):
        raise SystemExit(f"{differ} of {len(alone)} plans differ from the same in columns")


def other(tool: Tool, sample: list[list[int]], columns: float) -> None:
    """Install and measure another tool, or print why that does not work."""
    try:
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            found = json.loads(measured(tool, Path(folder), sample))
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        said = error.stderr if isinstance(error, subprocess.CalledProcessError) else ""
        print(f"{tool.package}: not measured: {(said or str(error)).strip().splitlines()[-1]}")
    else:
        name = f"{tool.package} {found['version']}, {tool.timed}"
        show(name, found["rate"], columns / found["rate"])


def measured(tool: Tool, folder: Path, sample: list[list[int]]) -> str:
    """Return the rate and the version of another tool as JSON, in an environment of its own."""
    call([sys.executable, "-m", "venv", str(folder / "venv")], folder)
    python = str(folder / "venv" / ("Scripts" if os.name == "nt" else "bin") / "python")
    call([python, "-m", "pip", "install", "--quiet", tool.package], folder)
    task = {"package": tool.package, "plans": sample, "seconds": SECONDS}
    said = call([python, "-c", BEFORE + tool.setup + AFTER], folder, json.dumps(task))
    return said.splitlines()[-1]


def call(command: list[str], folder: Path, text: str = "") -> str:
    """Return what a command prints."""
    return subprocess.run(  # noqa: S603 (the commands of this file)
        command, input=text, cwd=folder, timeout=600, capture_output=True, text=True, check=True
    ).stdout


def rate(plans: int, work: Callable[[], object]) -> float:
    """Return plans a second of `work`, repeated for a while."""
    work()
    start, repeats = time.perf_counter(), 0
    while time.perf_counter() - start < SECONDS:
        work()
        repeats += 1
    return plans * repeats / (time.perf_counter() - start)


def show(name: str, plans_per_s: float, ratio: float) -> None:
    """Print one line; the ratio is of ours in columns to it."""
    print(f"{name:54}{plans_per_s:12,.1f} plans/s {ratio:12,.0f}x", flush=True)


def pin() -> None:
    """Keep this process and its children on one core, where the system can."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


if __name__ == "__main__":
    pin()
    main()
