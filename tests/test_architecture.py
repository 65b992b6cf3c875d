"""The house: who may import whom, and how large a room may be."""

import ast
from pathlib import Path

import pytest

import star_watos

PACKAGE = Path(star_watos.__file__).parent
LEVELS = (
    {"errors"},
    {"units", "files"},
    {"cost"},
    {"spec"},
    {"tables"},
    {"technology", "workload", "fabric", "tensors"},
    {"star", "watos"},
    {"explore"},
    {"validate", "compare"},
    {"report"},
    {"cli"},
)
LEVEL = {name: level for level, names in enumerate(LEVELS) for name in names}
FILES = sorted(
    path for path in PACKAGE.rglob("*.py") if path.parent != PACKAGE or path.stem in LEVEL
)


def imported(path):
    """Return the parts of the package that a file imports, types included."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("star_watos."):
            yield node.module.split(".")[1]
        elif isinstance(node, ast.ImportFrom) and node.module == "star_watos":
            yield from (alias.name for alias in node.names if alias.name in LEVEL)


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_go_down_the_house(path):
    own = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    for other in imported(path):
        assert other == own or LEVEL[other] < LEVEL[own], f"{own} imports {other}"


def test_every_part_has_a_level():
    parts = {
        p.name.removesuffix(".py") for p in PACKAGE.iterdir() if p.suffix == ".py" or p.is_dir()
    }
    assert parts - {"__init__", "__pycache__", "py.typed", "_shipped"} == set(LEVEL)


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_rooms_are_small(path):
    text = path.read_text(encoding="utf-8")
    assert text.count("\n") <= 300
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            assert node.end_lineno - node.lineno <= 60, f"{node.name} is long"
