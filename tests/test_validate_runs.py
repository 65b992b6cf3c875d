"""Measured runs: how tables are read, how errors are summed up, and what is recorded of ours."""

import csv
import io
import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from star_watos.cli import common
from star_watos.cli.watos import app, main
from star_watos.errors import InputError
from star_watos.report.accuracy_page import write_accuracy_page
from star_watos.spec import root
from star_watos.validate.runs import bounds
from star_watos.validate.runs.baseline import baseline
from star_watos.validate.runs.bounds import beyond_bounds
from star_watos.validate.runs.document import calibration, document_parts
from star_watos.validate.runs.picks import picks
from star_watos.validate.runs.predict import predict
from star_watos.validate.runs.row import Run
from star_watos.validate.runs.summary import regret, spearman, summaries, summary
from star_watos.validate.runs.table import read_table, shipped_tables
from star_watos.watos import Schedule

LEAST = "device,devices,hidden,layers,heads,seq,vocab,global_batch,micro_batch,iter_time_s"
ROW = "dgx_a100,8,4096,32,32,2048,51200,64,1,5.0"
PREDICTIONS = {name: predict(name, read_table(name)) for name in shipped_tables()}


def table(tmp_path, *rows, header=LEAST):
    path = tmp_path / "mine.csv"
    path.write_text("\n".join([header, *rows]) + "\n")
    return str(path)


def problems(path):
    with pytest.raises(InputError) as caught:
        read_table(path)
    return [str(problem).removeprefix(str(path)) for problem in caught.value.problems]


def test_the_least_a_table_needs_is_read(tmp_path):
    (run,) = read_table(table(tmp_path, ROW))
    assert (run.tp, run.replicas, run.recompute, run.overlap) == (1, 8, "none", 1)


def test_every_mistake_of_a_table_is_named(tmp_path):
    rows = [ROW.replace("5.0", "-1"), ROW.replace("64,1", "65,1"), "dgx_a100,8", ""]
    found = problems(table(tmp_path, *rows))
    assert found == [
        ":2:10  iter_time_s: expected greater than 0, got -1",
        ":3:8  global_batch: expected a multiple of dp x micro_batch, 8, got 65",
        ":4:2  expected 10 values, got 2",
    ]


def test_a_misspelt_column_is_named_with_the_nearest(tmp_path):
    found = problems(table(tmp_path, ROW, header=LEAST.replace("hidden", "hiden")))
    assert found == [":1:3  hiden: unknown column; did you mean hidden?"]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("dgx_a100", ""), "device: required, but missing"),
        (("4096,32", ",32"), "hidden: required, but empty (or give a model)"),
        (("5.0", ""), "iter_time_s: one of iter_time_s, memory_gib, tflops_per_gpu is required"),
        (("2048", "2k"), "seq: "),
        (("dgx_a100", "dgx_a101"), "device: dgx_a101  no such file, nor a shipped one (shipped: "),
    ],
)
def test_what_a_row_lacks_is_said(tmp_path, change, says):
    (found,) = problems(table(tmp_path, ROW.replace(*change)))
    assert says in found


def test_degrees_that_do_not_multiply_to_the_devices_are_refused(tmp_path):
    (found,) = problems(table(tmp_path, f"{ROW},4,4,4", header=f"{LEAST},tp,pp,dp"))
    assert "devices: tp 4 x pp 4 x dp 4 x cp 1 is 64, got 8" in found


def test_a_shipped_model_replaces_the_shape(tmp_path):
    header = "device,devices,model,seq,global_batch,micro_batch,memory_gib,tp,zero"
    path = table(tmp_path, "dgx_a100,16,llama3_8b,4096,32,1,60,8,1", header=header)
    (found,) = predict("mine", read_table(path))
    assert found.memory_gib > 8 * 2 / 8
    assert found.error_pct("iter_time_s") is None


def test_a_wafer_is_a_device_too(tmp_path):
    path = table(tmp_path, ROW.replace("dgx_a100,8", "watos_config3,56").replace("64,1", "56,1"))
    (found,) = predict("mine", read_table(path))
    assert 0 < found.iter_time_s < 5


