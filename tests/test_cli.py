"""What users type: help, exit codes, what goes to which stream, and every mistake before work."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from star_watos.cli.star import app as star
from star_watos.cli.watos import app as watos
from star_watos.errors import InputError
from star_watos.units import show

BIN = Path(sys.executable).parent
HEAVY = ("numpy", "pydantic", "yaml", "optuna", "pandas", "moocore", "matplotlib")
SEARCH = ("optuna", "pandas", "moocore", "matplotlib")
STAR_METRICS = {
    "latency_s",
    "throughput_gops",
    "energy_j",
    "power_w",
    "area_mm2",
    "energy_efficiency_gops_per_w",
    "area_efficiency_gops_per_mm2",
    "dram_bytes",
    "utilization",
}
STAR_DOCUMENT = {
    "schema",
    "design",
    "workload",
    "metrics",
    "stages",
    "memory_s",
    "spilled_score_bytes",
    "area_mm2",
    "power_w",
    "energy_j",
    "bound",
    "sensitivity",
    "event",
}
STAR_STAGE = {"latency_s", "stall_s", "energy_j", "ops", "dram_bytes", "utilization"}
WATOS_METRICS = {
    "iteration_s",
    "tokens_per_s",
    "flops_per_s_per_die",
    "mfu",
    "hfu",
    "memory_per_die_bytes",
    "memory_capacity_bytes",
    "dram_utilization",
    "energy_per_token_j",
    "power_w",
    "area_mm2",
    "wafer_cost_usd",
    "yield",
}
PLAN = {
    "tp",
    "tp_shape",
    "pp",
    "dp",
    "sp",
    "ep",
    "microbatch",
    "schedule",
    "recompute",
    "placement",
}
RUN = {
    "seed",
    "version",
    "config_hash",
    "wall_s",
    "outer_trials",
    "points_evaluated",
    "infeasible",
    "hypervolume",
    "time_s",
}


def strict(text):
    """Return the one JSON document in `text`, refusing what is no JSON."""

    def refuse(name):
        raise AssertionError(name)

    return json.loads(text, parse_constant=refuse)


def outside(*command, **options):
    return subprocess.run(
        [BIN / command[0], *command[1:]],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        **options,
    )


# Help and version.


@pytest.mark.parametrize("app", [star, watos])
def test_without_arguments_there_is_help(run, app):
    code, out, err = run(app)
    assert (code, err) == (0, "")
    assert "simulate" in out
    assert out.strip() == run(app, "--help")[1].strip() == run(app, "-h")[1].strip()


@pytest.mark.parametrize("app", [star, watos])
@pytest.mark.parametrize("command", ["simulate", "explore", "validate", "schema"])
def test_every_command_has_help(run, app, command):
    code, out, err = run(app, command, "--help")
    assert (code, err) == (0, "")
    assert out.count("--") > 0


@pytest.mark.parametrize("name", ["star", "watos"])
def test_the_installed_command_prints_its_version(name, tmp_path):
    result = outside(name, "--version", cwd=tmp_path)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.startswith(f"{name} ")
    assert list(tmp_path.iterdir()) == []


LOADED = """
import sys
from star_watos.cli import common
from star_watos.cli.{name} import app
sys.argv = {argv}
try:
    common.guard(app)
except SystemExit as end:
    assert not end.code, end.code
