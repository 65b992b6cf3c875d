"""From a sweep and the values of its axes to the specs of one candidate."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from star_watos.explore.problem import Parameters
from star_watos.explore.space import Axis
from star_watos.explore.sweep import Exploration
from star_watos.files import Scalar
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

    Every choice of its space, and both ends of a range, are tried against its template. Raises
    `InputError` with the place of each axis that names no field, or holds a value that it refuses.
    """
    path = locate(name, "sweeps")
    document = read(path)
    loaded = validate(sweep, document, overrides)
    problems = [
        Problem(document.mark(("space", key)), f"space.{key}", text)
        for key, axis in loaded.space.items()
        for text in _refused(loaded, key, _to_try(axis))
    ]
    if problems:
        raise InputError(problems)
    return loaded, path.parent


def _to_try(axis: Axis) -> tuple[Scalar, ...]:
    values = axis.values()
    return values if axis.choices is not None else (values[0], values[-1])


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
    template = parts(sweep, {})
    own: dict[str, Scalar] = {}
    for key, axis in sweep.space.items():
        part, _, path = key.partition(".")
        current = _at(template[part].model_dump(mode="json"), path)
        same = (v for v in axis.values() if v == current or _means(sweep, key, v, template))
        found = next(same, None)
        if found is not None:
            own[key] = found
    return own


def _means(sweep: Exploration, key: str, value: Scalar, template: dict[str, Any]) -> bool:
    """Whether a text such as `4 TB/s`, or the name of a file, is what the template has."""
    return isinstance(value, str) and parts(sweep, {key: value}) == template


def _at(data: Any, path: str) -> Any:  # noqa: ANN401 (plain data)
    """Return what stands at a key path; None where the template has nothing."""
    for key in path.split("."):
        data = data.get(key) if isinstance(data, dict) else None
    return data
