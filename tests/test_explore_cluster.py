"""Dask workers: same bytes, whatever becomes of them; and what is said when there are none."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
from test_explore_run import Broken, Toy, nsga2, read, sweep
from test_explore_stop import Fatal, Slow, Wrong, is_gone, wait_for_trials

from star_watos import explore as ex
from star_watos.cli.watos import app as watos
from star_watos.explore.space import Space
from star_watos.explore.workers import Address, evaluator
from star_watos.explore.workers.batches import shrinking
from star_watos.spec import InputError

pytest.importorskip("distributed", reason="needs the extra cluster")
BIN = Path(sys.executable).parent
TESTS = str(Path(__file__).parent)
TWO = ex.How(scheduler=Address(local=2))
MAIN = """
import sys
from pathlib import Path

sys.path.insert(0, sys.argv[1])
from test_explore_run import sweep
from test_explore_stop import Stuck

from star_watos.explore import How, explore
from star_watos.explore.workers import Address

if __name__ == "__main__":
    a_sweep = sweep(search={"sampler": "exhaustive", "batch": 4})
    how = How(scheduler=Address(local=2))
    sys.exit(explore(a_sweep, Stuck(), Path("run"), how).exit_code)
"""


@dataclass(frozen=True)
class Killed(Broken):
    """The first worker that comes to candidate 4 x 4 is killed, and only that one."""

    mark: str = ""

    def evaluate(self, parameters):
        if parameters["rows"] == parameters["cols"] == 4:
            with contextlib.suppress(FileExistsError):
                Path(self.mark).touch(exist_ok=False)
                os.kill(os.getpid(), signal.SIGKILL)
        return super().evaluate(parameters)


def same(one: Path, other: Path) -> bool:
    names = ("pareto.csv", "trials.csv")
    return all((one / name).read_bytes() == (other / name).read_bytes() for name in names)


@pytest.mark.parametrize("count", [0, 1, 7, 20, 1000])
@pytest.mark.parametrize("workers", [1, 2, 64])
def test_batches_shrink_and_hold_every_candidate(count, workers):
    sizes = shrinking(count, workers)
    assert sum(sizes) == count
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[-1:] in ([], [1])


def test_a_worker_that_is_killed_changes_no_byte(tmp_path):
    a_sweep = sweep(search=nsga2(100))
    ex.explore(a_sweep, Broken(30), tmp_path / "here")
    mark = tmp_path / "mark"
    ex.explore(a_sweep, Killed(30, mark=str(mark)), tmp_path / "dask", TWO)
    assert mark.exists()
    assert same(tmp_path / "here", tmp_path / "dask")


def test_a_batch_that_kills_every_worker_is_an_error(tmp_path):
    from dask import config  # noqa: PLC0415 (needs the extra)

    with (
        config.set({"distributed.scheduler.allowed-failures": 1}),
        pytest.raises(InputError, match=r"--scheduler  2 workers died of the same batch"),
    ):
        ex.explore(sweep(), Fatal(), tmp_path / "run", TWO)


def test_ctrl_c_leaves_files_and_no_process(tmp_path):
    """The whole group gets the signal, as from a terminal, while both workers are stuck."""
    (tmp_path / "main.py").write_text(MAIN)
    command = [sys.executable, "main.py", TESTS]
    with (tmp_path / "noise").open("wb") as noise:
        started = subprocess.Popen(command, cwd=tmp_path, stderr=noise, start_new_session=True)
    try:
        wait_for_trials(started, tmp_path, 32)
        os.killpg(started.pid, signal.SIGINT)
        assert started.wait(20) == 130
        assert is_gone(started.pid)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(started.pid, signal.SIGKILL)
    assert (tmp_path / "noise").read_text() == ""
    assert len(read(tmp_path / "run" / "trials.csv")) == 32
    assert read(tmp_path / "run" / "pareto.csv")


@pytest.fixture(scope="module")
def scheduler_file(tmp_path_factory):
    """A scheduler and a worker as a person starts them, and the file that names them."""
    folder = tmp_path_factory.mktemp("dask")
    path = folder / "scheduler.json"
    where = ["--scheduler-file", str(path)]
    commands = [
        ["scheduler", *where, "--host", "127.0.0.1", "--port", "0", "--dashboard-address", ":0"],
        ["worker", *where, "--nthreads", "1", "--no-dashboard"],
    ]
    settings = {"PYTHONPATH": os.pathsep.join([TESTS, os.environ.get("PYTHONPATH", "")])}
    with (folder / "log").open("wb") as log, contextlib.ExitStack() as stack:
        for words in commands:
            command = [sys.executable, "-m", "dask", *words]
            process = subprocess.Popen(
                command, cwd=folder, env=os.environ | settings, stdout=log, stderr=log
            )
            stack.callback(process.wait, 30)
            stack.callback(process.terminate)
        until = time.perf_counter() + 30
        while not path.exists() or not path.read_text():
            assert time.perf_counter() < until
            time.sleep(0.05)
        yield path


def test_workers_that_run_already_give_the_same_bytes(tmp_path, scheduler_file):
    a_sweep = sweep(search=nsga2(100))
    ex.explore(a_sweep, Broken(30), tmp_path / "here")
    by_file = Address.of(str(scheduler_file))
    for name, address in [("file", by_file), ("address", Address.of(by_file.scheduler))]:
        ex.explore(a_sweep, Broken(30), tmp_path / name, ex.How(scheduler=address))
        assert same(tmp_path / "here", tmp_path / name)


def test_a_deadline_ends_the_wait(scheduler_file):
    """256 candidates of 0.05 s and more each take some 13 s."""
    some = Space.of(sweep().space)
    candidates = [some.parameters(some.point(number)) for number in range(some.size)]
    with evaluator(Slow(), 1, Address.of(str(scheduler_file))) as evaluate:
        found = list(evaluate(candidates, time.perf_counter() + 3))
    assert found == [Toy().evaluate(candidate) for candidate in candidates[: len(found)]]
    assert 0 < len(found) < len(candidates)


def test_a_bug_of_the_model_is_shown_as_it_is(tmp_path, scheduler_file):
    how = ex.How(scheduler=Address.of(str(scheduler_file)))
    with pytest.raises(ZeroDivisionError):
        ex.explore(sweep(), Wrong(), tmp_path / "run", how)


def test_other_versions_are_named(tmp_path, monkeypatch, scheduler_file):
    """The process of this test says that it has another NumPy."""
    from star_watos.explore.workers import cluster  # noqa: PLC0415 (needs the extra)

    differ = cluster._differing
    monkeypatch.setattr(cluster, "_differing", lambda a, b: differ(a | {"numpy": "0.1"}, b))
    with pytest.raises(InputError, match=r"--scheduler  the Dask scheduler: numpy is 0.1 here"):
        ex.explore(
            sweep(), Toy(), tmp_path / "r", ex.How(scheduler=Address.of(str(scheduler_file)))
        )
    assert not (tmp_path / "r").exists()


def test_a_scheduler_without_workers_is_named(tmp_path, monkeypatch):
    from distributed import LocalCluster  # noqa: PLC0415 (needs the extra)

    from star_watos.explore.workers import cluster  # noqa: PLC0415 (needs the extra)

    monkeypatch.setattr(cluster, "WORKERS_S", 0.2)
    free = {"dashboard_address": "127.0.0.1:0"}
    with LocalCluster(n_workers=0, dashboard_address=None, scheduler_kwargs=free) as empty:
        how = ex.How(scheduler=Address(scheduler=empty.scheduler_address))
        with pytest.raises(InputError, match=r"has had no workers for 0\.2 s"):
            ex.explore(sweep(), Toy(), tmp_path / "run", how)
    assert not (tmp_path / "run").exists()


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def test_a_scheduler_that_is_not_there_is_named(run, tmp_path, monkeypatch):
    from star_watos.explore.workers import cluster  # noqa: PLC0415 (needs the extra)

    monkeypatch.setattr(cluster, "ANSWER_S", 0.5)
    address = f"tcp://127.0.0.1:{free_port()}"
    code, out, err = run(watos, "explore", "ci_watos", "--scheduler", address, "--out", "o")
    assert (code, out, len(err.splitlines())) == (2, "", 1)
    assert err.startswith(f"--scheduler {address}  no Dask scheduler answered within 0.5 s: ")
    assert not (tmp_path / "o").exists()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("local:0", "--scheduler  expected local:N with 1 to 1024 workers, tcp://HOST:PORT"),
        ("local", "got 'local'"),
        ("node7:8786", "got 'node7:8786'"),
        ("tcp://node7", "got 'tcp://node7'"),
        ("tcp://node7:70000", "got 'tcp://node7:70000'"),
        ("none.json", "--scheduler none.json  cannot be read: No such file or directory"),
        ("list.json", "--scheduler list.json  is no scheduler file: it names no address"),
        ("text.json", "--scheduler text.json  is no scheduler file: it names no address"),
    ],
)
def test_an_address_that_means_nothing_is_refused(run, tmp_path, text, says):
    (tmp_path / "list.json").write_text("[]")
    (tmp_path / "text.json").write_text("tcp")
    code, out, err = run(watos, "explore", "ci_watos", "--scheduler", text, "--out", "o")
    assert (code, out, len(err.splitlines())) == (2, "", 1)
    assert says in err
    assert not (tmp_path / "o").exists()


def test_jobs_beside_a_scheduler_are_refused(run):
    code, _, err = run(watos, "explore", "ci_watos", "--scheduler", "local:2", "--jobs", 2)
    assert (code, err) == (2, "--jobs  is of this machine; --scheduler has workers of its own\n")


def test_without_dask_the_cure_is_named(run, monkeypatch):
    monkeypatch.setattr("star_watos.explore.workers.address.find_spec", lambda _: None)
    code, _, err = run(watos, "explore", "ci_watos", "--scheduler", "local:2")
    assert (code, err) == (2, "--scheduler  needs Dask: pip install 'star-watos[cluster]'\n")
