"""Ends before the end: Ctrl-C, time limits, dying workers, folders that cannot be written."""

import contextlib
import io
import json
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
from test_explore_run import Toy, found, nsga2, read, sweep

from star_watos import explore as ex
from star_watos.explore import search
from star_watos.explore.progress import Tally, live_view
from star_watos.explore.workers import uninterrupted
from star_watos.spec import InputError

MAIN = """
import sys
from pathlib import Path

sys.path.insert(0, sys.argv[1])
from test_explore_run import sweep
from test_explore_stop import Stuck

from star_watos.explore import How, explore

if __name__ == "__main__":
    a_sweep = sweep(search={"sampler": "exhaustive", "batch": 4})
    try:
        sys.exit(explore(a_sweep, Stuck(), Path("run"), How(2)).exit_code)
    except KeyboardInterrupt:
        sys.exit(130)
"""


@dataclass(frozen=True)
class Pressed(Toy):
    """The user presses Ctrl-C when candidate 6 x 1 is evaluated."""

    def evaluate(self, parameters):
        if (parameters["rows"], parameters["cols"]) == (6, 1):
            os.kill(os.getpid(), signal.SIGINT)
        return super().evaluate(parameters)


@dataclass(frozen=True)
class Slow(Toy):
    seconds: float = 0.05

    def evaluate(self, parameters):
        time.sleep(self.seconds)
        return super().evaluate(parameters)


@dataclass(frozen=True)
class Stuck(Toy):
    """The first 32 candidates are quick, the others take minutes."""

    def evaluate(self, parameters):
        if parameters["rows"] > 1:
            time.sleep(120)
        return super().evaluate(parameters)


@dataclass(frozen=True)
class Fatal(Toy):
    """The worker process is killed, as for want of memory."""

    def evaluate(self, parameters):  # noqa: ARG002 (the problem's interface)
        os._exit(1)


@dataclass(frozen=True)
class Wrong(Toy):
    """The model has a bug."""

    def evaluate(self, parameters):
        raise ZeroDivisionError(parameters["rows"])


def is_gone(group: int) -> bool:
    """Whether every process of the group ends within a few seconds."""
    until = time.perf_counter() + 10
    while time.perf_counter() < until:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.05)
    return False


def test_what_is_finished_before_ctrl_c_is_on_disk(tmp_path):
    result = ex.explore(sweep(), Pressed(), tmp_path / "run")
    # Rows 1 to 5 of 8 x 4 candidates each are finished, the first of row 6 is not.
    assert (result.exit_code, result.stop) == (130, ex.Stop.INTERRUPTED)
    assert len(read(result.out / "trials.csv")) == result.tally.asked == 160
    run = json.loads((result.out / "run.json").read_text())
    assert run["interrupted"] is True
    first_five = sweep(space={**sweep().model_dump()["space"], "rows": {"range": [1, 5]}})
    whole = ex.explore(first_five, Toy(), tmp_path / "whole")
    for name in ("pareto.csv", "trials.csv"):
        assert (result.out / name).read_bytes() == (whole.out / name).read_bytes()


@pytest.fixture
def started(tmp_path):
    """A search with two workers, in a process group of its own."""
    (tmp_path / "main.py").write_text(MAIN)
    command = [sys.executable, "main.py", str(Path(__file__).parent)]
    with (tmp_path / "noise").open("wb") as noise:
        process = subprocess.Popen(command, cwd=tmp_path, stderr=noise, start_new_session=True)
    yield process
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def wait_for_trials(process: subprocess.Popen, folder: Path, count: int) -> None:
    trials = folder / "run" / "trials.csv"
    while not trials.exists() or len(trials.read_text().splitlines()) <= count:
        assert process.poll() is None
        time.sleep(0.02)


@pytest.mark.parametrize("count", [0, 32])
def test_ctrl_c_with_workers_ends_at_once_and_quietly(tmp_path, started, count):
    """The whole group gets the signal, as from a terminal: as workers start, and when stuck."""
    wait_for_trials(started, tmp_path, count)
    time.sleep(0.1)
    os.killpg(started.pid, signal.SIGINT)
    assert started.wait(5) == 130
    assert is_gone(started.pid)
    assert (tmp_path / "noise").read_text() == ""
    assert len(read(tmp_path / "run" / "trials.csv")) == count
    assert (count == 0) or read(tmp_path / "run" / "pareto.csv")


