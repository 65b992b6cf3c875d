"""Iterations as traces: read back, paired, and replayed by a scheduler that knows them alone."""

import json
import sys
from collections import defaultdict
from graphlib import TopologicalSorter

import numpy as np
import pytest
from chakra_files import read, split, wire
from chakra_replay import (
    COLLECTIVE,
    COMPUTE,
    RECEIVE,
    SEND,
    Replay,
    direction,
    lane,
    one_of_all,
    one_send_or_collective,
)

from star_watos.cli import watos as command
from star_watos.cli.watos import app
from star_watos.fabric.chakra import CommType, messages
from star_watos.watos import Training, load_hardware, plans_of, simulate
from star_watos.watos.chakra import Devices, handoff, iteration
from star_watos.watos.event import Kind, Resource, played
from star_watos.watos.plans import Schedule
from star_watos.watos.snake import to_next_stage
from star_watos.watos.stages import every_stage, stage_params
from star_watos.watos.traffic import Rectangles

FOUR = {"pp": 4, "dp": 2, "microbatch": 1, "recompute": 0}
WAFER = FOUR | {"tp_rows": 2, "tp_cols": 2, "sp": 1}
CLUSTER = FOUR | {"tp": 2, "sp": 1}
LATE, CHUNKS = int(Schedule.ZERO_BUBBLE), {"schedule": 1, "virtual_stages": 2}
CASES = {
    "wafer 1f1b": ("watos_config3", WAFER | {"zero": 0}, {}),
    "wafer 1f1b zero 1": ("watos_config3", WAFER | {"zero": 1}, {}),
    "wafer interleaved": ("watos_config3", WAFER | {"zero": 1, **CHUNKS}, {}),
    "wafer gpipe": ("watos_config3", WAFER | {"zero": 0, "schedule": 2}, {}),
    "wafer zero-bubble": ("watos_config3", WAFER | {"zero": 1, "schedule": LATE}, {}),
    "wafer zero 3": ("watos_config3", WAFER | {"zero": 3}, {}),
    "wafer in turn": ("watos_config3", WAFER | {"zero": 1}, {"overlap": False}),
    "cluster 1f1b": ("dgx_a100", CLUSTER | {"zero": 0}, {}),
    "cluster interleaved": ("dgx_a100", CLUSTER | {"zero": 1, **CHUNKS}, {}),
    "cluster two stages": ("dgx_a100", CLUSTER | {"pp": 2, "dp": 4, "zero": 1, **CHUNKS}, {}),
    "cluster gpipe": ("dgx_a100", CLUSTER | {"zero": 1, "schedule": 2, "recompute": 2}, {}),
    "cluster zero-bubble": ("dgx_a100", CLUSTER | {"zero": 0, "schedule": LATE}, {}),
    "cluster zero 2": ("dgx_a100", CLUSTER | {"zero": 2}, {}),
    "cluster in turn": ("dgx_a100", CLUSTER | {"zero": 3}, {"overlap": False}),
    "cluster one stage": ("dgx_a100", {"pp": 1, "tp": 8, "dp": 2, "zero": 1}, {}),
    "cluster one replica": ("dgx_a100", {"pp": 4, "tp": 4, "dp": 1}, {}),
}
EXCHANGE_ONCE = [
    name for name, (_, wanted, _) in CASES.items() if wanted["dp"] > 1 and wanted["zero"] < 2
]


class Case:
    """A simulation, its traces read back, and what the event simulation says of it."""

    def __init__(self, hardware, wanted, more):
        training = Training(model="llama2_7b", global_batch=16, **more)
        hardware, devices = load_hardware(hardware), 16 if hardware == "dgx_a100" else None
        self.result = simulate(hardware, training.load(), training, wanted, devices)
        self.run, self.plans = self.result.iteration, self.result.iteration.plans
        self.made = handoff(self.result)
        self.devices, self.groups = self.made.devices, self.made.devices.groups
        self.traces = [list(read(data)) for data in self.made.traces()]
        _, self.events = played(self.result)

    def of(self, stage, resource):
        """Return tasks of a stage's resource in order, each with when it ended."""
        both = zip(self.events.tasks, self.events.end_s, strict=True)
        return [pair for pair in both if (pair[0].stage, pair[0].resource) == (stage, resource)]

    def stage_of(self, device):
        """Return the stage of a device, if it has work."""
        return self.devices.places[device][0] if device in self.devices.places else None


