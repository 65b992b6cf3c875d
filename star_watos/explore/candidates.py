"""From a sweep and the values of its axes to the specs of one candidate."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from star_watos.explore.problem import Parameters, Scalar
from star_watos.explore.sweep import Exploration
from star_watos.spec import (
    Document,
    InputError,
    Mark,
    Problem,
    Spec,
    amend,
    locate,
    read,
    validate,
)

S = TypeVar("S", bound=Spec)
E = TypeVar("E", bound=Exploration)
PARTS = ("hardware", "workload")
"""What an axis may change: its key path begins with one of these."""


def load_sweep(sweep: type[E], name: str, overrides: Sequence[str] = ()) -> tuple[E, Path]:
    """Return the sweep that `name` means, and the folder in which its relative paths start.

    Every value of its space is tried against its template. Raises `InputError` with the place of
    each axis that names no field, or holds a value that the field refuses.
    """
    path = locate(name, "sweeps")
    document = read(path)
    loaded = validate(sweep, document, overrides)
    problems = [
        Problem(document.mark(("space", key)), f"space.{key}", text)
        for key, axis in loaded.space.items()
        for text in _refused(loaded, key, axis.values())
    ]
    if problems:
        raise InputError(problems)
    return loaded, path.parent


def _refused(sweep: Exploration, key: str, values: Sequence[Scalar]) -> list[str]:
    part, dot, _ = key.partition(".")
    if part not in PARTS or not dot:
        return [f"expected a key path that begins with {' or '.join(f'{p}.' for p in PARTS)}"]
    try:
        for value in values:
            parts(sweep, {key: value})
    except InputError as error:
        return list(dict.fromkeys(problem.text for problem in error.problems))
    return []


def parts(sweep: Exploration, parameters: Parameters) -> dict[str, Any]:
    """Return the candidate's `hardware` and `workload`, validated like the sweep itself."""
    return {part: _changed(getattr(sweep, part), part, parameters) for part in PARTS}


def _changed(spec: S, part: str, parameters: Mapping[str, Scalar]) -> S:
    prefix = f"{part}."
    changes = {k.removeprefix(prefix): v for k, v in parameters.items() if k.startswith(prefix)}
    if not changes:
        return spec
    mark = Mark(part)
    document = Document(spec.model_dump(mode="json"), {(): mark})
    problems = [p for key, value in changes.items() for p in amend(document, key, value, mark)]
    if problems:
        raise InputError(problems)
    return validate(type(spec), document)


def baseline(sweep: Exploration) -> Parameters:
    """Return the template's own values on the axes of the space, where it has them."""
    own: dict[str, Scalar] = {}
    for key, axis in sweep.space.items():
        for value in axis.values():
            if parts(sweep, {key: value}) == parts(sweep, {}):
                own[key] = value
    return own
