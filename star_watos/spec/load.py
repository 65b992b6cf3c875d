"""From a file, references and overrides to one validated spec, or to every mistake in it."""

import difflib
import re
import typing
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from star_watos.errors import InputError, Mark, Problem
from star_watos.spec.base import From, Spec
from star_watos.spec.document import (
    MAX_DEPTH,
    MAX_PROBLEMS,
    Document,
    KeyPath,
    dotted,
    parse,
    put,
    read,
)
from star_watos.spec.shipped import locate

S = TypeVar("S", bound=Spec)
MAX_NAMES = 16
"""Names of files in a list that are read; no list of specs may be longer."""


def load(spec: type[S], name: str, folder: str, overrides: Sequence[str] = ()) -> S:
    """Return the spec in the file that `name` means, with `key.path=value` overrides applied.

    Raises `InputError` with file, line, column, key and cure of every mistake.
    """
    return validate(spec, read(locate(name, folder)), overrides)


def validate(spec: type[S], document: Document, overrides: Sequence[str] = ()) -> S:
    """Return `document` as a `spec`, references filled in and overrides applied."""
    failed = _fill(spec, document)
    problems = _override(document, overrides)
    if overrides:  # they may be names of files, or bring such
        failed |= _fill(spec, document)
    problems += [problem for found in failed.values() for problem in found]
    problems += document.repeats
    try:
        result = spec.model_validate(document.data)
    except ValidationError as error:
        # A reference that leads nowhere has been named already; what is missing there is no news.
        details = [d for d in error.errors(include_url=False) if not _within(d["loc"], failed)]
        problems += [_problem(spec, document, detail) for detail in details[:MAX_PROBLEMS]]
        if len(details) > MAX_PROBLEMS:
            rest = f"and {len(details) - MAX_PROBLEMS:,} more mistakes"
            problems.append(Problem(document.mark(()), "", rest))
    if problems:
        raise InputError(problems)
    return result


def _within(path: KeyPath, places: Iterable[KeyPath]) -> bool:
    return any(path[: len(place)] == place for place in places)


def _fields(spec: type[Spec]) -> dict[str, Any]:
    return {info.alias or name: info for name, info in spec.model_fields.items()}


class _Part(NamedTuple):
    """A field that holds specs, or names of files that do."""

    folder: str | None
    """Where shipped files of this kind are."""
    specs: tuple[type[Spec], ...]

    def meant(self, data: Any) -> type[Spec] | None:  # noqa: ANN401 (plain data)
        """Return the spec that has most of the keys of `data`; of equal ones, the first."""
        keys = data.keys() if isinstance(data, dict) and len(self.specs) > 1 else set()
        return max(self.specs, key=lambda spec: len(_fields(spec).keys() & keys), default=None)


@cache
def _parts(spec: type[Spec]) -> dict[str, _Part]:
    """Return the fields of `spec` that hold specs; a candidate of a search asks for them anew."""
    found = {}
    for key, info in _fields(spec).items():
        folder = next((m.folder for m in info.metadata if isinstance(m, From)), None)
        specs = tuple(_specs(info.annotation))
        if folder or specs:
            found[key] = _Part(folder, specs)
    return found


def _specs(annotation: Any) -> list[type[Spec]]:  # noqa: ANN401 (an annotation)
    """Return the spec classes inside `X`, `X | Y`, `list[X]` or `dict[str, X]`."""
    if isinstance(annotation, type) and issubclass(annotation, Spec):
        return [annotation]
    return [spec for inner in typing.get_args(annotation) for spec in _specs(inner)]


def _fill(spec: type[Spec], document: Document, path: KeyPath = ()) -> dict[KeyPath, list[Problem]]:
    """Replace the names of files by what the files hold, at every depth; return what fails."""
    data = _at(document.data, path)
    if not isinstance(data, dict):
        return {}
    failed: dict[KeyPath, list[Problem]] = {}
    for key, part in _parts(spec).items():
        here = (*path, key)
        for place in _references(data.get(key), here):
            problems = _graft(document, place, part.folder) if part.folder else []
            failed |= {place: problems} if problems else {}
        inner = part.meant(data.get(key))
        if inner is not None:
            failed |= _fill(inner, document, here)
    return failed


def _references(value: Any, here: KeyPath) -> list[KeyPath]:  # noqa: ANN401 (plain data)
    """Return the places of names of files: the value itself, or items of a list."""
    if isinstance(value, str):
        return [here]
    items = value[:MAX_NAMES] if isinstance(value, list) else []
    return [(*here, i) for i, item in enumerate(items) if isinstance(item, str)]


def _graft(document: Document, path: KeyPath, folder: str) -> list[Problem]:
    mark = document.mark(path)
    try:
        found = locate(str(_at(document.data, path)), folder, beside=Path(mark.source).parent)
        document.graft(path, read(found))
    except InputError as error:
        return [_said_of(problem, mark, path) for problem in error.problems]
    return []


def _said_of(problem: Problem, mark: Mark, path: KeyPath) -> Problem:
    """Say a problem without a line of its own at the place of the reference."""
    if problem.mark.line:
        return problem
    return Problem(mark, dotted(path), f"{problem.mark.source}: {problem.text}")


