"""Keys of a `config.json`: how a number is spelled, and what it may be."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

REQUIRED = object()
"""The default of a key that has none."""
_LARGEST = 10**9
_MOST_LAYERS = 4096
"""Layers are counted one by one."""


@dataclass(frozen=True, slots=True)
class Key:
    """How one number is spelled in the file, what it may be, and what its absence means."""

    name: str
    """A dot leads into a mapping: `attn_config.alibi`."""
    parse: Callable[[object], Any]
    default: Any = REQUIRED
    """What null means, and absence unless the key is `named`."""
    named: bool = False
    """Whether the key must be there even if null: a missing one would mean another model's number.
    """
    also: str = ""
    """Another name that the family's files have for it."""

    def given(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """Return what the file has under each of the names.

        >>> key = Key("a.b", count, also="c")
        >>> key.given({"a": {"b": 1}, "c": 2}), key.given({"a": None})
        ({'a.b': 1, 'c': 2}, {})
        """
        found = {name: _at(data, name) for name in (self.name, self.also) if name}
        return {name: values[0] for name, values in found.items() if values}

    def spelled(self, data: Mapping[str, Any]) -> str:
        """Return the name that the file has for it."""
        return self.also if self.also in data and self.name not in data else self.name


def _at(data: Mapping[str, Any], name: str) -> list[Any]:
    """Return the value at `name` as the only item, or nothing."""
    outer, _, inner = name.partition(".")
    if not inner:
        return [data[name]] if name in data else []
    within = data.get(outer)
    return _at(within, inner) if isinstance(within, Mapping) else []


def count(value: object, least: int = 1, most: int = _LARGEST) -> int:
    """Return a whole number from `least` to `most`."""
    number = value if isinstance(value, int | float) and not isinstance(value, bool) else -1
    if number % 1 or not least <= number <= most:
        raise ValueError(f"expected a whole number from {least} to {most}")
    return int(number)


def layers(value: object) -> int:
    """Return a number of layers."""
    return count(value, most=_MOST_LAYERS)


def count_or_zero(value: object) -> int:
    """Return a whole number from 0 up."""
    return count(value, least=0)


def flag(value: object) -> bool:
    """Return a truth value."""
    if not isinstance(value, bool):
        raise ValueError("expected true or false")  # noqa: TRY004 (collected with the others)
    return value


def probability(value: object) -> float:
    """Return a number from 0 to less than 1."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1:
        raise ValueError("expected a number from 0 to less than 1")
    return float(value)


def mapping(value: object) -> Mapping[str, Any]:
    """Return keys and values."""
    if not isinstance(value, Mapping):
        raise ValueError("expected a mapping of keys to values")  # noqa: TRY004 (same)
    return value


def only(name: str, allowed: object, why: str) -> Key:
    """Return a key that may have one value: with any other, says `why`, the model is none of ours.

    >>> only("freq", 1, "no others").parse(2)
    Traceback (most recent call last):
    ValueError: expected 1 (no others)
    """
    words = {True: "true", False: "false"}
    word = words[allowed] if isinstance(allowed, bool) else allowed

    def parse(value: object) -> object:
        if value != allowed or isinstance(value, bool) != isinstance(allowed, bool):
            raise ValueError(f"expected {word} ({why})")
        return allowed

    return Key(name, parse, allowed)


def layer_types(value: object) -> tuple[str, ...]:
    """Return the kind of attention of each layer."""
    known = ("sliding_attention", "full_attention")
    if not isinstance(value, list) or any(kind not in known for kind in value):
        raise ValueError(f"expected a list of {' and '.join(known)}")
    return tuple(value)
