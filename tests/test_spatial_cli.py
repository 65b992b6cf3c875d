"""Meshes of cores as users ask for them: simulate, compare, explore, schema, and every mistake."""

import csv
import json
from math import prod

import pytest

from star_watos.cli.star import app as star
from star_watos.explore.star_mesh import MeshExploration
from star_watos.spec import load
from star_watos.star.spatial import Noc

SHORT = ("--seq-len", "16k", "--model", "llama3_8b")
"""On four cores 4,096 queries each."""
MESH_KEYS = {
    *("rows", "cols", "dataflow", "ring", "partition", "overlap", "noc"),
    *("dram_bytes_per_s_per_core", "ideal_s", "efficiency", "busiest_core"),
    *("busiest_link_s", "without_links_s", "index_share", "rows_saved_share"),
}


@pytest.fixture
def simulated(run):
    """Return the document of `star simulate`, and what was said."""

    def call(*options):
        code, out, err = run(star, "simulate", *SHORT, *options, "--json")
        assert code == 0, err
        return json.loads(out), err

    return call


# One run.


def test_a_mesh_is_one_json_document(simulated):
    document, err = simulated("--mesh", "2x3")
    one, _ = simulated()
    assert set(document) == set(one) | {"mesh"}
    mesh, metrics = document["mesh"], document["metrics"]
    assert set(mesh) == MESH_KEYS
    assert set(metrics) == set(one["metrics"]) | {"noc_bytes", "noc_exposed_s"}
    assert (mesh["rows"], mesh["cols"]) == (2, 3)
    assert metrics["area_mm2"] == pytest.approx(6 * one["metrics"]["area_mm2"])
    assert metrics["noc_bytes"] > 0
    assert mesh["efficiency"] * metrics["latency_s"] == pytest.approx(mesh["ideal_s"])
    assert metrics["noc_exposed_s"] == pytest.approx(metrics["latency_s"] - mesh["without_links_s"])
    for blocks, total in (("energy_j", "energy_j"), ("area_mm2", "area_mm2")):
        assert sum(document[blocks].values()) == pytest.approx(metrics[total])
    assert {c["resource"] for c in document["sensitivity"]} >= {"noc.link_bandwidth"}
    assert "area of routers and links is not counted" in err


def test_one_core_is_not_a_mesh(simulated):
    document, _ = simulated("--mesh", "1x1")
    one, _ = simulated()
    expected = one["metrics"]
    assert {k: document["metrics"][k] for k in expected} == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("link", ["64 GB/s", "100 MB/s"])
def test_the_spread_is_the_fastest_of_all_legal_ones(run, simulated, link):
    given = ("--mesh", "2x4", "--set", f"noc.link_bandwidth.value={link}")
    best, _ = simulated(*given)
    seconds = {}
    for flow in ("kv-ring", "q-ring", "2d"):
        for ring in ("naive", "interleaved", "hamiltonian", "relay"):
            for part in ("plain", "zigzag", "striped"):
                spread = ("--dataflow", flow, "--ring", ring, "--partition", part)
                code, out, _ = run(star, "simulate", *SHORT, *given, *spread, "--json")
                if code == 0:
                    seconds[flow, ring, part] = json.loads(out)["metrics"]["latency_s"]
    assert len(seconds) == 36 - 2 * 3
    assert best["metrics"]["latency_s"] == min(seconds.values())
    assert seconds[tuple(best["mesh"][k] for k in ("dataflow", "ring", "partition"))] == min(
        seconds.values()
    )


@pytest.mark.parametrize("dataflow", ["kv-ring", "q-ring", "2d"])
def test_layers_that_keep_different_shares_run_on_a_mesh(simulated, dataflow):
    """Queries that choose alone keep nearly every row further on: hardly any stays behind."""
    given = ("--mesh", "2x3", "--sparsity", "smollm2_8k", "--dataflow", dataflow)
    document, _ = simulated(*given)
    assert sum(document["energy_j"].values()) == pytest.approx(document["metrics"]["energy_j"])
    assert abs(document["mesh"]["rows_saved_share"]) < 0.05
    played, _ = simulated(*given, "--fidelity", "event")
    assert abs(played["event"]["analytic_gap_pct"]) < 3


def test_a_person_reads_how_the_sequence_is_spread(run):
    options = ("--mesh", "2x2", "--dataflow", "kv-ring", "--no-overlap")
    code, out, _ = run(star, "simulate", *SHORT, *options)
    text = " ".join(out.split())
    assert code == 0
    for said in ("mesh of 2 x 2 cores (noc_64b): kv-ring", "transfers after work", "% of 4 times"):
        assert said in text
    assert "not sending unkept rows saves" in text


