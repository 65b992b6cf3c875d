"""Published accelerators from their resources: arithmetic by hand, properties, sources."""

import json
import math
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from typer.testing import CliRunner

from star_watos.cli.star import app
from star_watos.report.validation import print_comparisons
from star_watos.spec import InputError, load, names, parse, root, validate
from star_watos.technology.arithmetic import Operation, Style, arithmetic
from star_watos.technology.scaling import area_scale, energy_scale
from star_watos.technology.sram import (
    scaled_bank,
    sram_bank,
    sram_range,
    sram_range_note,
    sram_within,
)
from star_watos.validate.accelerators import (
    FOLDER,
    Accelerator,
    accelerator_comparisons,
    accelerators,
    block_area_mm2,
    block_power_w,
    extrapolated,
)
from star_watos.validate.memories import sram_comparisons

DESIGNS = {design.name: design for design in accelerators()}
ROWS = accelerator_comparisons()
STYLES = list(Style)
GIVEN = """
name: mine
node: 45
frequency: 1 GHz
published:
  area: {value: 1 mm2, source: made up for a test}
  power: {value: 1 W, source: made up for a test}
blocks:
  - name: all
    source: made up for a test
    units: [{operation: mac, format: int8, count: 1000}]
    srams: [{name: buffer, capacity: 64 KiB, banks: 2}]
"""


def made(text=GIVEN):
    return validate(Accelerator, parse(text, "f.yaml"))


def whole(design, style=Style.PIPELINED):
    tech = arithmetic()
    return (
        sum(block_area_mm2(design, block, tech, style) for block in design.blocks),
        sum(block_power_w(design, block, tech, style) for block in design.blocks),
    )


# By hand.


def test_a_design_by_hand():
    """At 45 nm, the table's own node.

    A MAC of 8 bits is 282 um2 and 0.2 pJ, with an adder of 32 bits of 4 x 36 um2 and 4 x 0.03 pJ:
    426 um2 and 0.32 pJ; 1,000 are 0.426 mm2, and 0.85 x 1 GHz x 320 pJ = 0.272 W.
    """
    bank = sram_bank(32_768, 512, 45)
    area, power = whole(made(), Style.BARE)
    assert area == pytest.approx(0.426 + 2 * bank.area_mm2)
    assert power == pytest.approx(0.272 + 2 * (0.85e9 * bank.read_j + bank.leakage_w))


def test_a_pipeline_costs_what_the_mac_of_28_nm_does():
    circuit = arithmetic().circuit(Operation.MAC, "int8", 28, Style.PIPELINED)
    assert circuit.area_mm2 == pytest.approx(336.672e-6)
    assert circuit.energy_j == pytest.approx(0.283e-12)


def test_vitcod_by_hand():
    """512 MACs at 28 nm, 0.85 x 500 MHz: 0.17238 mm2 and 0.0615808 W beside six SRAMs."""
    sizes_kib = (53, 53, 53, 20, 108, 33)
    banks = [sram_bank(1024.0 * size, 512, 28) for size in sizes_kib]
    area, power = whole(DESIGNS["ViTCoD"])
    assert area == pytest.approx(0.172376064 + sum(bank.area_mm2 for bank in banks))
    leakage_w = sum(bank.leakage_w for bank in banks)
    reads_w = 0.425e9 * sum(bank.read_j for bank in banks)
    assert power == pytest.approx(0.0615808 + reads_w + leakage_w)


@pytest.mark.parametrize(
    ("operation", "form", "area_um2", "energy_pj"),
    [
        (Operation.MULTIPLIER, "int16", 4 * 282, 0.8),
        (Operation.ADDER, "int16", 72, 0.06),
        (Operation.COMPARATOR, "int16", 72, 0.06),
        (Operation.DIVIDER, "int16", 4 * 282, 0.8),
        (Operation.MAC, "int16", 4 * 282 + 144, 0.92),
        (Operation.MAC, "fp16", 3000, 1.5),
        (Operation.EXPONENT, "fp16", 6000, 3.0),
        (Operation.MULTIPLIER, "fp32", 7700, 3.7),
    ],
)
def test_bare_circuits_by_hand(operation, form, area_um2, energy_pj):
    circuit = arithmetic().bare(operation, form)
    assert circuit.area_mm2 * 1e6 == pytest.approx(area_um2)
    assert circuit.energy_j * 1e12 == pytest.approx(energy_pj)


# Properties.


@given(
    width=st.integers(1, 63), style=st.sampled_from(STYLES), operation=st.sampled_from(Operation)
)
def test_wider_circuits_cost_more(width, style, operation):
    tech = arithmetic()
    narrow = tech.circuit(operation, f"int{width}", 28, style)
    wide = tech.circuit(operation, f"int{width + 1}", 28, style)
    assert narrow.area_mm2 < wide.area_mm2
    assert narrow.energy_j < wide.energy_j


@given(
    operation=st.sampled_from(Operation), form=st.sampled_from(["int8", "int12", "fp16", "fp32"])
)
def test_a_pipeline_costs_more_than_the_function_alone(operation, form):
    tech = arithmetic()
    bare, piped = (tech.circuit(operation, form, 40, s) for s in (Style.BARE, Style.PIPELINED))
    assert bare.area_mm2 < piped.area_mm2
    assert bare.energy_j < piped.energy_j


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("count: 1000", "count: 1001"),
        ("format: int8", "format: int9"),
        ("capacity: 64 KiB", "capacity: 128 KiB"),
    ],
)
@pytest.mark.parametrize("style", STYLES)
def test_more_resources_cost_more(old, new, style):
    assert GIVEN.count(old) == 1
    small, big = whole(made(), style), whole(made(GIVEN.replace(old, new)), style)
    assert small[0] < big[0]
    assert small[1] < big[1]


