"""`watos collective`: its table, its document, its traces and its mistakes."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from star_watos.cli import collective as command
from star_watos.cli.star import app as star
from star_watos.cli.watos import app as watos
from star_watos.fabric.chakra import messages
from star_watos.fabric.collectives import Kind, algorithms

BASE = ("collective", "all-reduce", "--mesh", "4x4", "--size", "16 MB")
LINK = ("--bandwidth", "2 TB/s", "--latency", "200 ns")


def document(run, *arguments, app=watos):
    code, out, err = run(app, "collective", *arguments, "--json")
    assert (code, err) == (0, "")
    return json.loads(out)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("kind", [kind.value for kind in Kind])
def test_every_algorithm_has_a_row_and_the_fastest_stands_first(run, kind):
    report = document(run, kind, "--mesh", "4x4", "--size", "16 MB", *LINK)
    assert report["schema"] == "collective/1"
    rows = report["algorithms"]
    assert sorted(row["algorithm"] for row in rows) == sorted(algorithms(Kind(kind)))
    times = [row["time_s"] for row in rows]
    assert times == sorted(times)
    for row in rows:
        assert row["time_s"] == pytest.approx(row["bandwidth_s"] + row["latency_s"])
        assert row["over_bound"] == pytest.approx(row["time_s"] / report["bound_s"])
        assert row["over_bound"] >= 1
        assert row["event_s"] is None


def test_a_ring_by_hand(run):
    """A line of 4, one way round: 3 steps of S / 4; the way back is 3 hops and shares no link.

    Time 3 (S / 4 / B + 3 a) = 3 (16e6 / 4 / 2e12 + 3 x 200e-9) s; in each of the 3 steps three
    pieces take one hop and one takes three.
    """
    line = ("--mesh", "1x4", "--size", "16 MB", "--algorithm", "ring", *LINK)
    report = document(run, "reduce-scatter", *line)
    (row,) = report["algorithms"]
    assert (row["algorithm"], row["steps"], row["pieces"]) == ("ring", 3, 1)
    assert row["bandwidth_s"] == pytest.approx(6e-6)
    assert row["latency_s"] == pytest.approx(1.8e-6)
    assert row["byte_hops"] == pytest.approx(3 * 4e6 * 6)
    assert report["mesh"]["link_bytes_per_s"] == 2e12


def test_star_has_the_same_command(run):
    arguments = ("all-gather", "--mesh", "2x3", "--size", "1 MB")
    assert document(run, *arguments, app=star) == document(run, *arguments)


def test_the_table_has_what_the_document_has(run):
    code, out, err = run(watos, *BASE, "--fidelity", "event", *LINK)
    assert (code, err) == (0, "")
    for word in ("all-reduce of 16 MB on 4 x 4 nodes", "2 TB/s, 200 ns a hop", "simulated"):
        assert word in out
    rows = document(run, *BASE[1:], "--fidelity", "event", *LINK)["algorithms"]
    for row in rows:
        assert f"\n{row['algorithm']} " in out
        assert row["event_s"] == pytest.approx(row["time_s"], rel=1e-9)


def test_what_is_missing_is_said_and_counts(run):
    holes = ("--missing-nodes", "5, 3", "--missing-links", "1-0,12-8")
    report = document(run, *BASE[1:], *holes)
    assert report["mesh"]["missing_nodes"] == [3, 5]
    assert report["mesh"]["missing_links"] == [[0, 1], [8, 12]]
    assert report["mesh"]["nodes"] == 14
    assert report["bound_s"] > document(run, *BASE[1:])["bound_s"]
    assert "without nodes 3, 5 and links 0-1, 8-12" in run(watos, *BASE, *holes)[1]


def test_a_single_node_has_nothing_to_do(run):
    report = document(run, "all-reduce", "--mesh", "1x1", "--size", "1 MB")
    assert {row["time_s"] for row in report["algorithms"]} == {0}


def test_traces_of_the_fastest_are_written(run, tmp_path):
    report = document(run, *BASE[1:], "--missing-nodes", "5", "--chakra", "t/x")
    fastest = report["algorithms"][0]["algorithm"]
    assert report["chakra"].pop("flows") > 0
    assert report["chakra"] == {"folder": "t/x", "name": f"all-reduce_{fastest}", "files": 15}
    assert names(tmp_path / "t" / "x") == sorted(f"all-reduce_{fastest}.{i}.et" for i in range(15))


def test_traces_of_the_algorithm_that_was_asked_for_are_written(run, tmp_path):
    code, out, _ = run(watos, *BASE, "--algorithm", "ring", "--chakra", "x")
    assert code == 0
    assert "x: all-reduce_ring.0.et to all-reduce_ring.15.et, 480 flows" in out
    assert len(names(tmp_path / "x")) == 16
    code, out, err = run(watos, *BASE, "--algorithm", "split", "--chakra", "x")
    assert (code, out) == (2, "")
    assert err == "x  is not empty; --force replaces the traces in it\n"
    assert run(watos, *BASE, "--algorithm", "split", "--chakra", "x", "--force")[0] == 0
    assert {name.split(".")[0] for name in names(tmp_path / "x")} == {"all-reduce_split"}


MISTAKES = [
    (("KIND",), "KIND  expected one of all-reduce, reduce-scatter, all-gather, all-to-all, multi"),
    (("all-redcue",), "got 'all-redcue'; did you mean all-reduce?"),
    (("--algorithm", "rnig"), "for all-reduce, got 'rnig'; did you mean ring?"),
    (("--algorithm", "rows-and-columns"), "--algorithm  expected one of ring, bidirectional-ring"),
    (("--mesh", "4"), "--mesh 4  expected rows x columns"),
    (("--mesh", "0x4"), "--mesh 0x4  expected rows x columns"),
    (("--mesh", "33x32"), "--mesh  expected at most 1,024 nodes, got 33 x 32"),
    (("--size", "64 KB"), "--size  expected a number and one of B, kB"),
    (("--size", "0 B"), "--size  expected 1 B to 1 PB, got '0 B'"),
    (("--bandwidth", "0 B/s"), "--bandwidth  expected 1 B/s to 1000 PB/s, got '0 B/s'"),
    (("--latency", "-1 s"), "--latency  expected 0 s to 1000 s, got '-1 s'"),
    (("--missing-nodes", "16"), "--missing-nodes  expected nodes 0 to 15, such as 3,7, got '16'"),
    (("--missing-nodes", "3,,7"), "--missing-nodes  expected nodes 0 to 15, such as 3,7, got ''"),
    (("--missing-nodes", "-1"), "got '-1'"),
    (("--missing-nodes", "1,4"), "cuts the mesh in two: node 0 does not reach 2"),
    (("--missing-nodes", ",".join(map(str, range(16)))), "--missing-nodes  leaves no node"),
    (("--missing-links", "0-5"), "expected pairs of neighbours of 0 to 15"),
    (("--missing-links", "3-4"), "got '3-4'"),  # the end of a row and the start of the next
    (("--missing-links", "0-1,0-4"), "--missing-links  cuts the mesh in two: node 0 does not"),
    (("--force",), "--force  is of --chakra DIR"),
    (("--size", "10 B", "--chakra", "x"), "B, so that every chunk has a byte in its trace"),
    (("--mesh", "1x1", "--chakra", "x"), "--chakra  a single node sends nothing"),
    (("--mesh", "17x16", "--fidelity", "event"), "at most 256 nodes, got 272"),
]


@pytest.mark.parametrize(("arguments", "says"), MISTAKES)
def test_a_mistake_is_one_line_and_2(run, tmp_path, arguments, says):
    words = list(BASE)
    if not arguments[0].startswith("--"):
        words[1], arguments = arguments[0], arguments[1:]
    code, out, err = run(watos, *words, *arguments)
    assert (code, out) == (2, "")
    assert says in err
    assert err.count("\n") == 1
    assert names(tmp_path) == []


def test_all_quantities_that_are_wrong_are_said_at_once(run):
    code, _, err = run(watos, *BASE[:-1], "64", "--bandwidth", "1", "--latency", "1")
    assert code == 2
    assert [line.split()[0] for line in err.splitlines()] == ["--bandwidth", "--latency", "--size"]


def test_an_all_to_all_around_holes_is_played_on_fewer_nodes(run):
    big = ("collective", "all-to-all", "--mesh", "13x13", "--size", "1 MB", "--fidelity", "event")
    code, _, err = run(watos, *big, "--missing-nodes", "40")
    assert code == 2
    assert "at most 144 nodes, of an all-to-all around holes, got 168" in err


def test_without_protobuf_traces_are_refused_before_any_work(run, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "google.protobuf", None)
    monkeypatch.setattr(command, "_fastest_of_each", None)
    messages.cache_clear()
    code, out, err = run(watos, *BASE, "--chakra", "x")
    assert (code, out) == (2, "")
    assert err == "--chakra  needs protobuf: pip install 'star-watos[chakra]'\n"
    assert names(tmp_path) == []


def test_ctrl_c_leaves_nothing(tmp_path):
    watos_command = [Path(sys.executable).parent / "watos", "collective", "all-reduce"]
    options = ["--mesh", "16x16", "--size", "1 GB", "--chakra", "x"]
    with subprocess.Popen(
        [*watos_command, *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        start_new_session=True,
    ) as process:
        until = time.perf_counter() + 60
        while not list(tmp_path.glob("x/.draft/*.1.et")):
            assert process.poll() is None
            assert time.perf_counter() < until
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=20)
    assert (process.returncode, out, err) == (130, "", "interrupted: nothing was written\n")
    assert names(tmp_path) == []


@pytest.mark.parametrize("suffix", ["png", "svg"])
def test_the_fastest_is_drawn(run, tmp_path, suffix):
    pytest.importorskip("matplotlib", reason="the picture needs the extra plot")
    picture = tmp_path / f"links.{suffix}"
    options = ["--mesh", "3x4", "--size", "1 MB", "--missing-nodes", "5", "--plot", str(picture)]
    code, _, err = run(watos, "collective", "all-reduce", *options)
    assert (code, err) == (0, "")
    assert picture.stat().st_size > 5_000


def test_a_picture_of_another_kind_is_refused_before_the_work(run, tmp_path):
    picture = tmp_path / "links.gif"
    options = ["--mesh", "3x4", "--size", "1 MB", "--plot", str(picture)]
    code, out, err = run(watos, "collective", "all-reduce", *options)
    assert (code, out) == (2, "")
    assert "expected a file name that ends in one of .pdf, .png, .svg" in err