def test_the_event_simulation_stands_beside_the_formulas(simulated, tmp_path):
    """Energy and power follow the played time; the timeline is of one layer."""
    options = ("--mesh", "2x2", "--fidelity", "event", "--trace", "trace.json")
    document, _ = simulated(*options)
    event = document["event"]
    assert event["latency_s"] == document["metrics"]["latency_s"]
    assert abs(event["analytic_gap_pct"]) < 1
    analytic, _ = simulated("--mesh", "2x2")
    assert event["analytic_latency_s"] == pytest.approx(analytic["metrics"]["latency_s"])
    assert json.loads((tmp_path / "trace.json").read_text())["traceEvents"]


@pytest.mark.parametrize("name", ["mesh.png", "mesh.svg"])
@pytest.mark.parametrize("fidelity", ["analytic", "event"])
def test_pictures_are_written(run, tmp_path, name, fidelity):
    options = ("--mesh", "2x3", "--fidelity", fidelity, "--plot", name)
    assert run(star, "simulate", *SHORT, *options)[0] == 0
    begin = (tmp_path / name).read_bytes()[:100]
    assert begin.startswith(b"\x89PNG") or b"<?xml" in begin


MESH = ("--mesh", "4x4")
MISTAKES = [
    (["--mesh", "0x4"], "--mesh 0x4  expected rows x columns, such as 2x4"),
    (["--mesh", "6"], "--mesh 6  expected rows x columns, such as 2x4"),
    (["--mesh", "9999x9999"], "--mesh  expected 1,024 cores at most, got 99,980,001"),
    (["--ring", "relay"], "--ring  is of a mesh of cores: --mesh RxC"),
    (["--dataflow", "2d"], "--dataflow  is of a mesh of cores: --mesh RxC"),
    (["--no-overlap"], "--no-overlap  is of a mesh of cores: --mesh RxC"),
    (["--set", "noc.ports=edges"], "--set noc  is of a mesh of cores: --mesh RxC"),
    (["--plot", "x.png"], "--plot  is of a mesh of cores: --mesh RxC"),
    (
        ["--ring", "hamiltonian", "--mesh", "3x3"],
        "--ring hamiltonian  a mesh of 3x3 has no circle of single hops",
    ),
    (
        ["--ring", "relay", "--dataflow", "q-ring", *MESH],
        (
            "--ring relay  a relay brings rows both ways to the ends; "
            "sums of queries would not come back"
        ),
    ),
    (
        ["--ring", "hamiltonian", "--dataflow", "2d", *MESH],
        "--ring hamiltonian  2d works on lines, which have no circle of single hops",
    ),
    (
        ["--dataflow", "kvring", *MESH],
        "--dataflow  expected one of kv-ring, q-ring, 2d, got 'kvring'; did you mean kv-ring?",
    ),
    (
        ["--queries", "4", *MESH],
        "--mesh  a mesh shares the queries of a prefill: leave out --queries",
    ),
    (
        ["--noc", "noc_64", *MESH],
        "noc_64  no such file, nor a shipped one (shipped: noc_64b; did you mean noc_64b?)",
    ),
    (
        ["--set", "noc.linkbandwidth=1", *MESH],
        "--set noc.linkbandwidth  linkbandwidth: unknown field (did you mean link_bandwidth?)",
    ),
    (
        ["--set", "noc.link_bandwidth.value=", *MESH],
        "--set noc.link_bandwidth.value  link_bandwidth.value: expected a number and one of",
    ),
    (["--plot", "x.jpg", *MESH], "--plot x.jpg  expected a file name that ends in one of .pdf, .p"),
    (["--plot", "no/x.png", *MESH], "--plot no/x.png  there is no folder no"),
    (["--trace", "x.json", *MESH], "--trace  is of the event simulation: --fidelity event"),
    (
        ["--fidelity", "event", "--mesh", "8x9"],
        "--fidelity event  is of meshes of 64 cores at most, got 72",
    ),
    (
        ["--fidelity", "event", "--no-overlap", *MESH],
        "--fidelity event  has transfers beside work: --overlap",
    ),
]


@pytest.mark.parametrize(("options", "said"), MISTAKES, ids=lambda v: " ".join(v)[:60])
def test_mistakes_are_one_line_and_end_with_2(run, tmp_path, options, said):
    code, out, err = run(star, "simulate", *SHORT, *options)
    assert (code, out) == (2, "")
    assert err.startswith(said)
    assert err.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_every_option_that_needs_a_mesh_is_said_at_once(run):
    code, out, err = run(star, "simulate", *SHORT, "--ring", "relay", "--no-overlap")
    assert (code, out) == (2, "")
    named = [line.split()[0] for line in err.splitlines()]
    assert named == ["--no-overlap", "--ring"]


