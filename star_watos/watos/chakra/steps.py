"""The tasks of an iteration as what one device does: a list for each stage.

All devices of a stage do the same. What arrives from another stage becomes a receive, which the
device posts when it has done all before the pass that it is for. The pass cannot begin sooner, and
versions of ASTRA-sim that let a device have one send or receive at a time do not block on it.
"""

from dataclasses import dataclass, field

from star_watos.watos.event.tasks import Graph, Kind, Resource, Task

_US = 1e6
"""Microseconds of a second."""


@dataclass(frozen=True, slots=True)
class Step:
    """A node of the traces of all devices of a stage; its place in the list is its id."""

    task: Task
    """What is done; of a receive, the send."""
    needs: tuple[int, ...]
    """Earlier steps of the same device."""
    micros: int = 0
    """Whole microseconds; what is cut off is in the next step's on the same resource."""
    flow: int = -1
    """Number of the send, at both ends."""
    peer: int = -1
    """Stage at the other end."""
    receives: bool = False


def steps_by_stage(graph: Graph) -> list[list[Step]]:
    """Return the steps of each stage, in an order that respects what they need."""
    tasks, needs = graph.tasks, graph.dependencies()
    sends = [index for index, task in enumerate(tasks) if task.kind is Kind.SEND]
    flows = {index: flow for flow, index in enumerate(sends)}
    peers = {
        before: task.stage
        for task, own in zip(tasks, needs, strict=True)
        for before in own
        if tasks[before].stage != task.stage
    }
    stages = [_Stage() for _ in range(1 + max(task.stage for task in tasks))]
    for index, task in enumerate(tasks):
        stage, here = stages[task.stage], []
        for before in needs[index]:
            away = tasks[before].stage != task.stage
            step = stage.receive(tasks[before], flows[before]) if away else stage.place[before]
            here.append(step)
        stage.add(index, task, here, flows.get(index, -1), peers.get(index, -1))
    return [stage.steps for stage in stages]


@dataclass(slots=True)
class _Stage:
    """Collects the steps of one stage."""

    steps: list[Step] = field(default_factory=list)
    place: dict[int, int] = field(default_factory=dict)
    """Of tasks of the graph among the steps."""
    clock_s: dict[Resource, float] = field(default_factory=dict)
    """Seconds that a resource has been at work."""
    last: tuple[int, ...] = ()
    """The last step of compute."""

    def receive(self, send: Task, flow: int) -> int:
        """Add a receive, which takes no time of its own, and return its place."""
        self.steps.append(Step(send, self.last, flow=flow, peer=send.stage, receives=True))
        return len(self.steps) - 1

    def add(self, index: int, task: Task, needs: list[int], flow: int, peer: int) -> None:
        """Add a task of the graph."""
        place = self.place[index] = len(self.steps)
        before_s = self.clock_s.get(task.resource, 0.0)
        self.clock_s[task.resource] = before_s + task.seconds
        micros = round(_US * self.clock_s[task.resource]) - round(_US * before_s)
        self.steps.append(Step(task, tuple(sorted(set(needs))), micros, flow, peer))
        if task.resource is Resource.COMPUTE:
            self.last = (place,)
