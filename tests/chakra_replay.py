"""A scheduler of traces that knows nothing else of an iteration than them and seconds."""

from collections import defaultdict
from heapq import heappop, heappush
from itertools import count

from star_watos.fabric.chakra import NodeType
from star_watos.watos.event import Resource

COMPUTE, COLLECTIVE = NodeType.COMP_NODE, NodeType.COMM_COLL_NODE
SEND, RECEIVE = NodeType.COMM_SEND_NODE, NodeType.COMM_RECV_NODE


def direction(node):
    return Resource.NEXT if node.name.startswith("forward") else Resource.PREVIOUS


def lane(node):
    """Return which of a device's four resources a node takes; a receive takes none."""
    if node.type == RECEIVE:
        return None
    if node.type == SEND:
        return direction(node)
    return Resource.COMPUTE if node.type == COMPUTE else Resource.REPLICAS


def one_send_or_collective(node):
    """What current versions of ASTRA-sim let a device have on its way."""
    return None if node.type == RECEIVE else node.type == COMPUTE


def one_of_all(node):
    """What older ones do: receives are in turn too."""
    return node.type == COMPUTE


class Replay:
    """Plays traces: a resource takes a node when all it waits for is done, the first of several."""

    def __init__(self, traces, groups, seconds, lane_of):
        self.groups, self.seconds, self.lane_of = groups, seconds, lane_of
        self.nodes = [{node.id: (node, held) for node, held in trace} for trace in traces]
        self.left = [{i: set(n.data_deps) for i, (n, _) in own.items()} for own in self.nodes]
        self.end = [{} for _ in traces]
        self.posted = {}
        self.arrived, self.busy, self.met = set(), set(), defaultdict(list)
        self.heap, self.order = [], count()
        for device in range(len(traces)):
            self.start(device, 0.0)
        while self.heap:
            now, _, device, number = heappop(self.heap)
            self.finish(device, number, now)

    def later(self, when, device, number):
        heappush(self.heap, (when, next(self.order), device, number))

    def start(self, device, now):
        able = [number for number, before in self.left[device].items() if not before]
        for number in sorted(able):
            node, held = self.nodes[device][number]
            lane = self.lane_of(node)
            if lane is not None and (device, lane) in self.busy:
                continue
            del self.left[device][number]
            if lane is not None:
                self.busy.add((device, lane))
            self.begin(device, node, held, now)

    def begin(self, device, node, held, now):
        if node.type == RECEIVE:
            self.posted[held["comm_tag"]] = device, node.id
            self.receive(held["comm_tag"], now)
        elif node.type == COLLECTIVE:
            group = self.groups[held["pg_name"]]
            assert device in group
            earlier = [n for n, h in self.nodes[device].values() if h.get("pg_name")]
            which = held["pg_name"], [n.id for n in earlier].index(node.id)
            self.met[which].append((device, node.id))
            if len(self.met[which]) == len(group):
                for other, number in self.met[which]:
                    self.later(now + self.seconds[other][number], other, number)
        else:
            self.later(now + self.seconds[device][node.id], device, node.id)

    def receive(self, tag, now):
        if tag in self.posted and tag in self.arrived:
            self.later(now, *self.posted[tag])

    def finish(self, device, number, now):
        node, held = self.nodes[device][number]
        self.end[device][number] = now
        self.busy.discard((device, self.lane_of(node)))
        if node.type == SEND:
            self.arrived.add(held["comm_tag"])
            self.receive(held["comm_tag"], now)
        for before in self.left[device].values():
            before.discard(number)
        self.start(device, now)

    @property
    def makespan_s(self):
        assert not any(self.left), "some nodes never begin"
        assert list(map(len, self.end)) == list(map(len, self.nodes)), "some nodes never end"
        return max(max(ends.values(), default=0.0) for ends in self.end)