def test_what_does_not_fit_a_core_ends_with_4(run):
    code, out, err = run(star, "simulate", *SHORT, *MESH, "--set", "sram.temp.capacity=1 KiB")
    assert (code, out) == (4, "")
    assert err.startswith("does not fit: ")


# Compare, explore, schema.


def test_the_ladder_to_spatial_star(run):
    code, out, _ = run(star, "compare", "--mesh", "--json")
    assert code == 0
    document = json.loads(out)
    headline, spatial = document["headline"]["spatial_throughput"], document["spatial"]
    reference = spatial["reference"]
    assert headline["paper"] == 20.1
    assert headline["ours"] == reference["gain"]
    readings = headline["other_readings"]
    assert readings["lowest"] < headline["ours"] < readings["highest"]
    assert {(ladder["rows"], ladder["seq_len"]) for ladder in spatial["ladders"]} == {
        (side, length) for side in (4, 6, 8, 16) for length in (2**17, 2**20, 2**22)
    }
    for ladder in spatial["ladders"]:
        steps = ladder["steps"]
        assert [s["step"] for s in steps][:2] == ["baseline", "overlap"]
        assert prod(s["gain"] for s in steps) == pytest.approx(steps[-1]["total"])
        assert all(s["gain"] >= 1 for s in steps)
        assert steps[0]["latency_s"] / steps[-1]["latency_s"] == pytest.approx(steps[-1]["total"])
        if (ladder["rows"], ladder["seq_len"]) == (reference["rows"], reference["seq_len"]):
            assert steps[-1]["total"] == pytest.approx(reference["gain"])
    moves = [
        max(o["total"] / headline["ours"], headline["ours"] / o["total"])
        for o in spatial["assumptions"]
    ]
    assert moves == sorted(moves, reverse=True)
    assert len(moves) == 7


def test_weak_scaling_says_what_limits_it(run):
    document = json.loads(run(star, "compare", "--mesh", "--json")[1])
    rows = document["spatial"]["weak_scaling"]
    assert [r["rows"] for r in rows] == [1, 1, 2, 2, 4, 4, 8, 8, 16, 16]
    for row in rows:
        assert row["cols"] == row["rows"]
        assert row["seq_len"] == 2**14 * row["rows"] ** 2
        assert 0 < row["efficiency"] <= 1
    ours, naive = rows[::2], rows[1::2]
    assert all(row["efficiency"] > 0.99 for row in ours)
    assert [row["limiter"] for row in naive[1:]] == ["uneven work"] * 4
    assert [round(row["efficiency"], 1) for row in naive[1:]] == [0.6, 0.5, 0.5, 0.5]


def test_a_compare_without_meshes_has_the_headline_only(run):
    document = json.loads(run(star, "compare", "--json")[1])
    assert document["headline"]["spatial_throughput"]["ours"] > 1
    assert "ladders" not in document["spatial"]


def test_meshes_are_explored_at_equal_silicon(run, tmp_path):
    """Every point of the front has a legal spread and no more silicon than is allowed."""
    options = ("--trials", 20, "--jobs", 1, "--out", "out", "--json")
    code, out, err = run(star, "explore", "star_mesh", *options)
    assert code == 0, err
    assert json.loads(out)["front"]
    with (tmp_path / "out" / "pareto.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows
    for row in rows:
        assert {"dataflow", "ring", "partition", "noc_bytes", "noc_exposed_s"} <= set(row)
        assert float(row["area_mm2"]) <= 210
        assert 0 < float(row["utilization"]) <= 1


@pytest.mark.parametrize(("kind", "spec"), [("mesh", Noc), ("mesh-sweep", MeshExploration)])
def test_schemas_are_printed(run, kind, spec):
    code, out, _ = run(star, "schema", kind)
    assert code == 0
    names = {info.alias or name for name, info in spec.model_fields.items()}
    assert set(json.loads(out)["properties"]) == names


def test_shipped_links_are_those_of_the_docs():
    noc = load(Noc, "noc_64b", "configs/meshes")
    assert (noc.link_bandwidth_bytes_per_s.value, noc.hop_latency_s.value) == (64e9, 2e-9)
    assert noc.wire_energy_j_per_byte.value == pytest.approx(8 * 0.15e-12)
