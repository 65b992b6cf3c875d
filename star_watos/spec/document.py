"""YAML text to plain data that remembers where each value stood.

Built from the parser's events with an explicit stack, so that no depth of nesting overflows, and
with scalars read here: `1e9` is a number, `1:30` is text, dates stay text. Tags, anchors and
aliases are refused; equal keys are noted, to be refused with all other mistakes.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from star_watos.errors import InputError, Mark, Problem
from star_watos.spec.text import read_text

MAX_BYTES = 2_000_000
MAX_DEPTH = 40
TOO_DEEP = f"nested more than {MAX_DEPTH} levels deep"
MAX_PROBLEMS = 100
"""Mistakes that are worth listing."""
_INT = re.compile(r"[-+]?\d{1,300}", re.ASCII)
# A digit has one place in the pattern, so that no text takes longer than it is.
_FLOAT = re.compile(r"[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?", re.ASCII)
_PAIR = re.compile(r"(?i)\\u(d[89ab][\da-f]{2})\\u(d[c-f][\da-f]{2})|\\.", re.ASCII)
"""In JSON, a character written as two surrogates; or any other escape, to step over it."""
_WORDS = {"null": None, "~": None, "": None, "true": True, "false": False}

KeyPath = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Document:
    """Plain data, and for each path into it the place where its key (or item) stands."""

    data: Any
    marks: dict[KeyPath, Mark] = field(default_factory=dict)
    repeats: list[Problem] = field(default_factory=list)
    """Keys given twice; the last one's value is in `data`, so that the rest can be checked too."""

    def mark(self, path: KeyPath) -> Mark:
        """Return the place of `path`, or of the nearest thing around it."""
        return next(
            self.marks[path[:n]] for n in range(len(path), -1, -1) if path[:n] in self.marks
        )

    def graft(self, path: KeyPath, other: "Document") -> None:
        """Put `other` at `path`, with its own places."""
        put(self.data, path, other.data)
        self.marks.update({path + inner: mark for inner, mark in other.marks.items()})
        self.repeats.extend(other.repeats)


def read(path: Path) -> Document:
    """Return the document in the file `path`; every way it can be unreadable is an `InputError`."""
    text = read_text(path, MAX_BYTES)
    return parse(_PAIR.sub(_joined, text) if path.suffix == ".json" else text, str(path))


def _joined(match: re.Match[str]) -> str:
    r"""Return a pair of surrogates as the one escape that YAML has for the character.

    >>> _PAIR.sub(_joined, r'"\ud83d\ude00 \\ud83d"')
    '"\\U0001f600 \\\\ud83d"'
    """
    high, low = match.groups()
    if high is None:
        return match.group()
    return f"\\U{0x10000 + (int(high, 16) - 0xD800) * 0x400 + int(low, 16) - 0xDC00:08x}"


def parse(text: str, source: str) -> Document:
    r"""Return the document in `text`; `source` names it in errors.

    >>> parse("a: 1e9\nb: [x, 1:30]", "file.yaml").data
    {'a': 1000000000.0, 'b': ['x', '1:30']}
    """
    builder = _Builder(source)
    try:
        for event in yaml.parse(text, Loader=yaml.CSafeLoader):
            builder.feed(event)
    except yaml.MarkedYAMLError as error:
        raise InputError([_syntax(error, source)]) from None
    except yaml.reader.ReaderError as error:
        raise InputError([_unreadable(error, text, source)]) from None
    except UnicodeEncodeError as error:
        raise InputError.of(source, f"not UTF-8 text (character {error.start + 1})") from None
    if builder.problems:
        raise InputError(builder.problems + builder.repeats)
    return Document(builder.root, builder.marks, builder.repeats)


def _syntax(error: yaml.MarkedYAMLError, source: str) -> Problem:
    place = error.problem_mark or error.context_mark
    mark = Mark(source, place.line + 1, place.column + 1) if place else Mark(source)
    text = error.problem or error.context
    if text == "exceeded maximum nesting depth":  # the parser's own limit, before a first event
        return Problem(mark, "", TOO_DEEP)
    return Problem(mark, "", f"not YAML: {text}")


def _unreadable(error: yaml.reader.ReaderError, text: str, source: str) -> Problem:
    # The parser counts bytes.
    before = text.encode()[: error.position].decode(errors="replace")
    mark = Mark(source, before.count("\n") + 1, len(before) - before.rfind("\n"))
    return Problem(mark, "", f"not YAML: character U+{error.character:04X} is not allowed")


