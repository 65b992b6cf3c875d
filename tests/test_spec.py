"""From YAML to specs: the place and the cure of every mistake, and what files may not do."""

import json
import os
import shutil

import jsonschema
import pytest

from star_watos.explore.serving import ServingExploration
from star_watos.explore.star import CoreExploration
from star_watos.explore.star_mesh import MeshExploration
from star_watos.explore.watos import WaferExploration
from star_watos.spec import InputError, load, locate, names, parse, read, root, scalar, validate
from star_watos.star import Between, Core, Sparsity
from star_watos.star.spatial import Noc
from star_watos.technology.arithmetic import Arithmetic
from star_watos.technology.core import CoreTechnology
from star_watos.technology.scaling import ScalingTable
from star_watos.technology.wafer import WaferTechnology
from star_watos.validate.accelerators import Accelerator
from star_watos.watos import Wafer
from star_watos.workload import load_model

CORE = (root() / "configs" / "cores" / "star_28nm.yaml").read_text()
WAFER = (root() / "configs" / "wafers" / "watos_config3.yaml").read_text()
PROFILE = """\
name: mine
keep_ratio: 0.1
kv_ratio: 0.2
accuracy_loss: 0
seq_len: 4k
source: "made up for a test"
"""


def said(call, *arguments):
    """Return the lines of the error of a call."""
    with pytest.raises(InputError) as caught:
        call(*arguments)
    return str(caught.value).split("\n")


def mistakes(text, spec=Sparsity, overrides=()):
    return said(lambda: validate(spec, parse(text, "f.yaml"), overrides))


def written(folder, name, text):
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


# Mistakes and their places.


def test_five_mistakes_are_said_at_once_each_at_its_place():
    text = """\
name: core
technology: 29nm
node: 28
frequency: 1 ghz
queries: 128
dlzs: {columns: 32, int8_rate: 2}
sads:
  inputs: 16
  survivors: 4
kv_generation: {colums: 4}
sufa: {columns: 3}
score_bits: true
sram:
  token: {capacity: 192 KiB, banks: 6, word_bits: 512}
  weight: {capacity: 96 KiB, banks: 6, word_bits: 512}
  temp: {capacity: 28 KiB, banks: 2, word_bits: 512}
dram: {bandwidth: 512 GB/s}
"""
    assert mistakes(text, Core) == [
        (
            "f.yaml:2:1  technology: 29nm: no such file, nor a shipped one "
            "(shipped: 28nm, 5nm, 5nm_wse, 7nm, 7nm_wse, arithmetic, stillmaker; "
            "did you mean 28nm?)"
        ),
        (
            "f.yaml:4:1  frequency: expected a number and one of Hz, kHz, MHz, GHz, THz, PHz, "
            "got '1 ghz'"
        ),
        "f.yaml:10:1  kv_generation.columns: required, but missing",
        "f.yaml:10:17  kv_generation.colums: unknown field (did you mean columns?)",
        "f.yaml:11:8  sufa.columns: expected a multiple of 2, got 3",
        "f.yaml:12:1  score_bits: expected a whole number, got True",
    ]