def test_workers_end_with_a_parent_that_is_killed(tmp_path, started):
    wait_for_trials(started, tmp_path, 32)
    started.kill()
    started.wait()
    assert is_gone(started.pid)
    text = (tmp_path / "run" / "trials.csv").read_text()
    assert text.endswith("\n")
    assert len(text.splitlines()) == 33


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_time_limit_ends_the_search_within_a_batch(tmp_path, jobs):
    started = time.perf_counter()
    # With workers, their start (half a second and more) counts too.
    limit_s = 0.3 if jobs == 1 else 4.0
    a_sweep = sweep(search={"sampler": "exhaustive", "batch": 256})
    result = ex.explore(a_sweep, Slow(), tmp_path / "run", ex.How(jobs, time_limit_s=limit_s))
    assert time.perf_counter() - started < limit_s + 2
    assert result.stop is ex.Stop.TIME_LIMIT
    assert result.exit_code == 0
    assert jobs > 1 or result.tally.asked > 0
    assert result.tally.asked < 256
    assert result.manifest["interrupted"] is False
    assert len(read(result.out / "trials.csv")) == result.tally.asked


def test_a_worker_that_dies_is_an_error_with_a_cure(tmp_path):
    with pytest.raises(InputError, match="a worker process died"):
        ex.explore(sweep(), Fatal(), tmp_path / "run", ex.How(2))


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_bug_of_the_model_is_shown_as_it_is(tmp_path, jobs):
    with pytest.raises(ZeroDivisionError):
        ex.explore(sweep(), Wrong(), tmp_path / "run", ex.How(jobs))


def test_the_front_so_far_is_written_now_and_then(tmp_path, monkeypatch):
    monkeypatch.setattr(search, "FRONT_EVERY_S", 0.0)
    a_sweep = sweep(search={"sampler": "exhaustive", "batch": 32})
    with pytest.raises(ZeroDivisionError):
        ex.explore(a_sweep, HalfWay(), tmp_path / "run")
    assert len(read(tmp_path / "run" / "trials.csv")) == 128
    assert read(tmp_path / "run" / "pareto.csv")
    assert sorted(p.name for p in (tmp_path / "run").iterdir()) == [
        "journal.jsonl",
        "pareto.csv",
        "trials.csv",
    ]


@dataclass(frozen=True)
class HalfWay(Toy):
    def evaluate(self, parameters):
        if parameters["rows"] == 5:
            raise ZeroDivisionError
        return super().evaluate(parameters)


def test_a_run_is_not_overwritten_without_force(tmp_path):
    out = tmp_path / "run"
    ex.explore(sweep(search=nsga2(40)), Toy(), out)
    before = (out / "trials.csv").read_bytes()
    with pytest.raises(InputError) as caught:
        ex.explore(sweep(), Wrong(), out)
    held = (
        "holds a run already (pareto.csv, trials.csv, run.json, journal.jsonl); "
        "--resume goes on from it, --force replaces it"
    )
    assert str(caught.value) == f"{out}  {held}"
    assert (out / "trials.csv").read_bytes() == before
    result = ex.explore(sweep(), Toy(), out, ex.How(force=True))
    assert found(result, sweep())
    assert len(read(out / "trials.csv")) == 256


def test_other_files_of_the_folder_are_left_alone(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    ex.explore(sweep(), Toy(), tmp_path)
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_a_folder_that_cannot_be_made_is_named_before_the_search(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"file/run  cannot be written: Not a directory"):
        ex.explore(sweep(), Wrong(), tmp_path / "file" / "run")


def test_a_full_disk_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(Path, "write_bytes", _no_space)
    with pytest.raises(InputError, match=r"run.*cannot be written: No space left on device"):
        ex.explore(sweep(), Toy(), tmp_path / "run")


def _no_space(path, _):
    raise OSError(28, os.strerror(28), str(path))


def test_ctrl_c_waits_for_the_end_of_what_must_be_whole():
    steps = []
    with pytest.raises(KeyboardInterrupt):  # noqa: PT012 (the order is what is tested)
        with uninterrupted():
            os.kill(os.getpid(), signal.SIGINT)
            steps.append("whole")
        steps.append("never")
    assert steps == ["whole"]


def test_a_search_runs_outside_the_main_thread(tmp_path):
    results = []
    thread = threading.Thread(
        target=lambda: results.append(ex.explore(sweep(), Toy(), tmp_path / "run"))
    )
    thread.start()
    thread.join()
    assert results[0].exit_code == 0


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_progress_is_shown_on_a_terminal_only(tmp_path, monkeypatch, capsys):
    ex.explore(sweep(), Toy(), tmp_path / "quiet")
    assert capsys.readouterr() == ("", "")
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    ex.explore(sweep(), Toy(), tmp_path / "shown")
    assert "of 256 trials" in terminal.getvalue()
    assert capsys.readouterr().out == ""


def test_a_tally_reads_as_a_sentence():
    tally = Tally(400, 100, 90, 12_000, 9_000, 17, 0.5, 75.0)
    assert str(tally) == (
        "100 of 400 trials (90 distinct), 12,000 points (75 % fit), front 17, hypervolume 0.5, "
        "1:15, 3:45 left"
    )
    assert str(Tally(400, 0, 0, 0, 0, 0, None, 0.0)) == (
        "0 of 400 trials (0 distinct), 0 points (0 % fit), front 0, 0:00"
    )
    with live_view() as view:
        view(tally)
