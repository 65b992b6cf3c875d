"""One call from a sweep and a problem to the files of a run."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from star_watos.cost import Overflow
from star_watos.errors import InputError
from star_watos.explore import files
from star_watos.explore.front import Sense, Values
from star_watos.explore.gate import Gate, gates, stored_front
from star_watos.explore.manifest import Source, origin
from star_watos.explore.problem import Problem, Row
from star_watos.explore.progress import Part, Stopwatch, Tally, live_view
from star_watos.explore.sampler import proposer
from star_watos.explore.search import Session, Stop
from star_watos.explore.space import Space
from star_watos.explore.sweep import Exploration
from star_watos.explore.template import Template, template
from star_watos.explore.workers import Address, evaluator, uninterrupted
from star_watos.files import Folder, Scalar


@dataclass(frozen=True, slots=True)
class Result:
    """What a search found; the same is on disk in `out`."""

    out: Path
    objectives: dict[str, Sense]
    """What was searched for."""
    rows: list[Row]
    """The front, ordered as in `pareto.csv`; empty if nothing fits."""
    manifest: dict[str, Any]
    """The content of `run.json`."""
    tally: Tally
    stop: Stop
    template: Template | None
    """The template's own point; None if it was not told, or does not meet the limits."""
    gates: tuple[Gate, ...]
    """The sweep's expectations, if it has any and something was found."""
    nearest: Overflow | None
    """Where nothing fits, the smallest excess of all."""
    why: str
    """Where nothing fits, what stood in the way of the nearest candidate."""
    notes: list[str] = field(default_factory=list)
    """What was taken from an earlier process, and what of it was not."""

    @property
    def exit_code(self) -> int:
        """130 interrupted, 4 nothing fits, 3 worse than expected, 0 done."""
        if self.stop is Stop.INTERRUPTED:
            return 130
        if not self.rows:
            return 4
        return 0 if all(gate.passed for gate in self.gates) else 3


@dataclass(frozen=True, slots=True)
class How:
    """How a search is run. None of it changes what is found but the time limit."""

    jobs: int = 1
    """Worker processes; 1 is this one alone."""
    force: bool = False
    """Whether the files of an earlier run are overwritten."""
    time_limit_s: float | None = None
    """When to end with what is finished."""
    resume: bool = False
    """Whether to go on from what an earlier process finished in the same folder."""
    scheduler: Address | None = None
    """The Dask cluster whose workers evaluate in place of processes."""


def explore(
    sweep: Exploration,
    problem: Problem,
    out: Path,
    how: How = How(),
    *,
    baseline: Mapping[str, Scalar] | None = None,
    source: Source | None = None,
) -> Result:
    """Search the space of `sweep` for the best designs of `problem`; write the files to `out`.

    `baseline` are the template's values on the axes: it is a candidate to try first, if the space
    holds it, and the front is held against it. Ctrl-C and the time limit end the search early;
    what is finished by then is the result.
    """
    watch = Stopwatch()
    stored = stored_front(sweep)
    space = Space.of(sweep.space)
    with watch.timing(Part.SAMPLER):
        asker = proposer(sweep, space, baseline, (source or Source()).name)
    deadline = None if how.time_limit_s is None else watch.started + how.time_limit_s
    workers = evaluator(problem, how.jobs, how.scheduler)
    with workers as evaluate, live_view() as view:  # what has no workers leaves no files
        session = Session(sweep, space, asker, _folder(out, how), watch, deadline)
        notes = _begin(session, how)
        session.run(evaluate, view)
    with uninterrupted():
        rows = session.write_front()
        with watch.timing(Part.MODEL):
            own = None if baseline is None else template(sweep, problem, dict(baseline), rows)
        said = origin(source or Source(), sweep.search.seed)
        return replace(_finish(session, rows, own, stored, said), notes=notes)


def _folder(out: Path, how: How) -> Folder:
    if how.resume and how.force:
        raise InputError.of("--resume", "goes on from what --force would replace: one of them")
    return Folder(out, files.NAMES, force=how.force, resume=how.resume, journal=files.JOURNAL)


def _begin(session: Session, how: How) -> list[str]:
    """Start the files of a run, or go on from them; return what is worth saying of these."""
    if not how.resume:
        session.begin()
        return []
    with uninterrupted():
        batches = session.resume()
    asked = session.books.asked
    going = f"{batches:,} finished batches, {asked:,} trials, are taken from {session.folder.path}"
    return [note for note in (session.journal.note, going if batches else None) if note]


def _finish(
    session: Session,
    rows: list[Row],
    own: Template | None,
    stored: Values | None,
    said: dict[str, Any],
) -> Result:
    expect, objectives = session.sweep.expect, session.sweep.objectives
    passed = gates(expect, stored, rows, objectives) if expect is not None and rows else ()
    summary = session.summary() | {"expect": [gate.document() for gate in passed]}
    wall_s = session.watch.wall_s
    against = {"template": own.document(objectives) if own else None}
    spent = {"wall_s": wall_s, "time_s": session.watch.split(wall_s)}
    manifest = {**said, **summary, **against, **spent}
    session.folder.replace(files.RUN, files.run_json(manifest))
    nearest = None if rows else session.books.nearest
    miss = nearest.record if nearest else None
    return Result(
        out=session.folder.path,
        objectives=objectives,
        rows=rows,
        manifest=manifest,
        tally=session.tally(),
        stop=session.stop or Stop.DONE,
        template=own,
        gates=passed,
        nearest=miss.nearest if miss else None,
        why=miss.why if miss else "",
    )