@pytest.mark.parametrize(
    ("line", "becomes", "says"),
    [
        ("name: mine", "name: 12", "f.yaml:1:1  name: expected a valid string, got 12"),
        ("name: mine", "", "f.yaml:1:1  name: required, but missing"),
        (
            "keep_ratio: 0.1",
            "keep_ratio: 1e999",
            "f.yaml:2:1  keep_ratio: expected -1e300 to 1e300",
        ),
        ("keep_ratio: 0.1", "keep_ratio: .inf", "keep_ratio: expected a number, got '.inf'"),
        ("keep_ratio: 0.1", "keep_ratio: nan", "keep_ratio: expected a number, got 'nan'"),
        ("keep_ratio: 0.1", "keep_ratio: yes", "keep_ratio: expected a number, got 'yes'"),
        ("keep_ratio: 0.1", "keep_ratio: on", "keep_ratio: expected a number, got 'on'"),
        ("keep_ratio: 0.1", "keep_ratio: true", "keep_ratio: expected a number, got True"),
        ("keep_ratio: 0.1", "keep_ratio:", "keep_ratio: expected a number, got None"),
        ("keep_ratio: 0.1", "keep_ratio: 1:30", "keep_ratio: expected a number, got '1:30'"),
        ("keep_ratio: 0.1", "keep_ratio: 2026-01-31", "expected a number, got '2026-01-31'"),
        ("keep_ratio: 0.1", "keep_ratio: [0.1]", "keep_ratio: expected a number, got [0.1]"),
        ("keep_ratio: 0.1", "keep_ratio: {a: 1}", "keep_ratio: expected a number, got {'a': 1}"),
        ("keep_ratio: 0.1", "keep_ratio: 0", "keep_ratio: expected greater than 0, got 0"),
        ("kv_ratio: 0.2", "kv_ratio: 2", "kv_ratio: expected less than or equal to 1, got 2"),
        ("kv_ratio: 0.2", "kv_ratio: 0.05", "f.yaml:1:1  kv_ratio 0.05 is below keep_ratio 0.1"),
        ("seq_len: 4k", "seq_len: 2T", "f.yaml:5:1  seq_len: expected a number and one of k, K"),
        ("seq_len: 4k", f"seq_len: 1{'0' * 5000}", "seq_len: expected 1 to 1024G, got inf"),
        ("seq_len: 4k", f"seq_len: {'9' * 299}", "seq_len: expected 1 to 1024G, got 99999"),
        ("seq_len: 4k", "seq_len: 4.5", "seq_len: expected a whole number of tokens, got 4.5"),
        ("seq_len: 4k", 'seq_len: ""', "seq_len: expected a number and one of k, K, M, G or no"),
        ("source: ", 'source: ""\nx: ', "source: expected"),
        (
            "seq_len: 4k",
            "seq_lne: 4k",
            "f.yaml:5:1  seq_lne: unknown field (did you mean seq_len?)",
        ),
        ("seq_len: 4k", "seq_len: 4k\nqzx: 1", "f.yaml:6:1  qzx: unknown field; allowed: name, k"),
        ("seq_len: 4k", "seq_len: 4k\nname: b", "f.yaml:6:1  name: key given twice (first on li"),
        ("seq_len: 4k", 'seq_len: 4k\n"a\\nb\\0": 1', "f.yaml:6:1  a\\nb\\x00: unknown field"),
        ("seq_len: 4k", "seq_len: 4k\n12: 1", "f.yaml:6:1  12: unknown field"),
        ("seq_len: 4k", "seq_len: 4k\n? [a]\n: 1", "f.yaml:6:3  a key must be plain text"),
        ("seq_len: 4k", f"seq_len: {'x' * 3000}", "..."),
    ],
)
def test_a_mistake_is_named(line, becomes, says):
    assert line in PROFILE
    assert any(says in found for found in mistakes(PROFILE.replace(line, becomes)))
    assert all(len(found) < 300 for found in mistakes(PROFILE.replace(line, becomes)))


@pytest.mark.parametrize(
    "changed",
    [
        PROFILE.replace("4k", '"4096"'),
        PROFILE.replace("4k", "4096.0"),
        PROFILE.replace("0.1", '"0.1"'),
        PROFILE.replace("0.1", "1.E-1"),
        PROFILE.replace("\n", "\r\n"),
        "\ufeff" + PROFILE,
        "---\n" + PROFILE + "...\n",
        "# Kommentar: äöü \U0001f600\n" + PROFILE,
        PROFILE.replace("seq_len: 4k", "seq_len:\n  4k # tokens"),
        json.dumps(dict(line.split(": ") for line in PROFILE.replace('"', "").splitlines())),
    ],
)
def test_other_ways_to_write_the_same(changed):
    mine = validate(Sparsity, parse(changed, "f.yaml"))
    assert mine == validate(Sparsity, parse(PROFILE, "f.yaml"))


