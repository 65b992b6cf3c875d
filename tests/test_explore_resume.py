"""A search that goes on after an end at any moment finds what it would have found at once."""

import json
import os
import resource
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from test_explore_run import Broken, Toy, nsga2, sweep

from star_watos import explore as ex
from star_watos.explore.candidates import load_sweep
from star_watos.explore.journal import Batch, Journal
from star_watos.explore.kinds import kind_of, types_of
from star_watos.files import Folder
from star_watos.spec import InputError

RESUME = ex.How(resume=True)
RESULTS = ("pareto.csv", "trials.csv")


@dataclass(frozen=True)
class Never(Toy):
    def evaluate(self, parameters):  # noqa: ARG002 (a problem's own)
        raise ZeroDivisionError


def results(folder):
    return [(folder / name).read_bytes() for name in RESULTS]


def left_behind(folder, lines, rest=b""):
    """Make the folder of a run that was killed when so many lines were written, and a part."""
    folder.mkdir()
    (folder / "journal.jsonl").write_bytes(b"".join(lines) + rest)
    (folder / "trials.csv").write_text("number,state\n0,comp")
    return folder


@pytest.mark.parametrize("sampler", ["nsga2", "tpe", "random", "exhaustive"])
@pytest.mark.parametrize("batch", [10, 7])
def test_after_every_batch_and_within_it(tmp_path, sampler, batch):
    """Also where the generations of NSGA-II and the batches do not end together."""
    search = {"sampler": sampler, "trials": 60, "population": 10, "batch": batch, "seed": 5}
    if sampler == "exhaustive":
        search["batch"] = 9 * batch
    a_sweep, toy = sweep(search=search), Broken(30)
    whole = ex.explore(a_sweep, toy, tmp_path / "whole").out
    lines = (whole / "journal.jsonl").read_bytes().splitlines(keepends=True)
    for n in range(1, len(lines)):
        for rest in (b"", lines[n][: len(lines[n]) // 2]):
            name = f"{n}{'+' if rest else ''}"
            out = left_behind(tmp_path / name, lines[:n], rest)
            again = ex.explore(a_sweep, toy, out, RESUME)
            assert results(out) == results(whole), name
            assert again.tally.asked == (256 if sampler == "exhaustive" else 60)
            said = [note for note in again.notes if "half-written" in note]
            assert said == ([f"{out / 'journal.jsonl'}: a half-written line at its end is dropped"]
                            if rest else [])  # fmt: skip


def test_a_run_that_is_done_is_only_read(tmp_path):
    search = nsga2(60, batch=20)
    before = ex.explore(sweep(search=search), Toy(), tmp_path / "run")
    files = results(before.out)
    after = ex.explore(sweep(search=search), Never(), tmp_path / "run", RESUME)
    assert results(after.out) == files
    assert after.rows == before.rows
    counts = ("outer_trials", "distinct_trials", "points_evaluated", "infeasible", "hypervolume")
    for name in (*counts, "convergence", "stop"):
        assert after.manifest[name] == before.manifest[name]
    assert after.manifest["wall_s"] >= before.manifest["time_s"]["model"]


def test_nothing_to_go_on_from_is_a_new_run(tmp_path):
    result = ex.explore(sweep(search=nsga2(40)), Toy(), tmp_path / "run", RESUME)
    ex.explore(sweep(search=nsga2(40)), Toy(), tmp_path / "other")
    assert results(result.out) == results(tmp_path / "other")
    assert result.notes == []


def test_a_time_limit_ends_one_sitting_only(tmp_path):
    search = {"sampler": "exhaustive", "batch": 16}
    out, sittings = tmp_path / "run", 0
    while sittings < 300:
        sittings += 1
        result = ex.explore(
            sweep(search=search), Toy(), out, ex.How(time_limit_s=1e-9, resume=True)
        )
        if result.stop is ex.Stop.DONE:
            break
    assert sittings > 100  # a candidate or two each: what was evaluated is not evaluated again
    whole = ex.explore(sweep(search=search), Toy(), tmp_path / "whole")
    assert results(out) == results(whole.out)


@dataclass(frozen=True)
class Pressed(Broken):
    """The user presses Ctrl-C after a few candidates."""

    asked: list = field(default_factory=list)

    def evaluate(self, parameters):
        self.asked.append(parameters)
        if len(self.asked) == 27:
            os.kill(os.getpid(), signal.SIGINT)
        return super().evaluate(parameters)


@pytest.mark.parametrize("sampler", ["nsga2", "tpe", "exhaustive"])
def test_what_ctrl_c_cut_short_is_taken_up_where_it_was(tmp_path, sampler):
    search = {"sampler": sampler, "trials": 60, "population": 10, "batch": 20}
    first, second = Pressed(30), Pressed(30, [None] * 100)
    ended = ex.explore(sweep(search=search), first, tmp_path / "run")
    assert ended.exit_code == 130
    again = ex.explore(sweep(search=search), second, tmp_path / "run", RESUME)
    assert again.exit_code == 0
    whole = ex.explore(sweep(search=search), Broken(30), tmp_path / "whole")
    assert results(again.out) == results(whole.out)
    # The one at which Ctrl-C was pressed is the only one that is evaluated twice.
    assert len(first.asked) + len(second.asked) - 100 == whole.tally.distinct + 1


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"search": nsga2(40, seed=7)}, "search.seed: 0 then, 7 now"),
        ({"objectives": {"time_s": "minimize"}}, "objectives.area_mm2: minimize then, nothing now"),
    ],
)
def test_another_search_is_refused(tmp_path, change, said):
    ex.explore(sweep(search=nsga2(40)), Toy(), tmp_path / "run")
    files = results(tmp_path / "run")
    with pytest.raises(InputError) as error:
        ex.explore(sweep(**{"search": nsga2(40)} | change), Toy(), tmp_path / "run", RESUME)
    assert said in str(error.value)
    assert "journal.jsonl:1  --resume needs the same search" in str(error.value)
    assert results(tmp_path / "run") == files