def test_hidden_tables_of_another_column_order_give_the_same(tmp_path):
    names, cells = LEAST.split(","), ROW.split(",")
    turned = table(tmp_path, ",".join(cells[::-1]), header=",".join(names[::-1]))
    (one,), (two,) = (predict("t", read_table(p)) for p in (turned, table(tmp_path, ROW)))
    assert one.iter_time_s == two.iter_time_s


# What errors, ranks and regret mean.


def test_a_summary_by_hand():
    """10, 20, 30 predicted 11, 18, 30: errors +10, -10, 0; the ranks agree."""
    item = summary("t", "iter_time_s", np.array([10.0, 20, 30]), np.array([11.0, 18, 30]), [()] * 3)
    assert (item.mae_pct, item.bias_pct) == pytest.approx((20 / 3, 0), abs=1e-9)
    assert item.spearman == 1
    assert item.spearman_within is item.regret_pct is None


def test_groups_of_five_have_ranks_and_regret():
    """The prediction picks the second best, 10 % slower; one pair of five is the wrong way round.

    Spearman: 1 - 6 (1 + 1) / (5 x 24) = 0.9.
    """
    measured, predicted = np.array([10.0, 11, 12, 13, 14]), np.array([2.0, 1, 3, 4, 5])
    item = summary("t", "iter_time_s", measured, predicted, ["a"] * 5)
    assert item.spearman_within == pytest.approx(0.9)
    assert item.regret_pct == pytest.approx(10)
    rates = summary("t", "tflops_per_gpu", 1 / measured, 1 / predicted, ["a"] * 5)
    assert rates.regret_pct == pytest.approx(10)


@given(st.lists(st.integers(1, 1000), min_size=2, max_size=20, unique=True))
def test_the_truth_has_rank_one_and_no_regret(values):
    measured = np.array(values, dtype=float)
    assert spearman(measured, measured * 3) == 1
    assert spearman(measured, -measured) == -1
    assert regret(1.0, measured, measured) == 0 == regret(-1.0, measured, measured)


def test_equal_predictions_cost_the_mean_of_them():
    assert regret(1.0, np.array([1.0, 2.0]), np.array([1.0, 1.0])) == 0.5
    assert regret(-1.0, np.array([1.0, 2.0]), np.array([1.0, 1.0])) == 0.5


def test_picks_are_what_regret_is_the_mean_of():
    found = picks(PREDICTIONS["vtrain_single_node"], "iter_time_s")
    (item,) = summaries(PREDICTIONS["vtrain_single_node"])
    costs = [pick.regret_pct for pick in found]
    assert len(found) == item.groups
    assert np.mean(costs) == pytest.approx(item.regret_pct)
    assert costs == sorted(costs, reverse=True)
    for pick in found:
        assert pick.picked.group == pick.best.group
        slower = pick.picked.run.iter_time_s / pick.best.run.iter_time_s - 1
        assert pick.regret_pct == pytest.approx(100 * slower)
        assert pick.said_pct == pytest.approx(
            100 * (pick.best.iter_time_s / pick.picked.iter_time_s - 1)
        )


def test_of_rates_the_largest_is_picked():
    """13 is predicted to be 5 and 14 to be 4: the second best is picked, said to be 25 % ahead."""
    row = PREDICTIONS["vtrain_single_node"][0]
    group = [
        replace(
            row,
            run=row.run.model_copy(update={"tflops_per_gpu": rate}),
            tflops_per_gpu=said,
        )
        for rate, said in ((10.0, 2.0), (11.0, 1.0), (12.0, 3.0), (13.0, 5.0), (14.0, 4.0))
    ]
    (pick,) = picks(group, "tflops_per_gpu")
    assert (pick.picked.run.tflops_per_gpu, pick.best.run.tflops_per_gpu) == (13, 14)
    assert pick.regret_pct == pytest.approx(100 * (14 / 13 - 1))
    assert pick.said_pct == pytest.approx(25)


# What is recorded of the shipped tables.


@pytest.mark.parametrize("name", shipped_tables())
def test_predictions_are_positive_and_add_up(name):
    for found in PREDICTIONS[name]:
        assert sum(found.time_s.values()) == pytest.approx(found.iter_time_s)
        assert found.memory_gib > 0


