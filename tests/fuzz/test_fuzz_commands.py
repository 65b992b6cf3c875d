"""Commands on damaged files: a known exit code, no traceback, and no file half written."""

import csv
import json
from dataclasses import dataclass

import pytest
from damage import TABLE_DAMAGE, YAML_DAMAGE, damaged
from kinds import FILES, SWEEPS, TABLES
from limits import within_limit

from star_watos.cli.star import app as star
from star_watos.cli.watos import app as watos

CASES = 3
CODES = {0, 2, 3, 4}
EXPLORE = ("--trials", 3, "--jobs", 1, "--time-limit", "1s", "--json", "--out", "out")
BRIEF = ("--seq-len", "2k", "--json")
ALWAYS = {"pareto.csv", "trials.csv", "run.json", "journal.jsonl"}


@dataclass(frozen=True)
class Use:
    """A kind of file, and the command that takes it."""

    kind: str
    app: object
    before: tuple
    """Words of the command before the file."""
    after: tuple


USES = (
    Use("core sweep", star, ("explore",), EXPLORE),
    Use("layer sweep", star, ("explore",), EXPLORE),
    Use("mesh sweep", star, ("explore",), EXPLORE),
    Use("wafer sweep", watos, ("explore",), EXPLORE),
    Use("serving sweep", watos, ("explore",), EXPLORE),
    Use("core", star, ("simulate",), BRIEF),
    Use("whole core", star, ("simulate",), BRIEF),
    Use("sparsity", star, ("simulate", "--sparsity"), BRIEF),
    Use("sparsity of layers", star, ("simulate", "--model", "smollm2_135m", "--sparsity"), BRIEF),
    Use("mesh", star, ("simulate", "--mesh", "2x2", "--noc"), BRIEF),
    Use("model", star, ("simulate", "--model"), BRIEF),
    Use("wafer", watos, ("simulate",), BRIEF),
    Use("whole wafer", watos, ("simulate",), BRIEF),
    Use("SRAM wafer", watos, ("simulate",), (*BRIEF, "--model", "smollm2_135m")),
    Use("cluster", watos, ("simulate",), BRIEF),
    Use("whole cluster", watos, ("simulate",), (*BRIEF, "--model", "llama2_7b")),
    Use("MoE model", watos, ("simulate", "--model"), BRIEF),
    Use("MLA model", watos, ("simulate", "--model"), BRIEF),
    Use("measured runs", watos, ("validate", "--table"), ("--json",)),
    Use("runs of eight GPUs", watos, ("validate", "--table"), ("--json",)),
)
KINDS = FILES | SWEEPS | TABLES


def ways_of(use):
    """Return how a use's file can be damaged."""
    return TABLE_DAMAGE if use.kind in TABLES else YAML_DAMAGE


def assert_whole(folder):
    """The files of a run are there, and each can be read to its end."""
    names = {path.name for path in folder.iterdir()}
    assert ALWAYS <= names <= ALWAYS | {"refined.csv", "report.html"}
    json.loads((folder / "run.json").read_text(encoding="utf-8"))
    for line in (folder / "journal.jsonl").read_text(encoding="utf-8").splitlines():
        json.loads(line)
    if "report.html" in names:
        page = (folder / "report.html").read_text(encoding="utf-8")
        assert page.rstrip().endswith("</html>")
    for name in (name for name in names if name.endswith(".csv")):
        with (folder / name).open(encoding="utf-8", newline="") as file:
            rows = list(csv.reader(file))
        assert {len(row) for row in rows} == {len(rows[0])}


def assert_printed(out, code):
    """One JSON document is on stdout where there is a result, and nothing where there is none."""
    if code in {0, 3} or out:
        assert json.loads(out)
    assert not out or code != 2


WAYS = [(use, damage) for use in USES for damage in ways_of(use)]


@pytest.mark.parametrize(
    ("use", "damage"), WAYS, ids=lambda part: part if isinstance(part, str) else part.kind
)
def test_a_command_ends_as_documented_whatever_its_file_holds(run, tmp_path, use, damage):
    known = KINDS[use.kind]
    text, end = known.text(), str(known.sample).rpartition(".")[2]
    for seed in range(CASES):
        own = tmp_path / str(seed)
        own.mkdir()
        file = own / f"file.{end}"
        file.write_bytes(damaged(damage, seed, text))
        words = [own / "out" if word == "out" else word for word in use.after]
        with within_limit(f"{use.kind}, {damage}, seed {seed}"):
            code, out, err = run(use.app, *use.before, file, *words)
            assert code in CODES, err
            assert "Traceback" not in err
            assert err or code != 2
            assert_printed(out, code)
            if "out" in use.after and code != 2:
                assert_whole(own / "out")
            else:
                assert {*own.iterdir()} == {file}
