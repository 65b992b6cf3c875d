"""How much of the attention a predictor keeps, with the evidence for it."""

from typing import Annotated

from pydantic import Field, model_validator

from star_watos.spec import Spec
from star_watos.units import Count, Real, Tokens

Ratio = Annotated[Real, Field(gt=0, le=1)]
Share = Annotated[Real, Field(ge=0, le=1)]
Exponent = Annotated[Real, Field(ge=-1, le=0.5)]
Line = Annotated[str, Field(min_length=1, max_length=400)]
ROUNDING = 1e-3
"""Profiles are written with a few digits; means and sums may be off by this."""


class LayerSparsity(Spec):
    """One layer of the measured model: its ratios, and how well they serve."""

    keep_ratio: Ratio
    """k / S of this layer, as in the profile."""
    kv_ratio: Ratio
    """Share of the tokens whose K, V rows are generated, as in the profile."""
    load_ratio: Ratio
    """Share of the keys passed over whose K, V rows are loaded, as in the profile."""
    group_load_ratio: Ratio | None = None
    """The same for the union over all query heads of a K/V head."""
    recall: Share | None = None
    """Share of the exact k best keys that were found."""
    mass_kept: Share | None = None
    """Share of the softmax's mass on the keys kept."""
    rel_l2: Annotated[Real, Field(ge=0)] | None = None
    """Relative L2 error of the output against dense attention."""
    cosine: Annotated[Real, Field(ge=-1, le=1)] | None = None
    """Cosine between the output and that of dense attention."""
    segments: tuple[Share, ...] = ()
    """Share of the kept keys in each of equal parts of what a query sees, first to last."""

    @model_validator(mode="after")
    def _unions_hold_what_is_kept(self) -> "LayerSparsity":
        _check_unions(self.keep_ratio, self.kv_ratio, self.load_ratio)
        if self.group_load_ratio is not None and self.group_load_ratio < self.load_ratio:
            raise ValueError(
                f"group_load_ratio {self.group_load_ratio} is below load_ratio {self.load_ratio}: "
                "the heads of a group together load at least what one of them does"
            )
        return self

    @model_validator(mode="after")
    def _segments_are_shares(self) -> "LayerSparsity":
        total = sum(self.segments)
        if self.segments and abs(total - 1) > ROUNDING:
            raise ValueError(f"segments sum to {total:.4g}, expected shares that sum to 1")
        return self


class Perplexity(Spec):
    """Of the measured model end to end, on the measured text."""

    dense: Annotated[Real, Field(gt=0)]
    """Every key attended to."""
    exact_topk: Annotated[Real, Field(gt=0)]
    """Only the k best keys, found exactly."""
    star: Annotated[Real, Field(gt=0)]
    """Only the keys that predictor and sorter keep."""


class Measurement(Spec):
    """What was measured, on what, and how."""

    model: Line
    """Model whose queries, keys and values they are."""
    text: Line
    """What it read."""
    predictor: Line
    """How scores are predicted."""
    sorter: Line
    """How keys are chosen by their predicted scores."""
    segments: Count
    """Segments of a row from which keys are chosen separately."""
    query_tile: Count
    """Queries that share their loads."""
    group_heads: Count | None = None
    """Query heads of a K/V head, whose union `group_load_ratio` is."""
    target: Line
    """What the ratios were chosen to reach, such as `softmax mass >= 0.95`."""
    perplexity: Perplexity | None = None
    """End to end, where it was measured."""


