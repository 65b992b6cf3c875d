"""Profiles between measured ones: one model, measured at several targets, and lines between."""

from collections.abc import Mapping
from typing import Annotated, Any, TypeAlias

from pydantic import Field, WrapValidator, model_validator

from star_watos.spec import From, Spec
from star_watos.star.sparsity import LayerSparsity, Sparsity
from star_watos.units import Real

_RATIOS = ("keep_ratio", "kv_ratio", "load_ratio", "group_load_ratio")


class Between(Spec):
    """A point of a family of measured profiles; the profiles themselves are at 0, 1, 2, ...

    Between two neighbours the ratios of every layer and the accuracy loss change linearly. Nothing
    is said of what lies beyond the first and the last.
    """

    between: Annotated[
        tuple[Sparsity, ...],
        From("configs/sparsity"),
        Field(min_length=2, max_length=16),
    ]
    """Measured on the same model, at the same length and in the same way, by falling or by rising
    accuracy loss."""
    at: Annotated[Real, Field(ge=0)]
    """0 is the first profile, 1 the second, 0.25 a quarter of the way from the first to it."""

    @model_validator(mode="after")
    def _within(self) -> "Between":
        last = len(self.between) - 1
        if self.at > last:
            raise ValueError(
                f"at {self.at:g} lies beyond {self.between[last].name}, the last measured profile, "
                f"which is at {last}"
            )
        return self

    @model_validator(mode="after")
    def _a_family(self) -> "Between":
        first = self.between[0]
        for other in self.between[1:]:
            differing = [what for what, a, b in _likeness(first, other) if a != b]
            if differing:
                raise ValueError(f"{first.name} and {other.name} differ in {', '.join(differing)}")
        losses = [profile.accuracy_loss for profile in self.between]
        if sorted(set(losses)) not in (losses, losses[::-1]):
            said = ", ".join(f"{p.name} {p.accuracy_loss:g}" for p in self.between)
            raise ValueError(f"expected falling or rising accuracy loss, got {said}")
        return self

    @property
    def measured(self) -> bool:
        """Whether the point is one of the profiles."""
        return self.at == int(self.at)

    def profile(self) -> Sparsity:
        """Return the profile at the point: a measured one as it is, or one interpolated."""
        low = min(int(self.at), len(self.between) - 2)
        share, (first, second) = self.at - low, self.between[low : low + 2]
        if self.measured:
            return second if share else first
        return Sparsity.model_validate(_mixed(first, second, share))


def _likeness(first: Sparsity, other: Sparsity) -> list[tuple[str, object, object]]:
    """Return what has to be the same of neighbours, as each of them says it."""
    one, two = first.measured, other.measured
    fields = ("model", "text", "predictor", "sorter", "query_tile", "group_heads")
    return [
        ("seq_len", first.seq_len, other.seq_len),
        ("number of layers", len(first.layers), len(other.layers)),
        ("whether load_ratio is told", first.load_ratio is None, other.load_ratio is None),
        *((f"measured.{f}", getattr(one, f, None), getattr(two, f, None)) for f in fields),
    ]


def _mixed(first: Sparsity, second: Sparsity, share: float) -> dict[str, Any]:
    """Return the profile `share` of the way from one to the other, as plain data.

    What was measured of the layers' outputs is left out: it holds at the measured points only.
    """
    same = first.extrapolation == second.extrapolation
    mixed = _between(first, second, share) | {
        "name": f"{1 - share:g} {first.name} + {share:g} {second.name}",
        "accuracy_loss": _line(first.accuracy_loss, second.accuracy_loss, share),
        "seq_len": first.seq_len,
        "source": f"interpolated, not measured: a line from {first.name} to {second.name}",
        "layers": [
            _between(*pair, share) for pair in zip(first.layers, second.layers, strict=True)
        ],
        "measured": first.measured and first.measured.model_copy(update={"perplexity": None}),
        "extrapolation": first.extrapolation if same else None,
    }
    return {key: value for key, value in mixed.items() if value is not None}


def _between(
    first: Sparsity | LayerSparsity, second: Sparsity | LayerSparsity, share: float
) -> dict[str, Any]:
    """Return the ratios of a profile or a layer between two of its kind."""
    pairs = {name: (getattr(first, name, None), getattr(second, name, None)) for name in _RATIOS}
    return {name: _line(a, b, share) for name, (a, b) in pairs.items() if None not in (a, b)}


def _line(first: Any, second: Any, share: float) -> float:  # noqa: ANN401 (numbers, checked above)
    return float((1 - share) * first + share * second)


def _either(value: Any, _: object) -> Sparsity | Between:  # noqa: ANN401 (what a file holds)
    """Return the spec of which `value` has the keys, so that its mistakes keep their place."""
    mixed = isinstance(value, Between) or (
        isinstance(value, Mapping) and not value.keys().isdisjoint({"between", "at"})
    )
    return Between.model_validate(value) if mixed else Sparsity.model_validate(value)


AnyProfile: TypeAlias = Annotated[
    Sparsity | Between, WrapValidator(_either), From("configs/sparsity")
]
"""A profile, or a point between profiles: a name, a path, or the thing itself."""