def test_words_for_yes_stay_text_in_a_name():
    name = validate(Sparsity, parse(PROFILE.replace("mine", "on"), "f.yaml")).name
    assert name == "on"


@pytest.mark.parametrize("text", ["", "# nothing\n", "~", "x", "12", "[1, 2]", "- a\n- b"])
def test_a_file_that_is_no_mapping(text):
    (line,) = mistakes(text)
    assert line.startswith("f.yaml:1:1  expected a mapping of keys to values, got ")


def test_a_wrong_file_does_not_fill_the_screen():
    text = "".join(f"token{i}: {i}\n" for i in range(30_000))
    lines = mistakes(text)
    assert len(lines) == 101
    assert lines[0].startswith("f.yaml:1:1  and 29,9")


# What YAML may not do.


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a: &x 1\nb: *x", "f.yaml:1:4  anchors and aliases are not allowed; write the value out"),
        ("a: &x 1\n*x : 2", "f.yaml:2:1  anchors and aliases are not allowed"),
        ("a: 1\nb: {<<: *x}", "f.yaml:2:9  anchors and aliases are not allowed"),
        (
            "a: !!python/object:os.system x",
            "f.yaml:1:4  tags are not allowed: tag:yaml.org,2002:py",
        ),
        ("a: !!int 1", "tags are not allowed: tag:yaml.org,2002:int"),
        ("a: 1\n---\nb: 2", "f.yaml:2:1  a second document in the file; only one is allowed"),
        ("[" * 100_000, "nested more than 40 levels deep"),
        ("[" * 50, "f.yaml:1:41  nested more than 40 levels deep"),
        ("{a: " * 100_000, "nested more than 40 levels deep"),
        ("a: [1", "f.yaml:2:1  not YAML: did not find expected ',' or ']'"),
        ("a: 'x", "not YAML: found unexpected end of stream"),
        ("a:\n\t- 1", "f.yaml:2:1  not YAML: found character that cannot start any token"),
        ("a: 1\nb\n", "not YAML: could not find expected ':'"),
        ("é: 1\nb: \0", "f.yaml:2:4  not YAML: character U+0000 is not allowed"),
        ("a: \x1b[31m", "f.yaml:1:4  not YAML: character U+001B is not allowed"),
        ("a: \udcff", "f.yaml  not UTF-8 text (character 4)"),
    ],
)
def test_what_yaml_may_not_do(text, says):
    assert any(line.startswith(says) or says in line for line in said(parse, text, "f.yaml"))


def test_all_duplicates_point_at_the_first():
    lines = list(map(str, parse("a: 1\n" * 3 + "b: {c: 1, c: 2}", "f.yaml").repeats))
    assert lines == [
        "f.yaml:2:1  a: key given twice (first on line 1); only one is allowed",
        "f.yaml:3:1  a: key given twice (first on line 1); only one is allowed",
        "f.yaml:4:11  b.c: key given twice (first on line 4); only one is allowed",
    ]
    assert len(said(parse, "a: 1\n" * 10_000, "f.yaml")) == 100


def test_a_key_given_twice_does_not_hide_other_mistakes():
    text = PROFILE.replace("keep_ratio: 0.1", "keep_ratio: 2").replace("seq_len", "seqlen")
    lines = said(validate, Sparsity, parse(text + "name: again\n", "f.yaml"))
    assert lines == [
        "f.yaml:1:1  seq_len: required, but missing",
        "f.yaml:2:1  keep_ratio: expected less than or equal to 1, got 2",
        "f.yaml:5:1  seqlen: unknown field (did you mean seq_len?)",
        "f.yaml:7:1  name: key given twice (first on line 1); only one is allowed",
    ]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"a: \xff", "not UTF-8 text (byte 3)"),
        (PROFILE.encode("utf-16"), "not UTF-8 text (byte 0)"),
        (b"a: " + b"x" * 3_000_000, "file of 3,000,003 bytes; at most 2,000,000 are read"),
    ],
)
def test_files_that_are_not_read(tmp_path, content, says):
    path = written(tmp_path, "f.yaml", content)
    assert said(load, Sparsity, str(path), "configs/sparsity") == [f"{path}  {says}"]


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    assert said(read, tmp_path / "pipe") == [f"{tmp_path / 'pipe'}  is not a file"]


