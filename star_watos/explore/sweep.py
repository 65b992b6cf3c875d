"""The sweep file: what is searched, for what, within which limits, and how."""

import difflib
import re
from collections.abc import Mapping
from enum import StrEnum
from importlib.util import find_spec
from typing import Annotated, Any, ClassVar, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic import (
    Field,
    ValidationError,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    field_serializer,
    field_validator,
    model_validator,
)
from pydantic_core import InitErrorDetails

from star_watos.cost import Overflow
from star_watos.explore.front import Sense
from star_watos.explore.metrics import unit_of
from star_watos.explore.space import Axis
from star_watos.spec import Spec
from star_watos.units import Count, Real

Positive: TypeAlias = Annotated[Real, Field(gt=0)]
_MAX_OBJECTIVES = 4
USUAL_TRIALS = 400
LARGEST_GENERATION = 200
SMALL_SPACE = 1_000_000
"""Candidates from which on a space is not enumerated unasked."""
MAX_CHOICES = 2_000
"""Choices of all axes together: each is tried against the template before the search."""


class Sampler(StrEnum):
    """Who proposes the next candidates."""

    NSGA2 = "nsga2"
    TPE = "tpe"
    GP = "gp"
    RANDOM = "random"
    EXHAUSTIVE = "exhaustive"


_NEEDS = {Sampler.GP: ("torch", "scipy")}
"""What Optuna imports for a sampler and does not require itself."""


