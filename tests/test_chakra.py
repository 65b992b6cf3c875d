"""Traces of collectives: read back, paired, and replayed over their dependencies alone."""

import numpy as np
import pytest
from chakra_files import read, split, wire

from star_watos.errors import InputError
from star_watos.fabric import Area, Mesh
from star_watos.fabric.chakra import Flows, NodeType, traces, write_traces
from star_watos.fabric.chakra.traces import chunk_bytes
from star_watos.fabric.collectives import (
    Algorithm,
    Kind,
    StepFlows,
    algorithms,
    collective,
    is_right,
)
from star_watos.fabric.collectives.check import final_counts

SEND, RECEIVE = NodeType.COMM_SEND_NODE, NodeType.COMM_RECV_NODE
MESHES = {
    "2x3": Mesh(2, 3),
    "1x4": Mesh(1, 4),
    "3x3": Mesh(3, 3),
    "holes": Mesh(3, 4, missing_nodes=frozenset({0, 6}), missing_links=frozenset({(8, 9)})),
}
CASES = [
    (kind, algorithm, mesh) for kind in Kind for algorithm in algorithms(kind) for mesh in MESHES
]


def made(kind, algorithm, mesh):
    area = Area.all(mesh)
    return area, collective(kind, algorithm, area, pieces=3)


def read_all(transfers, nodes, n_bytes):
    flows = Flows.of(transfers, nodes, n_bytes)
    return flows, [list(read(data)) for data in traces(flows, len(nodes))]


def replayed(parsed, transfers, nodes, seed):
    """Return whose contributions each node ends with, nodes of traces ending in random order."""
    n, index = len(nodes), {int(node): i for i, node in enumerate(nodes)}
    state = np.zeros((n, transfers.n_chunks, n), dtype=np.int64)
    state[np.arange(n), :, np.arange(n)] = 1
    carried = {}
    for row in range(len(transfers.step)):
        a, b = index[int(transfers.source[row])], index[int(transfers.target[row])]
        carried.setdefault((int(transfers.step[row]), a, b), []).append(row)
    flow_of = dict(enumerate(sorted(carried)))
    left = [{node.id: set(node.data_deps) for node, _ in trace} for trace in parsed]
    about = [{node.id: (node.type, held) for node, held in trace} for trace in parsed]
    ready, sent, rng = [], {}, np.random.default_rng(seed)

    def release(rank):
        for number in [number for number, deps in left[rank].items() if not deps]:
            del left[rank][number]
            kind, held = about[rank][number]
            if kind == SEND:
                rows = carried[flow_of[held["comm_tag"]]]
                sent[rank, number] = state[rank, transfers.chunk[rows]].copy()
            ready.append((rank, number))

    arrived = {}
    for rank in range(n):
        release(rank)
    while ready:
        able = [
            (rank, number)
            for rank, number in ready
            if about[rank][number][0] == SEND or about[rank][number][1]["comm_tag"] in arrived
        ]
        assert able, "every node of a trace waits"
        rank, number = able[rng.integers(len(able))]
        ready.remove((rank, number))
        kind, held = about[rank][number]
        tag = held["comm_tag"]
        if kind == SEND:
            arrived[tag] = sent[rank, number]
        else:
            for row, data in zip(carried[flow_of[tag]], arrived.pop(tag), strict=True):
                old = state[rank, transfers.chunk[row]]
                state[rank, transfers.chunk[row]] = old + data if transfers.adds[row] else data
        for deps in left[rank].values():
            deps.discard(number)
        release(rank)
    assert not any(left)
    assert not arrived
    return state


@pytest.mark.parametrize(("kind", "algorithm", "mesh"), CASES)
def test_replayed_traces_bring_the_right_data(kind, algorithm, mesh):
    area, transfers = made(kind, algorithm, MESHES[mesh])
    _, parsed = read_all(transfers, area.nodes, 1e6)
    assert is_right(kind, transfers, area.nodes, root=int(area.nodes[0]))
    right = final_counts(transfers, area.nodes)
    for seed in range(3):
        assert np.array_equal(replayed(parsed, transfers, area.nodes, seed), right)


def test_a_replay_without_dependencies_brings_the_wrong_data():
    area, transfers = made(Kind.ALL_REDUCE, Algorithm.RING, MESHES["2x3"])
    _, parsed = read_all(transfers, area.nodes, 1e6)
    for trace in parsed:
        for node, _ in trace:
            del node.data_deps[:]
    wrong = replayed(parsed, transfers, area.nodes, seed=0)
    assert not np.array_equal(wrong, final_counts(transfers, area.nodes))


@pytest.mark.parametrize(("kind", "algorithm", "mesh"), CASES)
def test_every_send_has_its_receive_and_the_bytes_of_the_step_list(kind, algorithm, mesh):
    area, transfers = made(kind, algorithm, MESHES[mesh])
    n_bytes = 1000.0 * transfers.n_chunks
    _, parsed = read_all(transfers, area.nodes, n_bytes)
    ends = {SEND: {}, RECEIVE: {}}
    for rank, trace in enumerate(parsed):
        for node, held in trace:
            assert held["comm_src" if node.type == SEND else "comm_dst"] == rank
            assert held["comm_tag"] not in ends[node.type]
            ends[node.type][held["comm_tag"]] = held
    assert ends[SEND] == ends[RECEIVE]
    steps = StepFlows.of(transfers, area.mesh)
    sizes = [ends[SEND][tag]["comm_size"] for tag in range(len(steps.share))]
    assert sizes == pytest.approx(steps.share * n_bytes, rel=1e-12)
    assert sum(sizes) == len(transfers.step) * transfers.copies * 1000