@pytest.fixture(scope="module")
def cases():
    return {}


@pytest.fixture(params=CASES)
def case(request, cases):
    if request.param not in cases:
        cases[request.param] = Case(*CASES[request.param])
    return cases[request.param]


def seconds_of(case):
    """Return seconds of each device's nodes: compute's from traces, the rest from the graph."""
    found = []
    for device, trace in enumerate(case.traces):
        stage, own = case.stage_of(device), {}
        told = {
            resource: iter([task.seconds for task, _ in case.of(stage, resource)])
            for resource in Resource
        }
        for node, held in trace:
            if node.type == COMPUTE:
                own[node.id] = held["duration_s"]
            elif node.type != RECEIVE:
                own[node.id] = next(told[lane(node)])
        found.append(own)
    return found


def test_a_replay_takes_as_long_as_the_event_simulation(case):
    replay = Replay(case.traces, case.groups, seconds_of(case), lane)
    assert replay.makespan_s == pytest.approx(case.events.makespan_s, rel=1e-6)
    assert replay.makespan_s == pytest.approx(case.events.makespan_s, rel=1e-12)
    for device, trace in enumerate(case.traces):
        for resource in Resource:
            ends = [replay.end[device][node.id] for node, _ in trace if lane(node) is resource]
            told = [end for _, end in case.of(case.stage_of(device), resource)]
            assert ends == pytest.approx(told, rel=1e-9)


@pytest.mark.parametrize("lane_of", [one_send_or_collective, one_of_all])
def test_fewer_resources_take_longer_and_do_not_block(case, lane_of):
    replay = Replay(case.traces, case.groups, seconds_of(case), lane_of)
    assert replay.makespan_s >= case.events.makespan_s * (1 - 1e-9)


def test_a_replay_without_arrivals_is_too_fast():
    case = Case(*CASES["cluster 1f1b"])
    for trace in case.traces:
        received = {node.id for node, _ in trace if node.type == RECEIVE}
        for node, _ in trace:
            kept = [number for number in node.data_deps if number not in received]
            node.data_deps[:] = kept
    replay = Replay(case.traces, case.groups, seconds_of(case), lane)
    assert replay.makespan_s < 0.95 * case.events.makespan_s


def test_every_send_has_its_receive_of_equal_bytes_on_the_counterpart(case):
    ends = {SEND: {}, RECEIVE: {}}
    for device, trace in enumerate(case.traces):
        for node, held in trace:
            if node.type not in ends:
                continue
            assert held["comm_src" if node.type == SEND else "comm_dst"] == device
            assert held["comm_tag"] not in ends[node.type]
            said = {name: value for name, value in held.items() if name != "duration_s"}
            ends[node.type][held["comm_tag"]] = said
            (stage, *own), (other, *there) = (
                case.devices.places[held[end]] for end in ("comm_src", "comm_dst")
            )
            assert own == there
            step = 1 if direction(node) is Resource.NEXT else -1
            assert other == (stage + step) % len(case.devices.number)
    assert ends[SEND] == ends[RECEIVE]
    n_sends = sum(task.kind is Kind.SEND for task in case.events.tasks)
    assert len(ends[SEND]) == n_sends * case.devices.each
    assert {held["comm_size"] for held in ends[SEND].values()} <= {sent_bytes(case)}


def sent_bytes(case):
    """Tokens of a microbatch times d_model in 16 bits; the TP group has a part each with SP."""
    whole = int(case.plans.microbatch[0]) * 4096 * 4096 * 2
    return whole // int(case.plans.tp[0]) if case.plans.sp[0] else whole