def _at(data: Any, path: KeyPath) -> Any:  # noqa: ANN401 (plain data)
    for key in path:
        try:
            data = data[key]
        except (KeyError, IndexError, TypeError):
            return None
    return data


def _override(document: Document, overrides: Sequence[str]) -> list[Problem]:
    problems: list[Problem] = []
    for override in overrides:
        key, equals, text = override.partition("=")
        source = f"--set {key}"
        parts = key.strip().split(".")
        if not equals or not all(parts) or len(parts) > MAX_DEPTH:
            problems.append(Problem(Mark("--set"), override[:80], "expected key.path=value"))
            continue
        try:
            value = parse(text, source)
        except InputError as error:
            problems += [Problem(Mark(source), "", p.text) for p in error.problems]
            continue
        problems += value.repeats
        problems += amend(document, key.strip(), value.data, Mark(source))
    return problems


def amend(document: Document, key: str, value: Any, mark: Mark) -> list[Problem]:  # noqa: ANN401 (plain data)
    """Put `value` at the place that `key` means, as said at `mark`; return what is wrong with it.

    >>> document = parse("sram: {banks: 4}", "core.yaml")
    >>> amend(document, "sram.banks", 8, Mark("--set"))
    []
    >>> document.data, str(document.mark(("sram", "banks")))
    ({'sram': {'banks': 8}}, '--set')
    """
    path = _path(document.data, key)
    made = [path[:n] for n in range(1, len(path)) if _is_leaf(_at(document.data, path[:n]))]
    try:
        put(document.data, path, value)
    except (TypeError, IndexError):
        return [Problem(mark, "", "there is no such place in the file")]
    for old in [p for p in document.marks if p[: len(path)] == path]:
        del document.marks[old]
    document.marks.update(dict.fromkeys([*made, path], mark))
    return []


def _is_leaf(value: Any) -> bool:  # noqa: ANN401 (plain data)
    return not isinstance(value, dict | list)


def _path(data: Any, key: str) -> KeyPath:  # noqa: ANN401 (plain data)
    """Return the path that `key` means; keys with dots of their own are taken whole.

    >>> _path({"space": {"grid.rows": {"choices": [1]}}}, "space.grid.rows.choices.0")
    ('space', 'grid.rows', 'choices', 0)
    """
    path: list[str | int] = []
    parts = key.split(".")
    while parts:
        here = _at(data, tuple(path))
        if isinstance(here, list) and re.fullmatch(r"\d{1,9}", parts[0]):
            path.append(int(parts.pop(0)))
            continue
        known = (n for n in range(len(parts), 0, -1) if ".".join(parts[:n]) in here)
        taken = next(known, 1) if isinstance(here, dict) else 1
        path.append(".".join(parts[:taken]))
        parts = parts[taken:]
    return tuple(path)


def _problem(spec: type[Spec], document: Document, detail: ErrorDetails) -> Problem:
    path: KeyPath = tuple(detail["loc"])
    return Problem(document.mark(path), dotted(path), _text(spec, path, detail, document.data))


def _text(spec: type[Spec], path: KeyPath, detail: ErrorDetails, data: Any) -> str:  # noqa: ANN401 (plain data)
    match detail["type"]:
        case "extra_forbidden":
            return _unknown(spec, path, data)
        case "missing":
            return "required, but missing"
        case "value_error":
            return str(detail["ctx"]["error"])
        case "model_type" | "model_attributes_type" | "dict_type":
            return f"expected a mapping of keys to values, got {_short(detail['input'])}"
        case "enum" | "literal_error":
            return (
                f"expected {detail['ctx']['expected']}, got {_short(detail['input'])}"
                + _nearest(
                    str(detail["input"]), detail["ctx"]["expected"].replace("'", "").split(", ")
                )
            )
        case _:
            return f"expected {_expected(detail)}, got {_short(detail['input'])}"


def _expected(detail: ErrorDetails) -> str:
    words = detail["msg"].removeprefix("Input should be ")
    if detail["type"].startswith(("greater_than", "less_than")):
        (bound,) = detail["ctx"].values()
        # Twelve digits in a row are hard to read.
        text = f"{bound:,}" if isinstance(bound, int) else f"{bound:g}"
        return f"{words.rpartition(' ')[0]} {text}"
    return words


def _unknown(spec: type[Spec], path: KeyPath, data: Any) -> str:  # noqa: ANN401 (plain data)
    allowed = list(_fields(_class_at(spec, path[:-1], data)))
    near = _nearest(str(path[-1]), allowed)
    return f"unknown field{near}" if near else f"unknown field; allowed: {', '.join(allowed)}"


def _nearest(word: str, allowed: Sequence[str]) -> str:
    near = difflib.get_close_matches(word, allowed, n=1)
    return f" (did you mean {near[0]}?)" if near else ""


def _class_at(spec: type[Spec], path: KeyPath, data: Any) -> type[Spec]:  # noqa: ANN401 (plain data)
    for n, key in enumerate(path, start=1):
        part = _parts(spec).get(str(key))
        spec = (part.meant(_at(data, path[:n])) if part else None) or spec
    return spec


def _short(value: object) -> str:
    text = "a mapping" if isinstance(value, dict) else repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
