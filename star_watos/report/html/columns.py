"""The front as columns with their meaning and unit."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from star_watos.explore import Sense
from star_watos.explore.metrics import UNIT_BY_END, unit_of
from star_watos.explore.problem import Row
from star_watos.explore.stored import Stored
from star_watos.files import Scalar, cell


class Role(StrEnum):
    """What a column of a front says of a design."""

    PARAMETER = "parameter"
    MAPPING = "mapping"
    OBJECTIVE = "objective"
    METRIC = "metric"


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a front."""

    name: str
    label: str
    unit: str
    role: Role
    sense: Sense | None
    """Which way it is better, of an objective."""
    numeric: bool
    order: list[str]
    """The values that are no numbers, as texts, as the sweep lists them or by the alphabet."""
    values: list[Scalar | None]


def label_of(name: str, unit: str) -> str:
    """Return a name in words, without the unit that stands beside it.

    >>> label_of("energy_per_token_j", "J"), label_of("hardware.grid.rows", "")
    ('energy per token', 'grid rows')
    >>> label_of("tokens_per_s", "token/s")
    'tokens per s'
    """
    end = next((end for end, known in UNIT_BY_END.items() if known == unit and end[0] == "_"), "")
    words = name.removeprefix("hardware.").removeprefix("workload.").removesuffix(end)
    return words.replace("_", " ").replace(".", " ")


def columns_of(stored: Stored) -> list[Column]:
    """Return the columns of a front, in the order of its file."""
    return [_column(stored, name) for name in stored.rows[0]]


def _column(stored: Stored, name: str) -> Column:
    values = [row[name] if row[name] != "" else None for row in stored.rows]
    numbers = (v for v in values if v is not None)
    numeric = all(isinstance(v, int | float) and not isinstance(v, bool) for v in numbers)
    role = _role(stored, name)
    unit = "" if role in {Role.PARAMETER, Role.MAPPING} else unit_of(name)
    return Column(
        name=name,
        label=label_of(name, unit),
        unit=unit.replace("mm2", "mm²"),
        role=role,
        sense=stored.objectives.get(name),
        numeric=numeric,
        order=[] if numeric else _order(stored, name, values),
        values=values,
    )


def _order(stored: Stored, name: str, values: list[Scalar | None]) -> list[str]:
    axis = stored.asked.sweep.space.get(name)
    there = {cell(value) for value in values}
    listed = [cell(value) for value in axis.values()] if axis is not None else []
    return [text for text in dict.fromkeys([*listed, *sorted(there)]) if text in there]


def _role(stored: Stored, name: str) -> Role:
    sweep = stored.asked.sweep
    if name in sweep.space:
        return Role.PARAMETER
    if name in sweep.objectives:
        return Role.OBJECTIVE
    return Role.METRIC if name in sweep.metrics else Role.MAPPING


def best_of(rows: Sequence[Row], objective: str, sense: Sense) -> int:
    """Return the place of the best design by an objective, of equal ones the first."""
    place: int = sense.best(range(len(rows)), key=lambda place: float(rows[place][objective]))
    return place


def spread(count: int, most: int) -> list[int]:
    """Return at most so many places, evenly spread from the first to the last.

    >>> spread(9, 3), spread(2, 3)
    ([0, 4, 8], [0, 1])
    """
    if count <= most:
        return list(range(count))
    return [round(i * (count - 1) / (most - 1)) for i in range(most)]
