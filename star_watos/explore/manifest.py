"""What `run.json` says of where a result comes from."""

import hashlib
import json
import platform
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import star_watos
from star_watos.spec import root

_PACKAGES = ("moocore", "numpy", "optuna", "pydantic", "PyYAML")


@dataclass(frozen=True, slots=True)
class Source:
    """What a run was asked, for the record."""

    config: Mapping[str, Any] = field(default_factory=dict)
    """The resolved configuration."""
    beside: Path | None = None
    """The folder in which its relative paths start."""
    name: str = "sweep"
    """What the sweep is called."""


def origin(source: Source, seed: int) -> dict[str, Any]:
    """Return seed, versions, the resolved config with its hash, and where its paths start."""
    return {
        "seed": seed,
        "version": star_watos.__version__,
        "git_commit": git_commit(),
        "config_hash": config_hash(source.config),
        "config": dict(source.config),
        "beside": None if source.beside is None else str(source.beside.resolve()),
        "packages": packages(),
    }


def config_hash(config: Mapping[str, Any]) -> str:
    """Return the SHA-256 of the config as JSON without blanks, keys sorted.

    >>> config_hash({"b": 1, "a": 2}) == config_hash({"a": 2, "b": 1})
    True
    """
    text = json.dumps(config, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def differences(then: Any, now: Any, key: str = "") -> Iterator[tuple[str, Any, Any]]:  # noqa: ANN401 (plain data)
    """Yield the key paths at which two configurations differ, with what both say there.

    >>> list(differences({"a": {"b": 1}, "c": 2}, {"a": {"b": 3}, "c": 2}))
    [('a.b', 1, 3)]
    """
    if isinstance(then, dict) and isinstance(now, dict):
        for name in dict.fromkeys([*then, *now]):
            yield from differences(then.get(name), now.get(name), f"{key}.{name}" if key else name)
    elif then != now:
        yield key, then, now


def brief(value: object) -> str:
    """Return the text of a value of a configuration, cut to 60 characters."""
    text = "nothing" if value is None else str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def packages() -> dict[str, str | None]:
    """Return the versions of Python and of the packages that a result depends on."""
    return {"python": platform.python_version(), **{name: _version(name) for name in _PACKAGES}}


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def git_commit() -> str | None:
    """Return the commit of the source tree this runs from, or None for an installed package."""
    git = shutil.which("git")
    if git is None or not (root() / ".git").exists():
        return None
    command = [git, "-C", str(root()), "rev-parse", "HEAD"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 (fixed words)
    return done.stdout.strip() or None if done.returncode == 0 else None