def test_a_folder_is_no_file(tmp_path):
    text = "is a folder, not a file"
    assert said(load, Sparsity, str(tmp_path), "configs/sparsity") == [f"{tmp_path}  {text}"]


@pytest.mark.parametrize("name", ["", "a\0b", "x" * 5000, "../..", "sofa_2pc", "a\nb"])
def test_names_that_mean_nothing(name):
    (line,) = said(locate, name, "configs/sparsity")
    assert "no such file, nor a shipped one (shipped: " in line or "is a folder" in line
    assert line.isprintable()
    assert ("did you mean sofa_2pct?" in line) == (name == "sofa_2pc")


# JSON.


def test_json_may_write_a_character_as_two_surrogates(tmp_path):
    model = json.loads((root() / "configs" / "models" / "llama2_7b.json").read_text())
    model["pad"] = "\U0001f600 \\ud83d"
    text = json.dumps(model, indent=1)
    assert "\\ud83d\\ude00 \\\\ud83d" in text
    path = written(tmp_path, "m.json", text)
    assert read(path).data == model
    assert load_model(str(path)).n_params == load_model("llama2_7b").n_params
    broken = written(tmp_path, "n.json", text.replace('": 32', '": 0.5', 1))
    (line,) = said(load_model, str(broken))
    number = next(i for i, t in enumerate(broken.read_text().split("\n"), 1) if ": 0.5" in t)
    assert line.startswith(f"{broken}:{number}:2  ")


def test_half_a_character_is_refused(tmp_path):
    path = written(tmp_path, "m.json", '{\n "a": "\\ud83d"}')
    assert said(read, path) == [
        f"{path}:2:10  not YAML: found invalid Unicode character escape code"
    ]


def test_json_may_be_indented_with_tabs(tmp_path):
    data = {"a": [1, -2.5e3, None, True, "é/\n\t"], "b": {"c:d": "#"}}
    for text in (json.dumps(data, indent="\t"), json.dumps(data, separators=(",", ":"))):
        assert read(written(tmp_path, "m.json", text)).data == data


# References.


@pytest.fixture
def core_folder(tmp_path):
    shutil.copy(root() / "configs" / "technologies" / "28nm.yaml", tmp_path / "own.yaml")
    return tmp_path


def test_a_reference_is_a_name_a_path_beside_the_file_or_the_thing_itself(core_folder):
    by_name = load(Core, "star_28nm", "configs/cores")
    beside = written(core_folder, "core.yaml", CORE.replace("28nm\nnode", "own.yaml\nnode"))
    inline = (core_folder / "own.yaml").read_text().replace("\n", "\n  ")
    here = written(core_folder, "b.yaml", CORE.replace("28nm\nnode", f"\n  {inline}\nnode"))
    assert load(Core, str(beside), "configs/cores") == by_name
    assert load(Core, str(here), "configs/cores") == by_name