print(*sorted(set({heavy}) & set(sys.modules)), file=sys.stderr)
"""


@pytest.mark.parametrize(
    ("argv", "heavy"),
    [
        (["star", "--help"], HEAVY),
        (["watos", "--help"], HEAVY),
        (["watos", "explore", "--help"], ("numpy", "yaml", *SEARCH)),
        (["star", "simulate", "--seq-len", "4k"], SEARCH),
        (["watos", "simulate"], SEARCH),
    ],
)
def test_a_command_loads_no_more_than_it_needs(argv, heavy):
    program = LOADED.format(name=argv[0], argv=argv, heavy=heavy)
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert (result.returncode, result.stderr) == (0, "\n")


# JSON.


def test_star_simulate_prints_one_json_document(run):
    code, out, err = run(star, "simulate", "--json")
    assert code == 0
    document = strict(out)
    assert set(document) == STAR_DOCUMENT
    assert document["schema"] == "star-simulate/1"
    assert document["workload"]["seq_len"] == 131_072
    assert document["workload"]["phase"] == "prefill"
    assert {"model", "seq_len", "keep_ratio"} <= set(document["workload"])
    assert set(document["metrics"]) >= STAR_METRICS
    assert document["bound"] in {"compute", "sram", "dram", "noc", "predict", "sort"}
    fast, slow = document["workload"]["extrapolation"]["latency_s_band"]
    assert slow == document["metrics"]["latency_s"]
    assert err == (
        "note: keep ratio 0.074 was measured up to 4,096 tokens; at 131,072 tokens 32^0 times that "
        "is used, 0.074. Exponents from -1 to 0 give 0.002312 to 0.074 and a latency of "
        f"{show(fast, 's')} to {show(slow, 's')}\n"
    )


def test_parts_of_a_core_add_up_in_json(run):
    document = strict(run(star, "simulate", "--json", "--seq-len", "4k")[1])
    metrics = document["metrics"]
    assert list(document["stages"]) == ["predict", "sort", "kv_generation", "attention"]
    for stage in document["stages"].values():
        assert set(stage) == STAR_STAGE
        assert stage["latency_s"] + stage["stall_s"] == pytest.approx(metrics["latency_s"])
        assert stage["utilization"] == pytest.approx(stage["latency_s"] / metrics["latency_s"])
    for total, blocks in (("area_mm2", "area_mm2"), ("power_w", "power_w"), ("energy_j",) * 2):
        assert sum(document[blocks].values()) == pytest.approx(metrics[total])
    moved = sum(stage["dram_bytes"] for stage in document["stages"].values())
    assert moved == pytest.approx(metrics["dram_bytes"])
    assert set(document["memory_s"]) == {"token", "weight", "temp", "dram"}
    assert document["event"] is None


def test_changes_of_a_core_are_sorted_in_json(run):
    document = strict(run(star, "simulate", "--json", "--seq-len", "4k")[1])
    changes = document["sensitivity"]
    for change in changes:
        assert set(change) == {"resource", "factor", "latency", "energy", "area"}
        assert change["factor"] == 2
    latencies = [change["latency"] for change in changes]
    assert latencies == sorted(latencies)
    assert len({change["resource"] for change in changes}) == len(changes)


def test_watos_simulate_prints_one_json_document(run):
    code, out, err = run(watos, "simulate", "--json")
    assert (code, err) == (0, "")
    document = strict(out)
    assert document["schema"] == "watos-simulate/1"
    assert {"model", "seq_len", "global_batch"} <= set(document["workload"])
    assert set(document["metrics"]) >= WATOS_METRICS
    assert set(document["plan"]) >= PLAN
    assert len(document["plan"]["recompute"]) == document["plan"]["pp"] == len(document["stages"])
    assert set(document["time_s"]) >= {
        "compute",
        "recompute",
        "tp_comm",
        "pp_comm",
        "dp_comm",
        "ep_comm",
        "bubble",
        "remote_memory",
        "optimizer",
    }
    total = document["metrics"]["iteration_s"]
    assert sum(document["time_s"].values()) == pytest.approx(total)
    for stage in document["stages"]:
        keys = {"stage", "forward_s", "backward_s", "memory_bytes", "recompute_share"}
        assert set(stage) >= keys
    assert document["bound"] in {"compute", "dram", "d2d", "memory_capacity", "bubble"}


@pytest.mark.parametrize(("app", "sweep"), [(star, "ci_star"), (watos, "ci_watos")])
def test_explore_prints_one_json_document_and_writes_the_files(run, app, sweep):
    options = ["--trials", 8, "--jobs", 1, "--out", "o", "--set", "search.sampler=random"]
    options += ["--set", "expect=~"]
    code, out, err = run(app, "explore", sweep, *options, "--json")
    assert (code, err) == (0, "")
    document = strict(out)
    assert set(document) >= RUN | {"schema", "front"}
    assert document["outer_trials"] == 8
    assert set(document["time_s"]) == {"model", "sampler", "io", "other"}
    files = {"journal.jsonl", "pareto.csv", "report.html", "run.json", "trials.csv"}
    assert {p.name for p in Path("o").iterdir()} == files
    assert strict(Path("o/run.json").read_text()).items() <= document.items()


@pytest.mark.parametrize("app", [star, watos])
def test_schemas_are_json(run, app):
    code, out, err = run(app, "schema")
    assert (code, err) == (0, "")
    assert strict(out)["type"] == "object"


# Mistakes: exit code 2, one line on stderr, nothing on stdout.

SIMULATE_MISTAKES = [
    (star, "--seq-len 0", "--seq-len  seq_len: expected 1 to 1024G, got '0'"),
    (star, "--seq-len -5", "--seq-len  seq_len: expected 1 to 1024G, got '-5'"),
    (star, "--seq-len 1e999", "--seq-len  seq_len: expected 1 to 1024G, got '1e999'"),
    (star, "--seq-len 1000000000000", "--seq-len  seq_len: expected less than or equal to 17,179,"),
    (star, "--seq-len 1.5", "--seq-len  seq_len: expected a whole number of tokens, got '1.5'"),
    (star, "--seq-len 4KB", "--seq-len  seq_len: expected a number and one of k, K, M, G or no "),
    (star, "--seq-len 4k --queries 5k", "star simulate  5120 queries, but only 4096 keys"),
    (star, "--keep-ratio 0", "--keep-ratio  sparsity.keep_ratio: expected greater than 0, got 0.0"),
    (star, "--keep-ratio 2", "--keep-ratio  sparsity.keep_ratio: expected less than or equal to 1"),
    (star, "--keep-ratio nan", "--keep-ratio  sparsity.keep_ratio: expected a finite number, got "),
    (star, "--keep-ratio .5 --kv-ratio .1", "--kv-ratio  sparsity: kv_ratio 0.1 is below keep_ra"),
    (star, "--model llama3_7b", "llama3_7b  no such file, nor a shipped one (shipped: bloom_176b"),
    (star, "--model deepseek_v3", "deepseek_v3  latent attention (MLA) has no K/V rows of its own"),
    (star, "--sparsity sofa", "sofa  no such file, nor a shipped one (shipped: "),
    (
        star,
        "star_29nm",
        "star_29nm  no such file, nor a shipped one (shipped: star_28nm, star_28nm_half, ",
    ),
    (star, ".", ".  no such file, nor a shipped one"),
    (star, "..", "..  is a folder, not a file"),
    (
        star,
        "--set dram.bandwidth=1e-300",
        "--set dram.bandwidth  dram.bandwidth: expected 1 B/s to",
    ),
    (
        star,
        "--set dram.bandwidth=1e300",
        "--set dram.bandwidth  dram.bandwidth: expected 1 B/s to ",
    ),
    (star, "--set frequency=1e-9", "--set frequency  frequency: expected 1 Hz to 1 THz, got 1e-09"),
    (star, "--set technology.mac_int16.energy.value=1e300", "expected 0 J to 1 J, got 1e+300"),
    (star, "--set sram.temp.banks=4096", "4096 banks of 512 bits hold at least 262,144 B, but cap"),
    (watos, "--seq-len 1", "--seq-len  seq_len: expected greater than or equal to 2, got '1'"),
    (watos, "--tp 7", "--tp 7  no legal plan has it; possible: 1, 2, 4, 8, 16, 32"),
    (watos, "--tp-shape 2x", "--tp-shape 2x  expected rows x columns, such as 2x4"),
    (
        watos,
        "--tp-shape 0x4",
        "--tp-shape 0x?  no legal plan has it; possible: 1x?, ",
    ),
    (
        watos,
        "--tp-shape 1x3",
        "--tp-shape ?x3  no legal plan has it; possible: ?x1, ",
    ),
    (watos, "--tp 1 --sp", "--sp  no legal plan has it; possible: --no-sp"),
    (watos, "--dp 1 --zero 1", "--zero 1  no legal plan has it; possible: 0"),
    (watos, "--set d2d.bandwidth=1e-300", "--set d2d.bandwidth  d2d.bandwidth: expected 1 B/s to "),
    (watos, "--set die.operator_overhead=1e300", "expected 0 s to 1000000 s, got 1e+300"),
    (watos, "--set technology.mac_area.value=0", "mac_area.value: expected greater than or equal "),
    (
        watos,
        "--set technology.defect_density_per_mm2.value=1",
        "expected less than or equal to 0.05",
    ),
]


@pytest.mark.parametrize(("app", "arguments", "says"), SIMULATE_MISTAKES)
def test_a_mistake_is_one_line_and_2(run, app, arguments, says):
    code, out, err = run(app, "simulate", *arguments.split())
    assert (code, out) == (2, "")
    assert says in err
    assert err.count("\n") == 1


def test_too_many_plans_to_compare(run):
    room = ["--set", "grid={rows: 64, cols: 64}", "--set", "die.cores.rows=1"]
    room += ["--set", "usable_area=1e6", "--set", "usable_width=null"]
    room += ["--set", "usable_height=null", "--set", "technology.dram_edge=null"]
    code, _, err = run(
        watos, "simulate", *room, "--model", "gpt3_175b", "--global-batch", 14_414_400
    )
    assert code == 2
    assert err.startswith("--global-batch  more than 500,000 ways to split 14,414,400 sequences")


@pytest.mark.parametrize(
    ("app", "arguments"),
    [
        (star, ["nonsense"]),
        (star, ["simulate", "--nonsense"]),
        (star, ["simulate", "a", "b"]),
        (star, ["simulate", "--tile", "0"]),
        (star, ["simulate", "--keep-ratio", "x"]),
        (star, ["explore"]),
        (star, ["explore", "ci_star", "--trials", "0"]),
        (star, ["explore", "ci_star", "--seed", "-1"]),
        (star, ["explore", "ci_star", "--jobs", "5000"]),
        (watos, ["simulate", "--tp", "0"]),
        (watos, ["simulate", "--global-batch", "0"]),
        (watos, ["simulate", "--zero", "9"]),
        (watos, ["simulate", "--recompute", "some"]),
    ],
)
def test_wrong_options_are_2(run, app, arguments):
    code, out, err = run(app, *arguments)
    assert (code, out) == (2, "")
    assert "Error" in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ("--plot gone/front.png", "--plot gone/front.png  there is no folder gone"),
        ("--plot front", "--plot front  expected a file name that ends in one of .pdf, .png, .svg"),
        ("--plot front.xyz", "--plot front.xyz  expected a file name that ends in one of .pdf"),
        ("--plot folder.png", "--plot folder.png  is a folder, not a file"),
        ("--time-limit 0", "--time-limit  expected more than 0 s and at most 10,000 h, got '0'"),
        ("--time-limit 1e999", "--time-limit  expected more than 0 s and at most 10,000 h, got '1"),
        ("--time-limit x", "--time-limit  expected a number and one of s, m, h or no unit, got '"),
        ("--out file", "file  cannot be written: File exists"),
        ("--out file/o", "file/o  cannot be written: Not a directory"),
        ("--out /dev/null/o", "/dev/null/o  cannot be written: Not a directory"),
        ("--out held", "held  holds a run already (pareto.csv); --force replaces it"),
        (
            "--set search.trails=3",
            "--set search.trails  search.trails: unknown field (did you mean",
        ),
        (
            "--set search.sampler=nsga",
            "expected 'nsga2', 'tpe', 'gp', 'random' or 'exhaustive', got",
        ),
    ],
)
def test_explore_refuses_before_it_searches(run, monkeypatch, arguments, says):
    def no_search(*_):
        raise AssertionError

    monkeypatch.setattr("star_watos.explore.run.Session.run", no_search)
    Path("file").touch()
    Path("folder.png").mkdir()
    Path("held").mkdir()
    Path("held/pareto.csv").touch()
    code, out, err = run(star, "explore", "ci_star", *arguments.split())
    assert (code, out) == (2, "")
    assert err.startswith(says) or says in err
    assert err.count("\n") == 1
    assert {p.name for p in Path().iterdir()} == {"file", "folder.png", "held"}


def test_a_run_is_replaced_with_force_only(run):
    command = ["explore", "ci_star", "--trials", 2, "--jobs", 1, "--out", "o"]
    assert run(star, *command)[0] == 0
    before = Path("o/run.json").read_bytes()
    assert run(star, *command)[0] == 2
    assert Path("o/run.json").read_bytes() == before
    assert run(star, *command, "--force")[0] == 0
    assert Path("o/run.json").read_bytes() != before


SWEEP = """\
kind: star-exploration
hardware: star_28nm
workload: {model: llama2_7b, seq_len: 4k, sparsity: sofa_2pct}
space:
  hardware.dlzs.colums: {choices: [16]}
  hardware.sufa.columns: {choices: [2, 3]}
  queries: {choices: [64]}
  hardware.name: {choices: ["[/a]", "12", "a: b"]}