class Limit(Spec):
    """Bounds of a metric, both allowed values themselves."""

    max: Real | None = None
    """Largest allowed value."""
    min: Real | None = None
    """Smallest allowed value."""

    @model_validator(mode="after")
    def _some_room(self) -> Self:
        if self.max is None and self.min is None:
            raise ValueError("expected max, min or both")
        if self.max is not None and self.min is not None and self.max < self.min:
            raise ValueError(f"max {self.max:g} is below min {self.min:g}")
        return self

    def excess(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return by what share each value breaks the limit, 0 where it keeps it.

        value / max - 1 above the maximum, min / value - 1 below the minimum, as in `Overflow`.

        >>> Limit(max=100, min=10).excess(np.array([150.0, 50.0, 8.0]))
        array([0.5 , 0.  , 0.25])
        """
        result = np.zeros_like(values)
        with np.errstate(divide="ignore", invalid="ignore"):
            if self.max is not None:
                over = values / self.max - 1 if self.max > 0 else np.full_like(values, np.inf)
                result = np.where(values > self.max, over, result)
            if self.min is not None:
                under = np.where(values > 0, self.min / values - 1, np.inf)
                result = np.where(values < self.min, under, result)
        return result

    def overflow(self, name: str, value: float) -> Overflow | None:
        """Return how `value` of the metric `name` breaks the limit, or None if it keeps it.

        >>> print(Limit(max=20_000).overflow("power_w", 25_000.0))
        power_w needs 25 kW, has 20 kW (over by 25 %)
        """
        unit = unit_of(name)
        if self.max is not None and value > self.max:
            return Overflow(name, need=value, have=self.max, unit=unit)
        if self.min is not None and value < self.min:
            return Overflow(name, need=self.min, have=value, unit=unit)
        return None


class Search(Spec):
    """How the space is searched."""

    sampler: Sampler | None = None
    """Who proposes candidates; NSGA-II where left out. A space that has no more candidates than
    `trials` is enumerated whole, whoever samples."""
    trials: Count | None = None
    """Hardware candidates to ask for; repeats count but are not evaluated again. Left out: 400, or
    without a sampler every candidate of a space of fewer than a million."""
    seed: Annotated[int, Field(ge=0, le=2**32 - 1, strict=True)] = 0
    """Same seed, same search."""
    batch: Count | None = None
    """Candidates asked for at a time, before any of them is told; as many as a generation, or 200
    of a space that is enumerated."""
    population: Annotated[Count, Field(ge=2)] | None = None
    """Candidates of a generation of NSGA-II; a twentieth of the trials, within 20 and 200."""
    patience: Count | None = None
    """Trials after which the search ends if they enlarged the hypervolume by less than
    `min_gain`; it goes on to the last trial where left out."""
    min_gain: Positive = 1e-3
    """Share by which the hypervolume has to grow in `patience` trials."""

    @property
    def strategy(self) -> Sampler:
        """Who proposes candidates."""
        return self.sampler or Sampler.NSGA2

    @property
    def budget(self) -> int:
        """Candidates to ask for, where not all are."""
        return self.trials or USUAL_TRIALS

    @property
    def generation(self) -> int:
        """The population, chosen where it is not given.

        >>> Search(trials=300).generation, Search(trials=5000).generation
        (20, 200)
        """
        return self.population or min(max(self.budget // 20, 20), LARGEST_GENERATION)

    def at_once(self, size: int) -> int:
        """Return how many of `size` candidates are asked for at a time.

        >>> Search(trials=400).at_once(8000), Search(trials=400).at_once(64)
        (20, 200)
        """
        whole = LARGEST_GENERATION if self.enumerates(size) else self.generation
        return self.batch or whole

    def enumerates(self, size: int) -> bool:
        """Whether every one of `size` candidates is asked for.

        >>> Search().enumerates(999_999), Search(sampler="tpe").enumerates(999_999)
        (True, False)
        """
        if self.sampler is Sampler.EXHAUSTIVE:
            return True
        unsaid = self.sampler is None and self.trials is None
        return size < SMALL_SPACE if unsaid else size <= self.budget

    @field_validator("sampler")
    @classmethod
    def _importable(cls, value: Sampler | None) -> Sampler | None:
        needs = () if value is None else _NEEDS.get(value, ())
        missing = [name for name in needs if find_spec(name) is None]
        if missing:
            cure = f"pip install 'star-watos[{value}]', or take tpe"
            raise ValueError(f"{value} needs {' and '.join(missing)}, not installed: {cure}")
        return value


class HypervolumeGate(Spec):
    """How good the front has to be, compared with a stored one."""

    min_ratio: Positive
    """Smallest allowed ratio of the hypervolume found to that of the reference."""
    reference: Annotated[str, Field(min_length=1)]
    """A `pareto.csv`: from the working directory, or from the folder of the shipped sweeps."""


class Expect(Spec):
    """What a run must reach; the command line exits with 3 if it does not."""

    hypervolume: HypervolumeGate | None = None
    """What the front covers."""
    best: dict[str, Limit] = Field(default_factory=dict)
    """Metric -> limits of its best value on the front. Of an objective it is clear which is best;
    of another metric the largest is held against `min`, the smallest against `max`."""
    front_size: Limit | None = None
    """Limits of the number of designs that no other one beats."""

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not self.model_dump(exclude_defaults=True):
            raise ValueError("expected one or more of hypervolume, best and front_size")
        return self


class Exploration(Spec):
    """What every sweep has; each kind adds its hardware and workload, and names its metrics."""

    metrics: ClassVar[frozenset[str]] = frozenset()
    """What may be an objective or carry a limit."""

    space: dict[str, Axis]
    """Key path of a hardware parameter -> the values it may take."""
    objectives: dict[str, Sense]
    """Metric -> maximize or minimize, one to four of them."""
    constraints: dict[str, Limit] = Field(default_factory=dict)
    """Metric -> its limits."""
    search: Search = Search()
    """How to search."""
    expect: Expect | None = None
    """What the result must reach."""
    storage: str | None = None
    """URL of a database in which searches of the same sweep share a study; none where left out."""

    @field_serializer("storage")
    def _without_password(self, value: str | None) -> str | None:
        return None if value is None else re.sub(r"(://[^:/]*):.*@", r"\1:***@", value)

    @field_validator("objectives", "constraints", mode="wrap")
    @classmethod
    def _known(cls, value: Any, check: ValidatorFunctionWrapHandler) -> Any:  # noqa: ANN401 (pydantic)
        problems = cls._unknown(value)
        try:
            result = check(value)
        except ValidationError as error:
            problems += [_again(detail) for detail in error.errors(include_url=False)]
        if problems:
            raise ValidationError.from_exception_data(cls.__name__, problems)
        return result

    @classmethod
    def _unknown(cls, value: object, *within: str) -> list[InitErrorDetails]:
        """Return a problem for each key that is no metric; the keys stand in the field `within`."""
        names = value if isinstance(value, Mapping) else {}
        return [
            _problem((*within, name), names[name], _offer(name, cls.metrics))
            for name in names
            if name not in cls.metrics
        ]

    @field_validator("expect")
    @classmethod
    def _best_of_known(cls, value: Expect | None, info: ValidationInfo) -> Expect | None:
        best = value.best if value else {}
        problems = cls._unknown(best, "best")
        problems += [
            _problem(("best", name), limit, "expected max or min: it is no objective")
            for name, limit in best.items()
            if name in cls.metrics - info.data.get("objectives", {}).keys()
            if None not in (limit.max, limit.min)
        ]
        if problems:
            raise ValidationError.from_exception_data(cls.__name__, problems)
        return value

    @field_validator("objectives")
    @classmethod
    def _few(cls, value: dict[str, Sense]) -> dict[str, Sense]:
        if not 1 <= len(value) <= _MAX_OBJECTIVES:
            raise ValueError(f"expected 1 to {_MAX_OBJECTIVES} objectives, got {len(value)}")
        return value

    @field_validator("space")
    @classmethod
    def _some(cls, value: dict[str, Axis]) -> dict[str, Axis]:
        if not value:
            raise ValueError("expected at least one parameter to search")
        choices = sum(len(axis.choices or ()) for axis in value.values())
        if choices > MAX_CHOICES:
            text = f"at most {MAX_CHOICES:,} choices in all; a range may have more values"
            raise ValueError(f"{text}; got {choices:,}")
        return value


def _problem(path: tuple[str, ...], found: object, text: str) -> InitErrorDetails:
    error = {"error": ValueError(text)}
    return InitErrorDetails(type="value_error", loc=path, input=found, ctx=error)


def _again(detail: Any) -> InitErrorDetails:  # noqa: ANN401 (pydantic's error as it reports it)
    kind, context = detail["type"], detail.get("ctx", {})
    return InitErrorDetails(type=kind, loc=detail["loc"], input=detail["input"], ctx=context)


def _offer(name: str, allowed: frozenset[str]) -> str:
    near = difflib.get_close_matches(name, sorted(allowed), n=1)
    return "unknown metric " + (
        f"(did you mean {near[0]}?)" if near else f"(known: {', '.join(sorted(allowed))})"
    )