def test_mistakes_in_a_referenced_file_are_placed_there(core_folder):
    own = core_folder / "own.yaml"
    own.write_text(
        own.read_text().replace("3.92 pJ/bit", "3.92 pj/bit").replace("mac_int16", "mac")
    )
    core = written(core_folder, "core.yaml", CORE.replace("28nm\nnode", "own.yaml\nnode"))
    assert said(load, Core, str(core), "configs/cores") == [
        f"{own}:1:1  technology.mac_int16: required, but missing",
        (
            f"{own}:21:1  technology.mac: unknown field; allowed: node, idle_share, shift_pe, "
            "mac_int4, sort_lane, mac_int16, softmax_lane, controller_lane, dram_energy, "
            "interface_energy"
        ),
        (
            f"{own}:30:15  technology.dram_energy.value: expected a number and one of mJ/B, uJ/B, "
            "nJ/B, pJ/B, fJ/B, mJ/bit, uJ/bit, nJ/bit, pJ/bit, fJ/bit, got '3.92 pj/bit'"
        ),
    ]


def test_a_reference_to_a_broken_file(core_folder):
    (core_folder / "own.yaml").write_text("node: [")
    core = written(core_folder, "core.yaml", CORE.replace("28nm\nnode", "own.yaml\nnode"))
    (line,) = said(load, Core, str(core), "configs/cores")
    assert line.startswith(f"{core_folder / 'own.yaml'}:2:1  not YAML: ")
    (core_folder / "own.yaml").write_bytes(b"\xff")
    (line,) = said(load, Core, str(core), "configs/cores")
    assert line == f"{core}:3:1  technology: {core_folder / 'own.yaml'}: not UTF-8 text (byte 0)"


def test_a_list_of_more_names_than_any_list_holds_is_not_followed():
    text = f"between: [{', '.join(f'no{i}' for i in range(20_000))}]\nat: 0"
    lines = mistakes(text, Between)
    assert sum("no such file" in line for line in lines) == 16
    assert len(lines) < 130


def test_the_digits_of_a_long_text_are_read_once():
    assert scalar("1" * 400_000 + "x").endswith("1x")


def test_a_file_that_names_itself_is_no_mapping(core_folder):
    (core_folder / "own.yaml").write_text("own.yaml")
    core = written(core_folder, "core.yaml", CORE.replace("28nm\nnode", "own.yaml\nnode"))
    (line,) = said(load, Core, str(core), "configs/cores")
    assert "technology: expected a mapping of keys to values, got 'own.yaml'" in line


# Overrides.


def core(*overrides):
    return load(Core, "star_28nm", "configs/cores", overrides)


def test_overrides_reach_into_referenced_files():
    own = core(
        "technology.mac_int16.area.value=2000 um2",
        "sram.token={capacity: 1 MiB, banks: 4, word_bits: 64}",
        "name=a=b",
        "queries=64",
        "queries=32",
    )
    assert own.technology.mac_int16.area_mm2.value == 2e-3
    assert (own.sram.token.banks, own.sram.weight.banks) == (4, 8)
    assert (own.name, own.queries) == ("a=b", 32)
    assert core("technology=28nm") == core()


@pytest.mark.parametrize(
    ("override", "says"),
    [
        ("queries=0", "--set queries  queries: expected greater than or equal to 1, got 0"),
        ("queries=", "--set queries  queries: expected a whole number, got None"),
        ("quereis=1", "--set quereis  quereis: unknown field (did you mean queries?)"),
        (
            "sram.tokn.banks=1",
            "--set sram.tokn.banks  sram.tokn: unknown field (did you mean token?)",
        ),
        (
            "sram.token.banks.x=1",
            "--set sram.token.banks.x  sram.token.banks: expected a whole numb",
        ),
        ("sram=5", "--set sram  sram: expected a mapping of keys to values, got 5"),
        ("technology=28nn", "--set technology  technology: 28nn: no such file, nor a shipped one"),
        ("queries", "--set  queries: expected key.path=value"),
        ("=1", "--set  =1: expected key.path=value"),
        ("a..b=1", "--set  a..b=1: expected key.path=value"),
        (".a=1", "--set  .a=1: expected key.path=value"),
        ("a." * 50 + "a=1", "expected key.path=value"),
        ("queries=[1", "--set queries  not YAML: did not find expected ',' or ']'"),
        ("queries=&a 1", "--set queries  anchors and aliases are not allowed"),
        ("name=\udcff", "--set name  not UTF-8 text (character 1)"),
        ("x\ny=1", "--set x\\ny  x\\ny: unknown field"),
    ],
)
def test_a_wrong_override_is_named(override, says):
    lines = said(core, override)
    assert any(line.startswith(says) or says in line for line in lines), lines