def scalar(text: str) -> str | int | float | bool | None:
    """Return the value of a plain YAML scalar.

    >>> [scalar(t) for t in ("12", "-1.5e3", "true", "~", "2 TB/s", "0x10")]
    [12, -1500.0, True, None, '2 TB/s', '0x10']
    """
    if text.lower() in _WORDS:
        return _WORDS[text.lower()]
    if _INT.fullmatch(text):
        return int(text)
    return float(text) if _FLOAT.fullmatch(text) else text


def put(data: Any, path: KeyPath, value: Any) -> None:  # noqa: ANN401 (plain data)
    """Set the item of `data` at `path`, making mappings on the way where there are none.

    >>> tree = {"a": {"b": 1}}
    >>> put(tree, ("a", "c", "d"), 2)
    >>> tree
    {'a': {'b': 1, 'c': {'d': 2}}}
    """
    for key in path[:-1]:
        if isinstance(data, dict) and not isinstance(data.get(key), dict | list):
            data[key] = {}
        data = data[key]
    data[path[-1]] = value


@dataclass(slots=True)
class _Open:
    """A mapping or sequence whose end has not been read yet."""

    value: Any
    path: KeyPath
    key: str | None = None


class _Builder:
    """Makes data of events, one at a time."""

    def __init__(self, source: str) -> None:
        self.root: Any = None
        self.marks: dict[KeyPath, Mark] = {(): Mark(source, 1, 1)}
        self.problems: list[Problem] = []
        self.repeats: list[Problem] = []
        self._source = source
        self._stack: list[_Open] = []
        self._documents = 0

    def feed(self, event: Any) -> None:  # noqa: ANN401 (PyYAML's events are untyped)
        """Take the next event."""
        mark = Mark(self._source, event.start_mark.line + 1, event.start_mark.column + 1)
        for text in self._refusals(event):
            self.problems.append(Problem(mark, "", text))
        if len(self.problems) + len(self.repeats) >= MAX_PROBLEMS:
            raise InputError(self.problems + self.repeats)
        match event:
            case yaml.MappingStartEvent():
                self._open({}, mark)
            case yaml.SequenceStartEvent():
                self._open([], mark)
            case yaml.ScalarEvent():
                self._scalar(event, mark)
            case yaml.AliasEvent():
                self._alias(mark)
            case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                self._stack.pop()
            case yaml.DocumentStartEvent():
                self._documents += 1
            case _:
                pass

    def _refusals(self, event: Any) -> Iterator[str]:  # noqa: ANN401
        if isinstance(event, yaml.DocumentStartEvent) and self._documents:
            yield "a second document in the file; only one is allowed"
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            yield "anchors and aliases are not allowed; write the value out"
        if getattr(event, "tag", None):
            yield f"tags are not allowed: {event.tag[:60]}"

    def _open(self, value: Any, mark: Mark) -> None:  # noqa: ANN401
        if len(self._stack) >= MAX_DEPTH:
            raise InputError([Problem(mark, "", TOO_DEEP)])
        if self._stack and self._expects_key():
            raise InputError([Problem(mark, "", "a key must be plain text")])
        self._stack.append(_Open(value, self._add(value, mark)))

    def _alias(self, mark: Mark) -> None:
        if self._stack and self._expects_key():
            raise InputError(self.problems + self.repeats)
        self._add(None, mark)

    def _expects_key(self) -> bool:
        top = self._stack[-1]
        return isinstance(top.value, dict) and top.key is None

    def _scalar(self, event: Any, mark: Mark) -> None:  # noqa: ANN401
        if self._stack and self._expects_key():
            self._key(event.value, mark)
        else:
            self._add(scalar(event.value) if event.implicit[0] else event.value, mark)

    def _key(self, key: str, mark: Mark) -> None:
        top = self._stack[-1]
        path = (*top.path, key)
        if key in top.value:
            first = self.marks[path]
            text = f"key given twice (first on line {first.line}); only one is allowed"
            self.repeats.append(Problem(mark, dotted(path), text))
        top.key = key
        self.marks.setdefault(path, mark)

    def _add(self, value: Any, mark: Mark) -> KeyPath:  # noqa: ANN401
        if not self._stack:
            self.root = value
            return ()
        top = self._stack[-1]
        if isinstance(top.value, list):
            path: KeyPath = (*top.path, len(top.value))
            self.marks[path] = mark
            top.value.append(value)
            return path
        assert top.key is not None  # noqa: S101 (our own invariant)
        path, top.key = (*top.path, top.key), None
        top.value[path[-1]] = value
        return path


def dotted(path: KeyPath) -> str:
    """Return the path as users write it.

    >>> dotted(("space", "die.rows", "choices", 2))
    'space.die.rows.choices[2]'
    """
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}"
    return text.lstrip(".")
