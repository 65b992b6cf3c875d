"""Every kind of file that a user can give: a sound one of it, and what reads it."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from star_watos.explore import Sense
from star_watos.explore.candidates import load_sweep
from star_watos.explore.gate import read_front
from star_watos.explore.serving import ServingExploration, ServingProblem
from star_watos.explore.star import CoreExploration, CoreProblem
from star_watos.explore.star_mesh import MeshExploration, MeshProblem
from star_watos.explore.watos import WaferExploration, WaferProblem
from star_watos.spec import load, root
from star_watos.star import Core, Sparsity
from star_watos.star.spatial import Noc
from star_watos.tables import table
from star_watos.technology.core import CoreTechnology
from star_watos.technology.wafer import WaferTechnology
from star_watos.validate.accelerators import Accelerator
from star_watos.validate.runs import table as table_of_runs
from star_watos.validate.runs.table import read_table
from star_watos.watos import load_hardware
from star_watos.workload import load_model


@dataclass(frozen=True)
class Kind:
    """A kind of file."""

    sample: str | Path
    read: Callable[[str], Any]
    whole: bool = False
    """Whether what the sample refers to stands in it, as a user with one file has it."""

    def text(self) -> str:
        path = root() / self.sample
        if not self.whole:
            return path.read_text(encoding="utf-8")
        data = self.read(str(path)).model_dump(mode="json")
        return yaml.dump(data, Dumper=yaml.CSafeDumper, sort_keys=False, width=1000)


def spec(sample, kind, **more):
    return Kind(f"configs/{sample}.yaml", partial(_load, kind, str(Path(sample).parent)), **more)


def _load(kind, folder, path):
    return load(kind, path, f"configs/{folder}")


def hardware(sample, **more):
    return Kind(f"configs/{sample}.yaml", load_hardware, **more)


@dataclass(frozen=True)
class Sweep(Kind):
    """A kind of sweep, and what explores it."""

    problem: Callable[..., Any] | None = None


def sweep(sample, kind, problem):
    return Sweep(f"sweeps/{sample}.yaml", partial(load_sweep, kind), problem=problem)


def model(sample):
    return Kind(f"configs/models/{sample}.json", load_model)


def kernels(sample, *columns):
    """Return a table of measured kernels; it is read anew each time."""
    return Kind(f"configs/kernels/{sample}.csv", lambda path: table.__wrapped__(path, *columns))


def read_front_of(path):
    return read_front(Path(path), {"forward_tflops": Sense.MAXIMIZE, "seq_len": Sense.MINIMIZE})


RUNS = Path(table_of_runs.__file__).parent / "tables"
SWEEPS = {
    "core sweep": sweep("ci_star", CoreExploration, CoreProblem),
    "layer sweep": sweep("star_smollm2_2k", CoreExploration, CoreProblem),
    "mesh sweep": sweep("star_mesh", MeshExploration, MeshProblem),
    "wafer sweep": sweep("watos_llama3_70b", WaferExploration, WaferProblem),
    "serving sweep": sweep("watos_serving", ServingExploration, ServingProblem),
}
FILES = {
    "core": spec("cores/star_28nm", Core),
    "whole core": spec("cores/star_28nm", Core, whole=True),
    "mesh": spec("meshes/noc_64b", Noc),
    "sparsity": spec("sparsity/sofa_2pct", Sparsity),
    "sparsity of layers": spec("sparsity/smollm2_2k", Sparsity),
    "core technology": spec("technologies/28nm", CoreTechnology),
    "wafer technology": spec("technologies/7nm", WaferTechnology),
    "SRAM wafer technology": spec("technologies/7nm_wse", WaferTechnology),
    "accelerator": spec("accelerators/elsa", Accelerator),
    "wafer": hardware("wafers/watos_config3"),
    "whole wafer": hardware("wafers/watos_config3", whole=True),
    "SRAM wafer": hardware("wafers/cerebras_wse2"),
    "cluster": hardware("clusters/blackwell_8"),
    "whole cluster": hardware("clusters/dgx_h100_flash1", whole=True),
    "model": model("llama3_70b"),
    "GPT model": model("gpt3_175b"),
    "MoE model": model("mixtral_8x7b"),
    "MLA model": model("deepseek_v3"),
}
TABLES = {
    "measured runs": Kind(f"{RUNS}/megatron_core_h100.csv", read_table),
    "runs of eight GPUs": Kind(f"{RUNS}/simumax_b200.csv", read_table),
    "flash kernels": kernels("flash_h100", ("head_dim", "seq_len"), ("forward_tflops",)),
    "collectives": kernels("all_reduce_a100", ("n", "size_bytes"), ("time_us",)),
    "front": Kind("configs/kernels/flash_a100.csv", read_front_of),
}
