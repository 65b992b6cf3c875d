"""Tables of measured runs: a CSV file, shipped or a user's own, to checked rows."""

from dataclasses import replace
from pathlib import Path

from star_watos.errors import InputError, Mark, Problem, nearest
from star_watos.spec import Document, KeyPath, is_file, read_rows, validate
from star_watos.spec.document import scalar
from star_watos.validate.runs.row import Run

_FOLDER = Path(__file__).with_name("tables")


def shipped_tables() -> list[str]:
    """Return the names of the tables that come with the package.

    >>> "vtrain_single_node" in shipped_tables()
    True
    """
    return sorted(path.stem for path in _FOLDER.glob("*.csv"))


def read_table(name: str) -> list[Run]:
    """Return the runs of a shipped table or of a CSV file.

    Raises `InputError` with the line and column of every mistake.
    """
    own = Path(name)
    path = own if is_file(own) else _FOLDER / f"{name}.csv"
    if not is_file(path):
        known = shipped_tables()
        text = f"no such file, nor a shipped table (shipped: {', '.join(known)}"
        raise InputError.of(name[:200], f"{text}{nearest(name, known)})")
    return _rows(path, name if path == own else path.name)


def _rows(path: Path, shown: str) -> list[Run]:
    (_, names), *lines = read_rows(path) or [(1, [])]
    header = [cell.strip() for cell in names]
    if not lines:
        raise InputError.of(shown, "expected a line of column names and a line a run")
    runs, problems = [], _header_problems(header, shown)
    if problems:
        raise InputError(problems)
    for number, cells in lines:
        if any(cell.strip() for cell in cells):
            try:
                runs.append(_run(header, cells, path.parent, Mark(shown, number, 1)))
            except InputError as error:
                problems += error.problems
    if problems:
        raise InputError(problems)
    return runs


def _header_problems(header: list[str], shown: str) -> list[Problem]:
    known = list(Run.model_fields)
    return [
        Problem(Mark(shown, 1, place), cell, f"unknown column{nearest(cell, known)}")
        for place, cell in enumerate(header, start=1)
        if cell not in known
    ] + [
        Problem(Mark(shown, 1, place), cell, "stands twice")
        for place, cell in enumerate(header, start=1)
        if cell in header[: place - 1]
    ]


def _run(header: list[str], cells: list[str], folder: Path, start: Mark) -> Run:
    """Return the run of a line; columns are counted as a spreadsheet does, not by letters."""
    if len(cells) != len(header):
        text = f"expected {len(header)} values, got {len(cells)}"
        raise InputError([Problem(replace(start, column=len(cells)), "", text)])
    given = {
        name: (cell.strip(), place)
        for place, (name, cell) in enumerate(zip(header, cells, strict=True), start=1)
        if cell.strip()
    }
    texts = {"device", "model", "name", "source"}
    data = {n: cell if n in texts else scalar(cell) for n, (cell, _) in given.items()}
    marks: dict[KeyPath, Mark] = {(): start}
    marks |= {(n,): replace(start, column=place) for n, (_, place) in given.items()}
    run = validate(Run, Document(data, marks)).within(folder)
    wrong = [
        Problem(marks.get((column,), start), column, text)
        for column, text in [*run.problems(), *_unknown(run)]
    ]
    if wrong:
        raise InputError(wrong)
    return run


def _unknown(run: Run) -> list[tuple[str, str]]:
    """Return which files that the row names cannot be read, and why."""
    found = []
    for column, attribute in (("device", "hardware"), ("model", "named_model")):
        try:
            getattr(run, attribute)
        except InputError as error:
            found += [(column, str(problem)) for problem in error.problems]
    return found