@pytest.mark.parametrize("name", shipped_tables())
def test_what_ran_fits(name):
    """Every published run fitted its machine: so it must in the model."""
    assert all(found.fits for found in PREDICTIONS[name])


@pytest.mark.parametrize(("name", "n"), [("simumax_b200", 4), ("simumax_b200_more", 39)])
def test_memory_is_within_3_percent_of_what_was_measured(name, n):
    errors = [p.error_pct("memory_gib") for p in PREDICTIONS[name]]
    assert len(errors) == n
    assert max(map(abs, errors)) < 3


def test_what_could_not_run_does_not_fit():
    """SC'21's 175B class without recomputation or splitting: 18 bytes a parameter at least."""
    run = read_table("megatron_sc21")[3]
    (found,) = predict("t", [run.model_copy(update={"pp": 1, "dp": 192, "interleave_v": 1})])
    assert not found.fits


def test_times_within_groups_are_ranked():
    (item,) = summaries(PREDICTIONS["vtrain_single_node"])
    assert item.groups == 27
    assert item.spearman_within > 0.9


@pytest.mark.parametrize("name", shipped_tables())
def test_no_shipped_table_leaves_its_bounds(name):
    assert beyond_bounds(summaries(PREDICTIONS[name])) == []
    assert {row["table"] for row in bounds._read()} == set(shipped_tables())


IN_THE_README = [
    "vtrain_single_node",
    "megatron_sc21",
    "korthikanti_2022",
    "megatron_core_h100",
    "mosaicml_fsdp",
    "simumax_b200",
    "vtrain_multi_node",
    "mosaicml_fsdp_more",
    "simumax_b200_more",
]
"""As its rows follow each other."""


def test_the_readme_says_what_comes_out():
    _, after = (root() / "README.md").read_text("utf-8").split("| measured runs | mean error |")
    rows = [line.split(" | ")[1:3] for line in after.split("\n\n")[0].splitlines()[2:]]
    assert len(rows) == len(IN_THE_README)
    for (mean, most), name in zip(rows, IN_THE_README, strict=True):
        found = summaries(PREDICTIONS[name])
        assert mean == " / ".join(f"{each.mae_pct:.1f}" for each in found) + " %"
        digits = [len(figure.partition(".")[2]) for figure in most.removesuffix(" %").split(" / ")]
        shown = [f"{s.p95_pct:.{d}f}" for s, d in zip(found, digits, strict=True)]
        assert most == " / ".join(shown) + " %"


def test_a_table_that_leaves_its_bounds_is_named():
    (item,) = summaries(PREDICTIONS["vtrain_single_node"])
    worse = beyond_bounds([replace(item, mae_pct=50.0, spearman_within=0.1)])
    assert len(worse) == 2
    assert "vtrain_single_node, iter_time_s: mae_pct is 50, recorded is at most 8" in worse


def test_the_baseline_is_fitted_and_worse():
    found = PREDICTIONS["vtrain_single_node"]
    fitted = baseline(found)
    ratios = [p.run.iter_time_s / p.iter_time_s for p in fitted]
    assert np.median(ratios) == pytest.approx(1)
    (ours,), (theirs,) = summaries(found), summaries(fitted)
    assert ours.mae_pct < theirs.mae_pct / 3


def test_every_constant_of_a_device_has_a_source():
    found = calibration(PREDICTIONS["vtrain_single_node"])
    assert list(found) == ["dgx_a100_parts"]
    assert all(constant["source"] for constant in found["dgx_a100_parts"])


def test_nothing_of_the_tables_is_a_constant_of_a_device():
    """Sources are papers, data sheets and kernel measurements, never an end-to-end table."""
    for table_predictions in PREDICTIONS.values():
        for constants in calibration(table_predictions).values():
            text = json.dumps(constants)
            assert "Table 1" not in text
            assert "iteration" not in text


# The command.


def invoke(*arguments):
    return CliRunner().invoke(app, ["validate", *arguments])


def test_the_command_prints_one_json_document():
    result = invoke("--table", "simumax_b200", "--json")
    assert result.exit_code == 0
    document = json.loads(result.stdout)
    assert document["schema"] == "watos-validate/1"
    columns = {"table", "column", "rows", "mae_pct", "p95_pct", "bias_pct"}
    columns |= {"spearman", "spearman_within", "regret_pct"}
    assert all(set(row) >= columns for row in document["tables"])
    assert {"predicted_iter_time_s", "predicted_memory_gib", "error_pct"} <= set(
        document["rows"][0]
    )