class Extrapolation(Spec):
    """How the ratios go on beyond the measured length.

    ratio(S) = ratio * (S / seq_len)**exponent, within one key and all of them, of the profile and
    of each layer. -1 is a constant number of keys a query, 0 a constant share. `kv_ratio` and
    `load_ratio` have exponents of their own where they were measured. Where not, the same factor
    serves them: a union of sets changes by no more than the sets do, so with a negative exponent
    what is generated and loaded is a lower bound, with a positive one an upper bound. The band
    moves all three exponents alike.
    """

    exponent: Exponent
    """Of `keep_ratio`, as taken."""
    kv_exponent: Exponent | None = None
    """Of `kv_ratio`; `exponent` when left out."""
    load_exponent: Exponent | None = None
    """Of `load_ratio`; `exponent` when left out."""
    low: Exponent
    """Least that is plausible."""
    high: Exponent
    """Most that is plausible."""
    source: Annotated[str, Field(min_length=8)]
    """Where the three come from."""

    @model_validator(mode="after")
    def _ordered(self) -> "Extrapolation":
        if not self.low <= self.exponent <= self.high:
            raise ValueError(
                f"expected low <= exponent <= high, got {self.low:g}, {self.exponent:g}, "
                f"{self.high:g}"
            )
        return self

    @model_validator(mode="after")
    def _unions_shrink_no_faster(self) -> "Extrapolation":
        for name in ("kv_exponent", "load_exponent"):
            own = getattr(self, name)
            if own is not None and own < self.exponent:
                raise ValueError(
                    f"{name} {own:g} is below exponent {self.exponent:g}: "
                    "a union of sets shrinks no faster than the sets"
                )
        return self

    def powers(self, exponent: float | None = None) -> tuple[float, float, float]:
        """Return the exponents of keep, kv and load ratio, all moved so that the first is given."""
        moved = 0.0 if exponent is None else exponent - self.exponent
        own = (self.exponent, self.kv_exponent, self.load_exponent)
        keep, kv, load = (moved + (self.exponent if e is None else e) for e in own)
        return keep, kv, load


class Sparsity(Spec):
    """A sparsity profile (`configs/sparsity/*.yaml`)."""

    name: str
    """Shown in reports."""
    keep_ratio: Ratio
    """k / S: a query keeps its k best keys, or all it sees while it sees fewer."""
    kv_ratio: Ratio
    """Share of the tokens whose K, V rows are generated: those kept by any query of the heads that
    share them."""
    load_ratio: Ratio | None = None
    """Mean share of the keys passed over by a query tile of one head whose K, V rows it loads, kept
    by any of its queries; `kv_ratio` when left out."""
    accuracy_loss: Annotated[Real, Field(ge=0, le=1)]
    """Loss of task accuracy at which the ratios were measured; says nothing of other lengths."""
    seq_len: Tokens
    """Longest sequence at which they were measured."""
    source: Annotated[str, Field(min_length=8)]
    """Where they were measured."""
    layers: Annotated[tuple[LayerSparsity, ...], Field(max_length=1024)] = ()
    """Each layer of the measured model, first to last; the profile's ratios are their means."""
    measured: Measurement | None = None
    """How they were measured."""
    extrapolation: Extrapolation | None = None
    """How they go on beyond `seq_len`; held constant, with no known band, when left out."""

    @property
    def loaded(self) -> float:
        """`load_ratio`, or what stands for it."""
        return self.kv_ratio if self.load_ratio is None else self.load_ratio

    @model_validator(mode="after")
    def _unions_hold_what_is_kept(self) -> "Sparsity":
        _check_unions(self.keep_ratio, self.kv_ratio, self.loaded)
        return self

    @model_validator(mode="after")
    def _means_of_its_layers(self) -> "Sparsity":
        own = {"keep_ratio": self.keep_ratio, "kv_ratio": self.kv_ratio, "load_ratio": self.loaded}
        wrong = []
        for name, value in own.items() if self.layers else ():
            mean = sum(getattr(layer, name) for layer in self.layers) / len(self.layers)
            if abs(value - mean) > ROUNDING:
                wrong.append(f"{name} is {value:g}, but its mean over layers is {mean:.4g}")
        if wrong:
            raise ValueError(f"{'; '.join(wrong)}: change layers, or leave them out")
        return self


def _check_unions(keep_ratio: float, kv_ratio: float, load_ratio: float) -> None:
    """Raise `ValueError` where a union is smaller than one of its sets."""
    if kv_ratio < keep_ratio:
        raise ValueError(
            f"kv_ratio {kv_ratio} is below keep_ratio {keep_ratio}: "
            "keys are kept whose K and V would never be generated"
        )
    if load_ratio < keep_ratio:
        raise ValueError(
            f"load_ratio {load_ratio} is below keep_ratio {keep_ratio}: "
            "keys are kept whose K and V would never be loaded"
        )
