"""The options of both `explore` commands, and what they do."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from star_watos.cli import common
from star_watos.cli.reporting import write_page
from star_watos.errors import InputError

if TYPE_CHECKING:
    from star_watos.explore import How, Result
    from star_watos.explore.problem import Row

Out = Annotated[
    Path | None, typer.Option("--out", help="Folder for the files; out/SWEEP when left out.")
]
Force = Annotated[bool, typer.Option("--force", help="Overwrite the files of an earlier run.")]
Resume = Annotated[
    bool, typer.Option("--resume", help="Go on from what an earlier process finished in OUT.")
]
Trials = Annotated[
    int | None,
    typer.Option(min=1, help="Hardware candidates to ask for; exhaustive search takes all."),
]
Seed = Annotated[int | None, typer.Option(min=0, max=2**32 - 1, help="Seed of the search.")]
TimeLimit = Annotated[str | None, typer.Option(metavar="5m", help="Stop after 90s, 5m or 2h.")]
Jobs = Annotated[
    int | None,
    typer.Option(min=0, max=1024, help="Worker processes; 0 is one a core.", show_default="all"),
]
Junit = Annotated[
    Path | None,
    typer.Option(metavar="FILE.xml", help="The run and what it expects as JUnit test cases."),
]
Scheduler = Annotated[
    str | None,
    typer.Option(
        metavar="ADDRESS",
        help="Dask workers instead: local:4, tcp://HOST:PORT or a scheduler file.",
    ),
]
Storage = Annotated[
    str | None,
    typer.Option(metavar="URL", help="Database in which several searches share one study."),
]
Plot = Annotated[Path | None, typer.Option(help="Picture of the front (needs the extra `plot`).")]


MAX_SECONDS = 3.6e7
"""Longest `--time-limit`."""


@dataclass(frozen=True, slots=True)
class Options:
    """The options of an `explore` command."""

    sweep: str
    out: Path | None
    trials: int | None
    seed: int | None
    jobs: int | None
    scheduler: str | None
    storage: str | None
    time_limit: str | None
    force: bool
    resume: bool
    plot: Path | None
    junit: Path | None
    overrides: list[str] | None
    as_json: bool


def add_explore(app: typer.Typer, tool: str) -> None:
    """Give `app`, which is the command `tool`, its subcommand."""

    @app.command()
    def explore(
        sweep: Annotated[str, typer.Argument(help="Shipped name or path of a sweep.")],
        out: Out = None,
        trials: Trials = None,
        seed: Seed = None,
        jobs: Jobs = None,
        scheduler: Scheduler = None,
        storage: Storage = None,
        time_limit: TimeLimit = None,
        force: Force = False,
        resume: Resume = False,
        plot: Plot = None,
        junit: Junit = None,
        overrides: common.Overrides = None,
        as_json: common.Json = False,
    ) -> None:
        """Search hardware and how to use it together; the Pareto front goes to OUT/pareto.csv."""
        options = Options(
            sweep,
            out,
            trials,
            seed,
            jobs,
            scheduler,
            storage,
            time_limit,
            force,
            resume,
            plot,
            junit,
            overrides,
            as_json,
        )
        _check_junit(junit)
        try:
            result, problem = _explore(tool, options)
        except InputError as error:
            _write_junit(options, error)
            raise
        _write_junit(options, result)
        refined = _refined(problem, result)
        if result.rows and result.exit_code != common.INTERRUPTED:
            write_page(tool, result.out)
        _report(result, refined, options)


def _check_junit(path: Path | None) -> None:
    """Say before the work, not after it, that `--junit` cannot be written."""
    if path is not None and path.is_dir():
        raise InputError.of(f"--junit {path}", "is a folder, not a file")


def _write_junit(options: Options, ended: "Result | InputError") -> None:
    """Write how a run ended, where that is asked for."""
    from star_watos.files import write_whole
    from star_watos.report.junit import case_of, cases_of, junit_xml

    if options.junit is None:
        return
    cases = [case_of(ended)] if isinstance(ended, InputError) else cases_of(ended)
    options.junit.parent.mkdir(parents=True, exist_ok=True)
    write_whole(options.junit, junit_xml(Path(options.sweep).stem, cases))


def _explore(tool: str, options: Options) -> "tuple[Result, Any]":
    """Load the sweep and search; return what was found, and what was searched."""
    from star_watos.explore import Source
    from star_watos.explore import explore as run
    from star_watos.explore.candidates import baseline, load_sweep
    from star_watos.explore.kinds import kind_of, types_of

    how = _how(options)
    common.check_picture(options.plot)
    sweep_type, problem_type = types_of(kind_of(options.sweep, tool))
    sweep, folder = load_sweep(sweep_type, options.sweep, _overrides(options))
    if options.storage is not None:
        sweep = sweep.model_copy(update={"storage": options.storage})
    problem = problem_type(sweep, folder)
    result = run(
        sweep,
        problem,
        options.out or Path("out") / Path(options.sweep).stem,
        how,
        baseline=baseline(sweep),
        source=Source(sweep.model_dump(mode="json"), folder, Path(options.sweep).stem),
    )
    for text in result.notes:
        common.note(text)
    return result, problem


def _how(options: Options) -> "How":
    from star_watos.explore import How
    from star_watos.explore.workers.address import OPTION, Address

    limit_s, address = seconds(options.time_limit), options.scheduler
    if address is None:
        return How(n_jobs(options.jobs), options.force, limit_s, options.resume)
    if options.jobs is not None:
        raise InputError.of("--jobs", f"is of this machine; {OPTION} has workers of its own")
    return How(1, options.force, limit_s, options.resume, Address.of(address))


def _refined(problem: Any, result: "Result") -> "list[Row]":  # noqa: ANN401 (any problem)
    """Return the best of the front refined, where the sweep asks for it and none is missing."""
    from star_watos.explore.refine import refine

    most = getattr(problem.sweep, "refine", 0)
    if not most or result.exit_code not in {common.DONE, common.NOT_MET}:
        return []
    with common.interruptible("the front is on disk"):
        return refine(problem, result, most)


def _report(result: "Result", refined: "list[Row]", options: Options) -> None:
    """Print what was found, and stop with the exit code of the result."""
    from star_watos.report.exploration import (
        exploration_document,
        print_exploration,
        print_shortfall,
    )

    if options.plot is not None and result.rows:
        from star_watos.report.plot import plot_front

        plot_front(result.out / "pareto.csv", list(result.objectives), options.plot)
    if options.as_json:
        common.print_json(exploration_document(result) | {"refined": refined})
    else:
        print_exploration(result, refined)
    print_shortfall(result)
    if result.exit_code:
        raise typer.Exit(result.exit_code)


def _overrides(options: Options) -> list[str]:
    """Return `--set` options with `--trials` and `--seed` as what they override."""
    extra = {"search.trials": options.trials, "search.seed": options.seed}
    return (options.overrides or []) + [f"{k}={v}" for k, v in extra.items() if v is not None]


def seconds(text: str | None) -> float | None:
    """Return the seconds that `90s`, `5m` or `2h` means.

    >>> seconds("5m"), seconds("90"), seconds(None)
    (300.0, 90.0, None)
    """
    if text is None:
        return None
    from star_watos.units import quantity

    try:
        value = quantity(text, {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0})
    except ValueError as error:
        raise InputError.of("--time-limit", str(error)) from None
    if not 0 < value <= MAX_SECONDS:
        text = f"expected more than 0 s and at most {MAX_SECONDS / 3600:,.0f} h, got {text!r}"
        raise InputError.of("--time-limit", text)
    return value


def n_jobs(jobs: int | None) -> int:
    """Return the number of worker processes; one a core of this machine if 0 or not told."""
    if jobs:
        return jobs
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
