"""Where the files that come with the package are, and how a name finds one."""

from itertools import product
from pathlib import Path

from star_watos.errors import InputError, nearest

_PACKAGE = Path(__file__).resolve().parent.parent
SUFFIXES = (".yaml", ".yml", ".json")


def root() -> Path:
    """Return the folder that holds `configs/` and `sweeps/`: in the wheel, or the source tree."""
    wheel = _PACKAGE / "_shipped"
    return wheel if wheel.is_dir() else _PACKAGE.parent


def names(folder: str) -> list[str]:
    """Return the names that `folder` offers, sorted.

    >>> "star_28nm" in names("configs/cores")
    True
    """
    return sorted(p.stem for p in (root() / folder).iterdir() if p.suffix in SUFFIXES)


def locate(name: str, *folders: str, beside: Path | None = None) -> Path:
    """Return the file that `name` means: a path, or the name of a shipped file of `folders`.

    A relative path is looked up in the folder `beside` first (that of the file that names it),
    then in the working directory. Raises `InputError` with the nearest shipped names.
    """
    for candidate in (beside / name if beside else None, Path(name)):
        if candidate is not None and is_file(candidate):
            return candidate
    for folder, suffix in product(folders, SUFFIXES):
        shipped = root() / folder / f"{name}{suffix}"
        if is_file(shipped):
            return shipped
    if _is_folder(Path(name)):
        raise InputError.of(name[:200], "is a folder, not a file")
    raise InputError.of(name[:200], f"no such file, nor a shipped one {_offer(name, folders)}")


def is_file(path: Path) -> bool:
    """Return whether `path` is a file; a path that no system allows is none."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def _is_folder(path: Path) -> bool:
    try:
        return path != Path() and path.is_dir()
    except (OSError, ValueError):
        return False


def _offer(name: str, folders: tuple[str, ...]) -> str:
    offered = [shipped for folder in folders for shipped in names(folder)]
    return f"(shipped: {', '.join(offered)}{nearest(name, offered)})"
