"""What a search has done, on disk batch by batch: `journal.jsonl`, from which it can go on.

The first line says what is searched; every other one is a batch, written whole before the next one
begins. It has a checksum: what was changed since is refused. A batch that Ctrl-C or a time limit
cut short is there as far as it got, and again when it is finished. Figures are written so that they
read back the same.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any
from zlib import crc32

import star_watos
from star_watos.cost import Overflow
from star_watos.explore import files
from star_watos.explore.manifest import brief, differences
from star_watos.explore.problem import Row
from star_watos.explore.record import Record, State
from star_watos.explore.space import Point
from star_watos.files import Folder
from star_watos.spec import InputError

SCHEMA = "exploration-journal/1"
_SIGNED = re.compile(rb'\{"crc32":(\d{1,10}),(.*)', re.DOTALL)


@dataclass(frozen=True, slots=True)
class Batch:
    """Points that were asked for together, and what became of them."""

    points: list[Point]
    records: list[Record]
    """Of those points that had not been asked for before, in order: of all, or of the first."""
    rows: list[Row]
    """Designs that were on the front after the batch, and not before it."""
    reference: list[float] | None
    """Worst value of each objective over every design by then."""
    spent_s: dict[str, float]
    """Seconds by then, by part of the work."""


class Journal:
    """The journal of one run."""

    def __init__(self, folder: Folder, config: Mapping[str, Any]) -> None:
        """Be the journal in `folder` of the search that `config` describes."""
        self._folder = folder
        self._path = folder.path / files.JOURNAL
        self._head = {"schema": SCHEMA, "version": star_watos.__version__, "config": dict(config)}
        self.note: str | None = None
        """What was dropped when the journal was read, if anything was."""

    def begin(self) -> None:
        """Write the first line."""
        self._folder.replace(files.JOURNAL, _line(self._head))

    def add(self, batch: Batch) -> None:
        """Write a batch; it is on disk when this returns."""
        self._folder.append(files.JOURNAL, _signed(_line(_plain(batch))), sync=True)

    def batches(self) -> Iterator[Batch]:
        """Yield the batches of an earlier process; none if there was none.

        A line that was not written whole is dropped, and `note` says so. Raises `InputError` if
        the journal is of another search, or damaged elsewhere than at its end.
        """
        lines = self._lines()
        if not lines:
            self.begin()
            return
        self._check(self._read(1, lines[0]))
        for place, line in enumerate(lines[1:], start=2):
            yield _batch(self._read(place, self._checked(place, line)))

    def _lines(self) -> list[bytes]:
        data = self._folder.read(files.JOURNAL)
        *lines, last = data.split(b"\n")
        if last:
            self.note = f"{self._path}: a half-written line at its end is dropped"
            self._folder.cut(files.JOURNAL, len(data) - len(last))
        return lines

    def _checked(self, place: int, line: bytes) -> bytes:
        """Return a line without its checksum, once it is the one that was written."""
        match = _SIGNED.fullmatch(line)
        if match is None or int(match[1]) != crc32(match[2]):
            raise self._damaged(place)
        return b"{" + match[2]

    def _damaged(self, place: int) -> InputError:
        return InputError.of(f"{self._path}:{place}", "damaged; --force begins anew")

    def _read(self, place: int, line: bytes) -> dict[str, Any]:
        try:
            found = json.loads(line)
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):
            raise self._damaged(place)
        return found

    def _check(self, head: dict[str, Any]) -> None:
        """Refuse to go on with another search than the one that was begun."""
        said = f"{self._path}:1"
        if head.get("schema") != SCHEMA or head.get("version") != self._head["version"]:
            other = f"{head.get('schema')} of version {head.get('version')}"
            text = f"expected {SCHEMA} of version {star_watos.__version__}, got {other}"
            raise InputError.of(said, text)
        differing = [
            f"{key}: {brief(then)} then, {brief(now)} now"
            for key, then, now in differences(head.get("config"), self._head["config"])
        ]
        if differing:
            text = f"--resume needs the same search; other than in this run: {'; '.join(differing)}"
            raise InputError.of(said, text)


def _line(content: Mapping[str, Any]) -> str:
    return json.dumps(content, separators=(",", ":"), default=_number) + "\n"


def _signed(line: str) -> str:
    r"""Return a line with the checksum of what follows it, still one of JSON.

    >>> _signed('{"points":[]}\\n')
    '{"crc32":502157892,"points":[]}\\n'
    """
    rest = line[1:]
    return f'{{"crc32":{crc32(rest.rstrip().encode())},{rest}'


def _number(value: Any) -> Any:  # noqa: ANN401 (what JSON does not know)
    """Return Python's own number of NumPy's, of the same kind."""
    return value.item()


def _plain(batch: Batch) -> dict[str, Any]:
    """Return the fields of a batch, as they are: `asdict` would copy every row."""
    content = {field.name: getattr(batch, field.name) for field in fields(batch)}
    return content | {"records": [_sparse(record) for record in batch.records]}


def _sparse(record: Record) -> dict[str, Any]:
    """Return what a record says beyond nothing: most say little."""
    return {name: value for name, value in asdict(record).items() if value}


def _batch(content: dict[str, Any]) -> Batch:
    points = [tuple(point) for point in content.pop("points")]
    records = [_record(record) for record in content.pop("records")]
    return Batch(points=points, records=records, **content)


def _record(content: dict[str, Any]) -> Record:
    content["state"] = State(content["state"])
    content["ideal"] = tuple(content.get("ideal", ()))
    if "nearest" in content:
        content["nearest"] = Overflow(**content["nearest"])
    return Record(**content)