def test_between_nodes_gpus_of_a_tp_group_send_a_part_each():
    """TP 8 without sequence parallelism: the next stage is on the next node."""
    case = Case("dgx_a100", {"pp": 2, "tp": 8, "dp": 1, "sp": 0, "microbatch": 1}, {})
    sizes = {
        held["comm_size"] for trace in case.traces for node, held in trace if node.type == SEND
    }
    assert sizes == {4096 * 4096 * 2 // 8}


def test_nodes_wait_for_earlier_ones_and_in_no_circle(case):
    sorter, sent = TopologicalSorter(), {}
    for device, trace in enumerate(case.traces):
        assert [node.id for node, _ in trace] == list(range(len(trace)))
        for node, held in trace:
            assert all(before < node.id for before in node.data_deps)
            sorter.add((device, node.id), *((device, before) for before in node.data_deps))
            if node.type == SEND:
                sent[held["comm_tag"]] = device, node.id
    for device, trace in enumerate(case.traces):
        for node, held in trace:
            if node.type == RECEIVE:
                sorter.add((device, node.id), sent[held["comm_tag"]])
    assert len(list(sorter.static_order())) == sum(map(len, case.traces)) == case.made.n_nodes


def test_collectives_are_those_of_the_zero_stage_in_the_devices_group(case):
    zero, found = int(case.plans.zero[0]), set()
    reduces = CommType.REDUCE_SCATTER if zero else CommType.ALL_REDUCE
    for device, trace in enumerate(case.traces):
        for node, held in trace:
            if node.type == COLLECTIVE:
                gathers = node.name.startswith("gather")
                assert held["comm_type"] == (CommType.ALL_GATHER if gathers else reduces)
                assert device in case.groups[held["pg_name"]]
                found.add(held["pg_name"])
    assert found == set(case.groups)
    assert bool(found) == (case.plans.replicas[0] > 1)
    members = sorted(device for group in case.groups.values() for device in group)
    assert members == (sorted(case.devices.places) if found else [])


@pytest.mark.parametrize("case", EXCHANGE_ONCE, indirect=True)
def test_bytes_of_replicas_are_those_of_the_stages_parameters(case):
    """Gathered or reduced once where ZeRO is 0 or 1: of a gather each brings its part."""
    pp, replicas = int(case.plans.pp[0]), int(case.plans.replicas[0])
    stages = every_stage(case.result.model, pp)
    params = stage_params(case.result.model, stages, case.plans.tp, case.run.layer).all
    for device, trace in enumerate(case.traces):
        sums = defaultdict(int)
        for node, held in trace:
            if node.type == COLLECTIVE:
                sums[held["comm_type"]] += held["comm_size"]
        if trace:
            own = np.broadcast_to(params, pp)[case.stage_of(device)]
            by_type = {CommType.ALL_GATHER: 2 * own / replicas} if case.plans.zero[0] else {}
            by_type[CommType.REDUCE_SCATTER if by_type else CommType.ALL_REDUCE] = 4 * own
            assert sums == pytest.approx(by_type, rel=1e-6)


def test_flops_are_all_that_the_iteration_does(case):
    computed = [held for trace in case.traces for node, held in trace if node.type == COMPUTE]
    total = sum(held["num_ops"] for held in computed)
    assert total == pytest.approx(float(case.run.hardware_flops.item()), rel=1e-6)
    assert min(held["tensor_size"] for held in computed) >= 1


def test_whole_microseconds_add_up(case):
    for trace in case.traces:
        nodes = [(node, held["duration_s"]) for node, held in trace if node.type == COMPUTE]
        for node, seconds in nodes:
            assert abs(node.duration_micros - 1e6 * seconds) <= 1
        total = sum(node.duration_micros for node, _ in nodes)
        assert abs(total - 1e6 * sum(seconds for _, seconds in nodes)) <= 0.51


def test_stages_optimizer_moves_its_bytes():
    """7B parameters on 16 GPUs, ZeRO-1: 30 B of Adam and 34 B beside it, split over 2 replicas."""
    case = Case(*CASES["cluster one stage"])
    (held,) = (h for node, h in case.traces[3] if node.name == "optimizer stage")
    assert held["tensor_size"] == pytest.approx(6.74e9 / 8 / 2 * (30 + 34), rel=1e-2)


def test_dies_are_numbered_row_by_row_along_the_snake():
    """7 x 8 dies in 1 x 2 rectangles, four a row: the second row goes back.

    Replicas 0, 1, 2 of stage 0 are at columns 0, 2, 4; of stage 1 at column 6, then below it, and
    left of that.
    """
    wafer = load_hardware("watos_config3")
    devices = Devices.of(wafer, plans_of(tp_cols=2, pp=2, dp=3))
    assert devices.groups == {"1": [0, 2, 4], "2": [1, 3, 5], "3": [6, 14, 12], "4": [7, 15, 13]}
    assert devices.total == 56
    tall = Devices.of(wafer, plans_of(tp_rows=2, tp_cols=2, cp=2))
    assert tall.number.tolist() == [[[0, 1, 8, 9], [2, 3, 10, 11]]]


def test_gpus_are_numbered_tp_first_then_replicas_then_stages():
    devices = Devices.of(load_hardware("dgx_a100"), plans_of(tp_cols=2, pp=2, dp=3, cp=2))
    assert devices.groups["2"] == [1, 3, 5, 7, 9, 11]
    assert devices.groups["3"] == [12, 14, 16, 18, 20, 22]
    assert devices.number[1, 2].tolist() == [12 + 4, 12 + 5]


@pytest.mark.parametrize(("rows", "cols", "pp", "dp"), [(1, 2, 4, 2), (2, 2, 3, 4), (3, 8, 2, 1)])
def test_dies_are_as_far_apart_as_the_traffic_model_says(rows, cols, pp, dp):
    wafer = load_hardware("watos_config3")
    plans = plans_of(tp_rows=rows, tp_cols=cols, pp=pp, dp=dp)
    number = Devices.of(wafer, plans).number.reshape(pp, dp, rows * cols)
    at = np.stack(np.divmod(number, wafer.grid.cols))
    to_next = np.abs(np.diff(at, axis=1)).sum(axis=0).max(axis=(1, 2))
    assert to_next.mean() == pytest.approx(to_next_stage(plans, wafer.grid.cols).hops[0])
    between = np.abs(np.diff(at, axis=2)).sum(axis=0)
    assert dp == 1 or between.max() == Rectangles(wafer, plans).slot_hops[0]


def test_dies_without_work_have_a_trace_of_nothing():
    case = Case(*CASES["wafer 1f1b"])
    assert len(case.traces) == 56
    idle = set(range(56)) - set(case.devices.places)
    assert len(idle) == 56 - 32
    assert all(bool(trace) == (device not in idle) for device, trace in enumerate(case.traces))
    data = list(case.made.traces())[idle.pop()]
    assert [wire(part) for part in split(data)] == [[(1, b"0.0.4")]]


def test_a_node_by_hand():
    """A pass of the first stage of two, on the wire: type 4, microseconds in field 7."""
    case = Case(*CASES["cluster two stages"])
    data = next(case.made.traces())
    nodes = [wire(part) for part in split(data)[1:]]
    first = next(fields for fields in nodes if dict(fields)[3] == 4)
    about = dict(first)
    assert about[2] == b"forward embedding, chunk 0, microbatch 0"
    task = next(task for task in case.events.tasks if task.kind is Kind.FORWARD)
    assert about[7] == round(1e6 * task.seconds)
    read_back = messages().node.FromString(split(data)[1])
    assert (read_back.type, read_back.name) == (7, "gather embedding, chunk 0")
    held = {each.name: each.WhichOneof("value") for each in read_back.attr}
    assert held == {
        "comm_type": "int64_val",
        "comm_size": "int64_val",
        "pg_name": "string_val",
        "duration_s": "double_val",
        "is_cpu_op": "bool_val",
    }


SMALL = ("simulate", "dgx_a100", "--model", "llama2_7b", "--devices", 16, "--global-batch", 16)
SMALL += ("--pp", 4, "--tp", 2, "--zero", 1)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_traces_and_groups_are_written_beside_the_document(run, tmp_path):
    code, out, _ = run(app, *SMALL, "--chakra", "t/x", "--json")
    assert code == 0
    found = json.loads(out)["chakra"]
    assert found.pop("nodes") > 0
    assert found == {"folder": "t/x", "name": "iteration", "files": 16, "groups": 8}
    expected = ["iteration.json", *(f"iteration.{i}.et" for i in range(16))]
    assert names(tmp_path / "t" / "x") == sorted(expected)
    groups = json.loads((tmp_path / "t" / "x" / "iteration.json").read_text())
    assert groups == {
        str(1 + 2 * s + k): [4 * s + k, 4 * s + 2 + k] for s in range(4) for k in (0, 1)
    }


def test_the_table_says_where_they_are_and_figures_stay(run):
    _, plain, _ = run(app, *SMALL)
    code, out, _ = run(app, *SMALL, "--chakra", "x")
    assert code == 0
    assert out.startswith(plain)
    assert "x: iteration.0.et to iteration.15.et, " in out
    assert "nodes, 8 groups in iteration.json" in out


def test_fidelity_does_not_change_them(run, tmp_path):
    assert run(app, *SMALL, "--chakra", "a")[0] == 0
    assert run(app, *SMALL, "--chakra", "b", "--fidelity", "event")[0] == 0
    for name in names(tmp_path / "a"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_a_folder_that_is_not_empty_is_refused_and_force_replaces_its_traces(run, tmp_path):
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "other.0.et").write_bytes(b"")
    (tmp_path / "x" / "notes.txt").write_text("mine")
    code, out, err = run(app, *SMALL, "--chakra", "x")
    assert (code, out) == (2, "")
    assert err == "x  is not empty; --force replaces the traces in it\n"
    assert run(app, *SMALL, "--chakra", "x", "--force")[0] == 0
    assert len(names(tmp_path / "x")) == 16 + 2
    assert "other.0.et" not in names(tmp_path / "x")
    assert run(app, *SMALL, "--force")[::2] == (2, "--force  is of --chakra DIR\n")


@pytest.mark.parametrize(("most", "says"), [(1000, "got "), (100, "got more than 256;")])
def test_too_many_nodes_are_refused_and_the_limit_is_named(run, tmp_path, monkeypatch, most, says):
    """16 devices, 8 microbatches there and back: 256 passes at least."""
    monkeypatch.setattr(iteration, "MOST_NODES", most)
    code, out, err = run(app, *SMALL, "--microbatch", 1, "--chakra", "x")
    assert (code, out) == (2, "")
    assert err.startswith(f"--chakra  expected at most {most:,} nodes in all traces, {says}")
    assert names(tmp_path) == []


def test_without_protobuf_traces_are_refused_before_any_work(run, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "google.protobuf", None)
    monkeypatch.setattr(command, "_shape", None)
    messages.cache_clear()
    code, out, err = run(app, *SMALL, "--chakra", "x")
    assert (code, out) == (2, "")
    assert err == "--chakra  needs protobuf: pip install 'star-watos[chakra]'\n"
    assert names(tmp_path) == []


def test_a_failure_leaves_neither_traces_nor_groups(run, monkeypatch, tmp_path):
    def fails(_):
        yield b""
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(iteration.Handoff, "traces", fails)
    assert run(app, *SMALL, "--chakra", "x")[0] == 2
    assert names(tmp_path) == []