@pytest.mark.parametrize("text", ["{", "[]", "", '{"points": 1'])
def test_a_journal_damaged_in_its_middle_is_refused(tmp_path, text):
    ex.explore(sweep(search=nsga2(60)), Toy(), tmp_path / "run")
    path = tmp_path / "run" / "journal.jsonl"
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines[:2], text, *lines[3:], ""]))
    with pytest.raises(InputError, match="jsonl:3  damaged; --force begins anew"):
        ex.explore(sweep(search=nsga2(60)), Toy(), tmp_path / "run", RESUME)


def test_a_figure_that_was_changed_in_a_journal_is_refused(tmp_path):
    ex.explore(sweep(search=nsga2(60)), Toy(), tmp_path / "run")
    path = tmp_path / "run" / "journal.jsonl"
    lines = path.read_text().splitlines(keepends=True)
    changed = lines[2].replace("0", "1", 1)
    assert json.loads(changed) != json.loads(lines[2])
    path.write_text("".join([*lines[:2], changed, *lines[3:]]))
    with pytest.raises(InputError, match="jsonl:3  damaged; --force begins anew"):
        ex.explore(sweep(search=nsga2(60)), Toy(), tmp_path / "run", RESUME)


def test_a_journal_of_another_version_is_refused(tmp_path):
    out = left_behind(tmp_path / "run", [b'{"schema": "exploration-journal/1", "version": "0"}\n'])
    with pytest.raises(InputError, match=r"expected exploration-journal/1 of version .*, got .* 0"):
        ex.explore(sweep(), Toy(), out, RESUME)


def test_to_go_on_and_to_begin_anew_exclude_each_other(tmp_path):
    with pytest.raises(InputError, match="--resume"):
        ex.explore(sweep(), Toy(), tmp_path / "run", ex.How(force=True, resume=True))