objectives: {latency_s: minimize}
"""


def test_a_typo_in_the_space_is_placed(run):
    Path("s.yaml").write_text(SWEEP)
    code, out, err = run(star, "explore", "s.yaml")
    assert (code, out) == (2, "")
    assert err.split("\n") == [
        "s.yaml:5:3  space.hardware.dlzs.colums: unknown field (did you mean columns?)",
        "s.yaml:6:3  space.hardware.sufa.columns: expected a multiple of 2, got 3",
        "s.yaml:7:3  space.queries: expected a key path that begins with hardware. or workload.",
        "",
    ]


def test_text_in_a_space_stays_text(run):
    Path("s.yaml").write_text(
        "".join(SWEEP.splitlines(keepends=True)[i] for i in (0, 1, 2, 3, 7, 8))
    )
    code, out, err = run(star, "explore", "s.yaml", "--jobs", 1, "--out", "o", "--json")
    assert (code, err) == (0, "")
    assert {row["hardware.name"] for row in strict(out)["front"]} <= {"[/a]", "12", "a: b"}
    assert run(star, "explore", "s.yaml", "--jobs", 1, "--out", "p")[0] == 0


# What does not fit: exit code 4.


@pytest.mark.parametrize(
    ("app", "arguments", "says"),
    [
        (star, "--tile 1048576", "does not fit: score tile in temp SRAM needs "),
        (watos, "--set usable_area=1", "does not fit: dies and DRAM on the wafer needs "),
        (
            watos,
            "--set usable_height=185",
            "does not fit: height of 7 dies needs 185.1 mm, ",
        ),
        (
            watos,
            "--set gap=4mm",
            "does not fit: width of 8 dies needs 236.4 mm, has 215 mm",
        ),
        (watos, "--set power_limit=20kW", "does not fit: power of the wafer at full rate needs "),
        (
            watos,
            "--set dram.stacks_per_die=9 --set usable_area=46000",
            "does not fit: D2D and DRAM interfaces at the west edge of a die needs ",
        ),
        (
            watos,
            "--set redundancy.spare_dies=9 --set usable_area=46000",
            "does not fit: dies and spare dies on the wafer needs 65 dies, has 64 dies",
        ),
        (watos, "--seq-len 16M", "does not fit: memory of the fullest die needs "),
        (watos, "--set d2d.bandwidth=9e17", "does not fit: D2D in and out and DRAM at the die's e"),
    ],
)
@pytest.mark.parametrize("json_too", [[], ["--json"]])
def test_what_does_not_fit_is_4(run, app, arguments, says, json_too):
    code, out, err = run(app, "simulate", *arguments.split(), *json_too)
    assert (code, out) == (4, "")
    assert says in err.splitlines()[-1]


@pytest.mark.parametrize("json_too", [[], ["--json"]])
def test_a_search_that_finds_nothing_is_4_and_says_by_how_much(run, json_too):
    limit = ["--set", "constraints={area_mm2: {max: 1}}", "--out", "o", "--jobs", 1]
    code, out, err = run(star, "explore", "ci_star", *limit, *json_too)
    assert code == 4
    assert err.startswith("nothing fits; nearest miss: area_mm2 needs ")
    assert "over by" in err
    assert not json_too or strict(out)["front"] == []


# Sizes at the ends of what is allowed.


@pytest.mark.parametrize(
    ("app", "arguments"),
    [
        (star, "--seq-len 1"),
        (star, "--seq-len 16G"),
        (star, "--seq-len 16G --queries 1"),
        (star, "--seq-len 1e3"),
        (star, "--seq-len 128K --tile 7"),
        (star, "--seq-len 131_071 --keep-ratio 1e-300"),
        (star, "--keep-ratio 1"),
        (star, "--set dram.bandwidth=1"),
        (star, "--set frequency=1"),
        (
            star,
            "--set queries=65536 --set sram.token.capacity=4GiB --set sram.weight.capacity=4GiB",
        ),
        (watos, "--global-batch 1"),
        (watos, "--global-batch 16777216"),
        (watos, "--seq-len 2"),
        (watos, "--seq-len 4097 --global-batch 7"),
        (watos, "--set die.frequency=1"),
        (watos, "--set die.operator_overhead=1e6"),
        (watos, "--set d2d.bandwidth=1 --set dram.stack_bandwidth=1"),
        (watos, "--set technology.defect_density_per_mm2.value=0.05"),
    ],
)
def test_extremes_are_finite(run, app, arguments):
    arguments = arguments.replace("131_071", "131071").split()
    code, out, err = run(app, "simulate", "--json", *arguments)
    assert code in {0, 4}, err
    if code == 0:
        assert all(value is None or value >= 0 for value in strict(out)["metrics"].values())
    assert run(app, "simulate", *arguments)[0] == code


# Terminals.


def test_names_are_shown_as_they_are(run):
    _, out, _ = run(star, "simulate", "--set", "name='[/x] [red]y'")
    assert "[/x] [red]y" in out
    _, out, _ = run(watos, "simulate", "--set", "name='[/x] [red]y'")
    assert "[/x] [red]y" in out


def test_errors_are_printable_lines(run):
    code, _, err = run(star, "simulate", "a\nb\x1b[31m\udcff")
    assert code == 2
    assert err.startswith("a\\nb\\x1b[31m\\udcff  no such file")
    assert err.count("\n") == 1


def test_letters_that_the_terminal_lacks_are_written_out(tmp_path):
    environment = os.environ | {"PYTHONIOENCODING": "ascii"}
    result = outside("star", "simulate", "--set", "name=é", cwd=tmp_path, env=environment)
    assert result.returncode == 0
    assert result.stdout.startswith("\\xe9 (dlzs, sads, sufa, rass, cross-stage), llama2_7b")


@pytest.mark.parametrize(
    "command", [["star", "simulate"], ["watos", "simulate", "--json"], ["star", "--help"]]
)
def test_nobody_reads_on(tmp_path, command):
    """As in `star simulate | head -1`, but the reader is gone before the first line."""
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as pipe:
        result = subprocess.run(
            [BIN / command[0], *command[1:]],
            stdout=pipe,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            check=False,
            cwd=tmp_path,
        )
    assert result.returncode == 0
    assert all(line.startswith("note: ") for line in result.stderr.splitlines())


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is full")
def test_a_full_disk_is_said(tmp_path):
    with Path("/dev/full").open("wb") as full:
        result = subprocess.run(
            [BIN / "watos", "simulate", "--json"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            check=False,
            cwd=tmp_path,
        )
    assert (result.returncode, result.stderr) == (2, "file system: No space left on device\n")


def test_ctrl_c_keeps_what_was_found(tmp_path):
    command = [BIN / "watos", "explore", "watos_llama3_70b", "--out", "o", "--trials", "100000"]
    trials = tmp_path / "o" / "trials.csv"
    with subprocess.Popen(
        [*command, "--set", "search.sampler=random"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        start_new_session=True,
    ) as process:
        until = time.perf_counter() + 30
        while not trials.exists() or trials.read_text().count("\n") < 2:
            assert process.poll() is None
            assert time.perf_counter() < until
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGINT)
        _, err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "Traceback" not in err
    assert err.endswith("interrupted; what was found is on disk, and --resume goes on from it\n")
    run = strict((tmp_path / "o" / "run.json").read_text())
    assert run["interrupted"] is True
    assert (tmp_path / "o" / "pareto.csv").read_text().count("\n") == run["front_size"] + 1 > 1


def test_an_error_of_many_problems_is_printed_line_by_line(run):
    def broken():
        raise InputError([*InputError.of("b", "two").problems, *InputError.of("a", "one").problems])

    assert run(broken) == (2, "", "a  one\nb  two\n")