def test_the_command_writes_a_csv_that_reads_back(tmp_path):
    out = tmp_path / "rows.csv"
    assert invoke("--table", "korthikanti_2022", "--out", str(out)).exit_code == 0
    rows = list(csv.DictReader(io.StringIO(out.read_text())))
    assert len(rows) == 4
    error = float(rows[0]["predicted_iter_time_s"]) / float(rows[0]["iter_time_s"]) - 1
    assert float(rows[0]["error_pct"]) == pytest.approx(100 * error)


def test_the_command_writes_a_page_with_pictures(tmp_path):
    pytest.importorskip("matplotlib")
    page = tmp_path / "accuracy.md"
    assert invoke("--table", "simumax_b200", "--report", str(page)).exit_code == 0
    text = page.read_text()
    assert "| simumax_b200, memory_gib | 4 |" in text
    for column in ("iter_time_s", "memory_gib"):
        picture = f"accuracy_simumax_b200_{column}.png"
        assert picture in text
        assert (tmp_path / picture).stat().st_size > 1000


def test_a_worse_figure_ends_with_3(monkeypatch):
    monkeypatch.setattr(bounds, "_read", lambda: [_tight()])
    result = invoke("--table", "korthikanti_2022")
    assert result.exit_code == common.NOT_MET == 3


def _tight():
    keys = ("table", "column", "mae_pct", "p95_pct", "spearman_within", "regret_pct")
    return dict(zip(keys, ("korthikanti_2022", "iter_time_s", "1", "", "", ""), strict=True))


def test_a_table_that_is_not_there_is_named(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["watos", "validate", "--table", "vtrain"])
    with pytest.raises(SystemExit) as stop:
        main()
    assert stop.value.code == 2
    assert "no such file, nor a shipped table" in capsys.readouterr().err


def test_events_are_not_held_against_a_table(monkeypatch, capsys):
    arguments = ["watos", "validate", "--fidelity", "event", "--table", "megatron_sc21"]
    monkeypatch.setattr("sys.argv", arguments)
    with pytest.raises(SystemExit) as stop:
        main()
    assert stop.value.code == 2
    assert "--table  is of measured runs" in capsys.readouterr().err


def test_events_and_formulas_are_one_json_document():
    result = invoke("--fidelity", "event", "--plans", "8", "--json")
    assert result.exit_code == 0
    document = json.loads(result.stdout)
    assert document["schema"] == "watos-fidelity/1"
    assert list(document["agreement"]) == ["all", *(s.label for s in Schedule)]
    traffic = document["traffic"]["agreement"]
    assert list(traffic) == ["with traffic on the mesh", "of which transfers"]
    assert traffic["of which transfers"]["cases"] == 3


def test_rows_of_the_document_name_the_baseline_and_peers():
    tables, rows = document_parts(PREDICTIONS["vtrain_single_node"])
    assert len(rows) == 396
    assert tables[0]["baseline"]["mae_pct"] > 50
    assert {peer["tool"] for peer in tables[0]["peers"]} >= {"calculon", "llm-analysis"}


def test_every_column_of_the_contract_is_known():
    named = "device devices hidden layers heads seq vocab global_batch micro_batch iter_time_s "
    named += "memory_gib tflops_per_gpu tp pp dp cp ep interleave_v recompute seq_parallel zero "
    named += "schedule precision attention overlap model kv_heads ffn gated experts "
    named += "experts_per_token moe_ffn tied_embeddings name source flops_convention"
    assert set(named.split()) == set(Run.model_fields)


def test_the_page_in_the_docs_is_what_the_command_writes(tmp_path):
    """Written by `watos validate --report docs/accuracy.md`."""
    pytest.importorskip("matplotlib")
    written = root() / "docs" / "accuracy.md"
    if not written.is_file():
        pytest.skip("docs/ is not part of an installed package")
    page = tmp_path / "accuracy.md"
    write_accuracy_page([p for found in PREDICTIONS.values() for p in found], page)
    assert page.read_text(encoding="utf-8") == written.read_text(encoding="utf-8")