def test_a_batch_reads_back_as_it_was_written(tmp_path):
    whole = ex.explore(sweep(search=nsga2(60)), Broken(30), tmp_path / "run")
    config = sweep(search=nsga2(60)).model_dump(mode="json")
    journal = Journal(Folder(whole.out, [], force=False), config)
    batches = list(journal.batches())
    assert sum(len(batch.points) for batch in batches) == 60
    assert {type(batch) for batch in batches} == {Batch}
    reasons = [record.why for batch in batches for record in batch.records]
    assert any("rows: 2 rows cannot be built" in why for why in reasons)
    assert any(record.nearest for batch in batches for record in batch.records)


FULL = """
import sys
from pathlib import Path

sys.path.insert(0, sys.argv[1])
from test_explore_run import Toy, nsga2, sweep

from star_watos.cli.common import guard
from star_watos.explore import explore

guard(lambda: explore(sweep(search=nsga2(60)), Toy(), Path("run")))
"""


def test_a_full_disk_loses_nothing_that_was_written(tmp_path):
    """The disk is full in the middle of the third batch."""
    whole = ex.explore(sweep(search=nsga2(60)), Toy(), tmp_path / "whole").out
    lines = (whole / "journal.jsonl").read_bytes().splitlines(keepends=True)
    size = sum(map(len, lines[:3])) + len(lines[3]) // 2

    def small_disk():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    command = [sys.executable, "-c", FULL, str(Path(__file__).parent)]
    ended = subprocess.run(
        command, cwd=tmp_path, preexec_fn=small_disk, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 2
    assert "journal.jsonl  cannot be written: " in ended.stderr
    assert "Traceback" not in ended.stderr
    written = (tmp_path / "run" / "journal.jsonl").read_bytes().splitlines(keepends=True)
    assert len(written) == 4
    assert [json.loads(line).get("points") for line in written[:3]] == [
        json.loads(line).get("points") for line in lines[:3]
    ]
    again = ex.explore(sweep(search=nsga2(60)), Toy(), tmp_path / "run", RESUME)
    assert results(again.out) == results(whole)


@pytest.mark.parametrize("patience", [40, 1000])
def test_a_search_that_gains_nothing_more_ends(tmp_path, patience):
    search = {"sampler": "exhaustive", "batch": 16, "patience": patience, "min_gain": 0.01}
    result = ex.explore(sweep(search=search), Toy(), tmp_path / "run")
    if patience == 1000:
        assert result.stop is ex.Stop.DONE
        return
    assert result.stop is ex.Stop.SETTLED
    assert result.exit_code == 0
    asked = result.tally.asked
    assert patience <= asked < 256
    volumes = {step["trials"]: step["hypervolume"] for step in result.manifest["convergence"]}
    before = [volume for trials, volume in volumes.items() if trials <= asked - patience][-1]
    assert result.manifest["hypervolume"] < 1.01 * before


@pytest.mark.parametrize("name", ["ci_star", "star_mesh", "watos_serving", "watos_llama3_70b"])
def test_a_shipped_sweep_goes_on_with_the_same_bytes(tmp_path, name):
    """Their counts and figures come from NumPy."""
    kind, maker = types_of(kind_of(name, "star" if "star" in name else "watos"))
    few = ["search.sampler=nsga2", "search.trials=9", "search.batch=3", "expect=null"]
    a_sweep, folder = load_sweep(kind, name, few)
    whole = ex.explore(a_sweep, maker(a_sweep, folder), tmp_path / "whole").out
    lines = (whole / "journal.jsonl").read_bytes().splitlines(keepends=True)
    out = left_behind(tmp_path / "run", lines[:3])
    ex.explore(a_sweep, maker(a_sweep, folder), out, RESUME)
    assert results(out) == results(whole)