@pytest.mark.parametrize(("kind", "algorithm", "mesh"), CASES)
def test_a_step_waits_for_all_of_the_nodes_step_before_and_for_nothing_later(kind, algorithm, mesh):
    area, transfers = made(kind, algorithm, MESHES[mesh])
    flows, parsed = read_all(transfers, area.nodes, 1e6)
    for rank, trace in enumerate(parsed):
        mine = np.flatnonzero((flows.source == rank) | (flows.target == rank))
        assert sorted(held["comm_tag"] for _, held in trace) == mine.tolist()
        assert [node.id for node, _ in trace] == list(range(len(trace)))
        step = {node.id: int(flows.step[held["comm_tag"]]) for node, held in trace}
        for node, _ in trace:
            earlier = [at for at in step.values() if at < step[node.id]]
            before = [i for i, at in step.items() if earlier and at == max(earlier)]
            assert list(node.data_deps) == before
        kinds = [(step[node.id], node.type) for node, _ in trace]
        assert kinds == sorted(kinds)  # sends first


def test_a_trace_by_hand():
    """Two nodes, 5 B: chunk 0 has 3 and chunk 1 has 2.

    In step 0 node 0 sends chunk 1 and receives 0, of which it then has the sum; in step 1 it sends
    chunk 0 and receives 1. Both nodes of step 1 wait for both of step 0.
    """
    area, transfers = made(Kind.ALL_REDUCE, Algorithm.RING, Mesh(1, 2))
    first = next(traces(Flows.of(transfers, area.nodes, 5), 2))
    metadata, *nodes = map(wire, split(first))
    assert metadata == [(1, b"0.0.4")]
    expected = [  # id, type, dependencies, size, source, target, tag
        (0, 5, b"", 2, 0, 1, 0),
        (1, 6, b"", 3, 1, 0, 1),
        (2, 5, b"\0\1", 3, 0, 1, 2),
        (3, 6, b"\0\1", 2, 1, 0, 3),
    ]
    for node, (number, kind, before, *values) in zip(nodes, expected, strict=True):
        fields = dict(node[:-5])
        assert fields.get(1, 0) == number
        assert (fields[3], fields.get(5, b"")) == (kind, before)
        names = ["comm_size", "comm_src", "comm_dst", "comm_tag", "is_cpu_op"]
        numbers = [9, 7, 7, 7, 27]
        assert [(field, wire(data)) for field, data in node[-5:]] == [
            (10, [(1, name.encode()), (number, value)])
            for name, number, value in zip(names, numbers, [*values, 0], strict=True)
        ]


@pytest.mark.parametrize("n_bytes", [12, 13.0, 1e6 + 1, 2.0**50 + 7])
def test_chunks_have_whole_bytes_and_add_up(n_bytes):
    _, transfers = made(Kind.ALL_TO_ALL, Algorithm.ROWS_AND_COLUMNS, Mesh(2, 3))
    sizes = chunk_bytes(transfers, n_bytes)
    assert sizes.sum() == round(6 * n_bytes)
    assert sizes.max() - sizes.min() <= 1
    assert sizes.min() >= 1


def test_a_chunk_without_a_byte_is_refused_and_the_least_is_enough():
    area, transfers = made(Kind.ALL_REDUCE, Algorithm.RING, Mesh(2, 3))
    with pytest.raises(ValueError, match=r"^expected at least 6 B, so that every chunk"):
        Flows.of(transfers, area.nodes, 5)
    assert Flows.of(transfers, area.nodes, 6).n_bytes.min() == 1


def test_files_are_named_by_rank_and_nothing_else_is_left(tmp_path):
    assert write_traces(tmp_path / "a" / "b", "x", iter([b"0", b"1"])) == 2
    written = {path.name: path.read_bytes() for path in (tmp_path / "a" / "b").iterdir()}
    assert written == {"x.0.et": b"0", "x.1.et": b"1"}


def breaking(error):
    yield b"0"
    raise error


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_failure_leaves_no_folder(tmp_path, error):
    with pytest.raises(type(error)):
        write_traces(tmp_path / "x", "x", breaking(error))
    assert not (tmp_path / "x").exists()


def test_a_failure_leaves_earlier_traces_as_they_were(tmp_path):
    write_traces(tmp_path, "x", [b"0", b"1"])
    with pytest.raises(KeyboardInterrupt):
        write_traces(tmp_path, "y", breaking(KeyboardInterrupt()), force=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x.0.et", "x.1.et"]


def test_force_replaces_traces_and_nothing_else(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / ".draft").mkdir()
    (tmp_path / ".draft" / "old.0.et").write_bytes(b"of a run that was killed")
    write_traces(tmp_path, "x", [b"0", b"1"], force=True)
    write_traces(tmp_path, "y", [b"2"], force=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["notes.txt", "y.0.et"]
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_a_folder_with_something_in_it_is_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match=r"is not empty; --force replaces the traces in it$"):
        write_traces(tmp_path, "x", [b"0"])
    with pytest.raises(InputError, match=r"is a file, not a folder$"):
        write_traces(tmp_path / "notes.txt", "x", [b"0"], force=True)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]
