"""What a Hugging Face `model_type` is: where its numbers are, and what all its models share."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from star_watos.workload.keys import Key

Values: TypeAlias = Mapping[str, Any]
"""What a file says, by our names."""
Contradiction: TypeAlias = tuple[str, str]
"""Our name of the key that does not go with the others, and what it should be."""


def _nothing(values: Values) -> Values:  # noqa: ARG001 (the signature of all families)
    return {}


def _no_contradiction(values: Values) -> Iterable[Contradiction]:  # noqa: ARG001 (same)
    return ()


@dataclass(frozen=True, slots=True)
class Family:
    """Where one `model_type` keeps its numbers, and what all its models have in common."""

    keys: Mapping[str, Key]
    constant: Values
    derive: Callable[[Values], Values] = _nothing
    """What follows from several numbers together."""
    contradictions: Callable[[Values], Iterable[Contradiction]] = _no_contradiction
    """Which numbers, each right on its own, the family does not have together."""
