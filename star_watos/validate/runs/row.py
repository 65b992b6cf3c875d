"""One measured run of a table: what users write, checked."""

from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, PrivateAttr

from star_watos.spec import Spec
from star_watos.units import Count
from star_watos.watos import Hardware, load_hardware
from star_watos.workload import Model, load_model

Flag = Annotated[int, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0, le=1e15)]
Degree = Annotated[Count, Field(le=2**20)]

MEASURED = ("iter_time_s", "memory_gib", "tflops_per_gpu")
"""Columns that hold what was measured; a row has one of them or more."""


@lru_cache(maxsize=64)  # hundreds of rows name the same few files
def _hardware(name: str, folder: Path | None) -> Hardware:
    return load_hardware(name, beside=folder)


@lru_cache(maxsize=64)
def _model(name: str, folder: Path | None) -> Model:
    return load_model(name, folder)


class Run(Spec):
    """One row. Where a column is missing or empty its default holds."""

    device: str
    """A shipped or own hardware name; own files may stand beside the table."""
    devices: Degree
    hidden: Degree | None = None
    layers: Annotated[Count, Field(le=4096)] | None = None
    heads: Annotated[Count, Field(le=4096)] | None = None
    seq: Annotated[Count, Field(ge=2, le=2**24)]
    vocab: Degree | None = None
    global_batch: Annotated[Count, Field(le=2**24)]
    micro_batch: Annotated[Count, Field(le=2**24)]
    iter_time_s: Positive | None = None
    memory_gib: Positive | None = None
    tflops_per_gpu: Positive | None = None
    flops_convention: Literal["model", "hardware"] = "model"
    """Whether `tflops_per_gpu` counts recomputation."""
    tp: Degree = 1
    pp: Degree = 1
    dp: Degree | None = None
    """What is left of the devices, unless given."""
    cp: Degree = 1
    ep: Degree = 1
    interleave_v: Annotated[Count, Field(le=4096)] = 1
    recompute: Literal["none", "selective", "full", "non-gemm"] = "none"
    seq_parallel: Flag = 0
    zero: Annotated[int, Field(ge=0, le=3)] = 0
    schedule: Literal["1f1b", "interleaved", "gpipe", "zero-bubble"] | None = None
    """1F1B unless given; interleaved where `interleave_v` is above 1."""
    precision: Literal["bf16", "fp16", "fp8"] = "bf16"
    attention: Literal["flash", "unfused"] = "flash"
    overlap: Flag = 1
    model: str | None = None
    """A shipped model or a `config.json`, in place of the shape's columns."""
    kv_heads: Annotated[Count, Field(le=4096)] | None = None
    ffn: Degree | None = None
    gated: Flag = 0
    experts: Annotated[Count, Field(le=4096)] | None = None
    experts_per_token: Annotated[Count, Field(le=4096)] | None = None
    moe_ffn: Degree | None = None
    tied_embeddings: Flag = 1
    name: str = ""
    source: str = ""
    _folder: Path | None = PrivateAttr(default=None)

    def within(self, folder: Path) -> "Run":
        """Return the run as one of a table in `folder`, whose files it may name."""
        own = self.model_copy()
        own._folder = folder  # noqa: SLF001 (its own)
        return own

    @property
    def hardware(self) -> Hardware:
        """What it ran on. Raises `InputError`."""
        return _hardware(self.device, self._folder)

    @property
    def named_model(self) -> Model | None:
        """The model that is named, if one is. Raises `InputError`."""
        return _model(self.model, self._folder) if self.model else None

    @property
    def label(self) -> str:
        """What it is called: its name, or that of its model."""
        return self.name or (Path(self.model).stem if self.model else "")

    @property
    def replicas(self) -> int:
        """Replicas of the pipeline."""
        return self.dp or max(self.devices // (self.tp * self.pp * self.cp), 1)

    def problems(self) -> list[tuple[str, str]]:
        """Return which columns, each right on its own, do not go together, and why."""
        found = []
        shape = ("hidden", "layers", "heads", "vocab")
        if self.model is None:
            missing = [name for name in shape if getattr(self, name) is None]
            found += [(name, "required, but empty (or give a model)") for name in missing]
        if all(getattr(self, name) is None for name in MEASURED):
            found += [(MEASURED[0], f"one of {', '.join(MEASURED)} is required")]
        used = self.tp * self.pp * self.cp * self.replicas
        if used != self.devices:
            text = f"tp {self.tp} x pp {self.pp} x dp {self.replicas} x cp {self.cp} is {used}"
            found += [("devices", f"{text}, got {self.devices}")]
        if self.global_batch % (self.replicas * self.micro_batch):
            text = f"a multiple of dp x micro_batch, {self.replicas * self.micro_batch}"
            found += [("global_batch", f"expected {text}, got {self.global_batch}")]
        if self.heads and self.hidden and self.hidden % self.heads:
            found += [("heads", f"expected a divisor of {self.hidden}, got {self.heads}")]
        if self.layers and self.pp > self.layers:
            found += [("pp", f"expected at most the {self.layers} layers, got {self.pp}")]
        return found