def test_a_slower_clock_saves_power_and_no_area():
    slow = made(GIVEN.replace("1 GHz", "500 MHz"))
    assert whole(slow)[0] == whole(made())[0]
    assert whole(slow)[1] < whole(made())[1]


# What is shipped.


def test_every_accelerator_is_judged_in_area_and_power_in_both_tables():
    assert len(DESIGNS) >= 5
    items = {(row.table, row.item) for row in ROWS}
    for name in DESIGNS:
        for table in ("accelerators", "accelerators_bare"):
            assert {(table, f"{name} area"), (table, f"{name} power")} <= items
    assert len(items) == len(ROWS)


def test_every_figure_has_an_error_a_source_and_the_origin_of_its_constants():
    for row in ROWS + sram_comparisons():
        assert math.isfinite(row.error_pct)
        assert row.predicted > 0
        assert row.calibrated == "no"
        assert min(len(row.source), len(row.constants)) >= 7
        assert "SOFA" not in row.constants


@pytest.mark.parametrize("name", names(FOLDER))
def test_the_blocks_published_apart_fit_in_the_whole(name):
    design = load(Accelerator, name, FOLDER)
    judged = [block.published for block in design.blocks if block.published]
    whole_mm2, whole_w = design.published.area_mm2.value, design.published.power_w.value
    assert sum(p.area_mm2.value for p in judged) <= whole_mm2 * (1 + 1e-9)
    assert sum(p.power_w.value for p in judged) <= whole_w * (1 + 1e-9)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("    source: made up for a test\n", "", "blocks[0].source"),
        ("value: 1 W, source: made up for a test", "value: 1 W", "published.power.source"),
        ("format: int8", "format: bf16", "blocks[0].units[0].format"),
        ("operation: mac", "operation: mack", "blocks[0].units[0].operation"),
    ],
)
def test_a_figure_without_a_source_is_refused(old, new, said):
    assert old in GIVEN
    with pytest.raises(InputError) as error:
        made(GIVEN.replace(old, new))
    assert said in str(error.value)


# Where the SRAM table ends.


def test_the_range_of_the_table_is_said():
    assert sram_range().node_nm == (22, 45)
    assert sram_range_note(8192, 1024, 45) is None
    assert sram_range_note(8191, 32, 14) == (
        "8,191 B are outside 8,192 to 8,388,608 B; 32 bits are outside 64 to 1,024 bits; "
        "14 nm are outside 22 to 45 nm"
    )


@given(
    capacity=st.floats(64, 2**25),
    bits=st.sampled_from([16, 64, 512, 1024, 2048]),
    node=st.sampled_from([7, 22, 28, 45, 55]),
)
def test_mask_and_note_agree(capacity, bits, node):
    assert bool(sram_within(capacity, bits, node)) == (
        sram_range_note(capacity, bits, node) is None
    )


def test_the_mask_of_a_column():
    capacity = np.array([4096.0, 8192.0, 2.0**23, 2.0**24])
    assert sram_within(capacity, 512, 28).tolist() == [False, True, True, False]


def test_beyond_the_nodes_of_the_table_its_nearest_one_is_scaled():
    inside, outside = scaled_bank(65_536, 256, 28), scaled_bank(65_536, 256, 14)
    assert inside == sram_bank(65_536, 256, 28)
    edge = sram_bank(65_536, 256, 22)
    assert outside.area_mm2 == pytest.approx(edge.area_mm2 * area_scale(22, 14))
    assert outside.read_j == pytest.approx(edge.read_j * energy_scale(22, 14))


def test_extrapolated_srams_are_named_on_their_rows():
    noted = {row.item for row in ROWS if row.note}
    assert extrapolated(DESIGNS["AttenIO"])
    assert {"AttenIO area", "HLX core power"} <= noted
    assert "ViTCoD area" not in noted
    assert any(row.note for row in sram_comparisons())


# What is printed.


def test_the_command_prints_one_document_and_says_what_is_extrapolated():
    result = CliRunner().invoke(app, ["validate", "--json"])
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    tables = {table["table"]: table for table in document["tables"]}
    assert {"sofa", "sram", "accelerators", "accelerators_bare"} <= set(tables)
    assert tables["accelerators"]["rows"] == sum(
        r["table"] == "accelerators" for r in document["rows"]
    )
    assert all(row["constants"] and row["calibrated"] for row in document["rows"])
    assert "note: SRAM outside the CACTI table: HLX core" in result.stderr


def test_the_terminal_shows_errors_and_where_constants_come_from(capsys):
    print_comparisons(ROWS, Console(width=100))
    shown = capsys.readouterr().out
    assert "figures, mean absolute error" in shown
    assert "[1] arithmetic of Horowitz and Dally" in shown
    row = next(line for line in shown.splitlines() if line.startswith("ViTCoD area"))
    assert row.split()[-2:] == ["no", "[1]"]


def test_the_errors_in_the_docs_are_those_that_are_printed():
    page = root() / "docs" / "silicon.md"
    if not page.is_file():
        pytest.skip("docs/ is not part of an installed package")
    lines = page.read_text(encoding="utf-8").splitlines()
    error = {(row.table, row.item): round(row.error_pct) for row in ROWS}
    for name in DESIGNS:
        line = next(line for line in lines if line.startswith(f"| {name}, "))
        assert [int(e) for e in re.findall(r"([+-]\d+) %", line)] == [
            error[table, f"{name} {quantity}"]
            for quantity in ("area", "power")
            for table in ("accelerators", "accelerators_bare")
        ]