@pytest.mark.parametrize(
    ("override", "says"),
    [
        ("nodes.0.area=-1", "--set nodes.0.area  nodes[0].area: expected greater than 0, got -1"),
        ("nodes.99.area=1", "--set nodes.99.area  there is no such place in the file"),
        ("nodes.x=1", "--set nodes.x  there is no such place in the file"),
        ("nodes.-1.area=1", "--set nodes.-1.area  there is no such place in the file"),
        (f"nodes.{'9' * 5000}.area=1", "there is no such place in the file"),
    ],
)
def test_overrides_of_lists(override, says):
    (line,) = said(load, ScalingTable, "stillmaker", "configs/technologies", [override])
    assert line.startswith(says) or says in line
    table = load(ScalingTable, "stillmaker", "configs/technologies", ["nodes.0.area=2"])
    assert table.nodes[0].area == 2


def test_mistakes_of_the_file_and_of_overrides_come_together():
    lines = mistakes(PROFILE.replace("0.2", "2"), overrides=["keep_ratio=0", "x", "seq_len=["])
    assert [line.split("  ")[0] for line in lines] == [
        "--set",
        "--set keep_ratio",
        "--set seq_len",
        "f.yaml:3:1",
    ]


# JSON Schemas.

SHIPPED = {
    "configs/cores": Core,
    "configs/wafers": Wafer,
    "configs/sparsity": Sparsity,
    "configs/technologies/28nm": CoreTechnology,
    "configs/technologies/5nm": WaferTechnology,
    "configs/technologies/7nm": WaferTechnology,
    "configs/technologies/arithmetic": Arithmetic,
    "configs/technologies/stillmaker": ScalingTable,
    "configs/accelerators": Accelerator,
    "configs/meshes": Noc,
    "sweeps/ci_star": CoreExploration,
    "sweeps/star_mesh": MeshExploration,
    "sweeps/star": CoreExploration,
    "sweeps/ci_watos": WaferExploration,
    "sweeps/watos_serving": ServingExploration,
    "sweeps/watos": WaferExploration,
}
FILES = [
    f"{folder}/{name}"
    for folder in (
        "configs/cores",
        "configs/wafers",
        "configs/sparsity",
        "configs/technologies",
        "configs/accelerators",
        "configs/meshes",
    )
    for name in names(folder)
] + [f"sweeps/{name}" for name in names("sweeps")]


def checker(kind):
    schema = kind.model_json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


@pytest.mark.parametrize("name", FILES)
def test_shipped_files_keep_to_their_schema(name):
    kind = next(kind for start, kind in SHIPPED.items() if name.startswith(start))
    checker(kind).validate(read(root() / f"{name}.yaml").data)


@pytest.mark.parametrize(
    ("kind", "text", "old", "new"),
    [
        (Core, CORE, "queries: 128", "queries: many"),
        (Core, CORE, "queries: 128", "querys: 128"),
        (Core, CORE, "technology: 28nm", "technology: 28"),
        (Core, CORE, "name: star_28nm", ""),
        (Wafer, WAFER, "rows: 7", "rows: 0"),
        (Wafer, WAFER, "frequency: 2.134 GHz", "frequency: [2.134 GHz]"),
    ],
)
def test_editors_underline_what_is_wrong(kind, text, old, new):
    assert text.count(old) == 1
    data = parse(text.replace(old, new), "f.yaml").data
    assert not checker(kind).is_valid(data)
    assert checker(kind).is_valid(parse(text, "f.yaml").data)
