"""A graph of tasks played out: every task starts as soon as all it waits for has ended."""

from dataclasses import dataclass

from star_watos.watos.event.tasks import Graph, Kind, Resource, Task


@dataclass(frozen=True, slots=True)
class Played:
    """When each task started and ended, in seconds; the three lists are parallel."""

    tasks: list[Task]
    start_s: list[float]
    end_s: list[float]

    @property
    def makespan_s(self) -> float:
        """When the last task ended."""
        return max(self.end_s, default=0.0)

    def busy_s(self, stage: int) -> float:
        """Seconds in which a stage's compute is at work."""
        own = (t for t in self.tasks if t.stage == stage and t.resource is Resource.COMPUTE)
        return sum(task.seconds for task in own)

    @property
    def slowest(self) -> int:
        """The stage whose compute is busy longest."""
        stages = {task.stage for task in self.tasks}
        return max(sorted(stages), key=self.busy_s)

    def seconds_by_kind(self, stage: int) -> dict[Kind, float]:
        """Seconds of the tasks of a stage by kind, whatever is beside them."""
        seconds = dict.fromkeys(Kind, 0.0)
        for task in self.tasks:
            if task.stage == stage:
                seconds[task.kind] += task.seconds
        return seconds


def play(graph: Graph) -> Played:
    """Return when everything happens.

    Each resource works in its own order, so nothing is decided on the way: a task starts at the
    latest end of what it waits for. Raises `RuntimeError` if tasks wait for each other in a circle.

    >>> from star_watos.watos.event.tasks import Resource
    >>> graph = Graph()
    >>> there = graph.add(Task("layer", Kind.FORWARD, 0, 0, 0, 2.0, Resource.COMPUTE))
    >>> _ = graph.add(Task("layer", Kind.SEND, 0, 0, 0, 1.0, Resource.NEXT), [there])
    >>> play(graph).start_s
    [0.0, 2.0]
    """
    needs = graph.dependencies()
    followers: list[list[int]] = [[] for _ in needs]
    for index, before in enumerate(needs):
        for other in before:
            followers[other].append(index)
    missing = [len(before) for before in needs]
    start, end = [0.0] * len(needs), [-1.0] * len(needs)
    ready = [index for index, count in enumerate(missing) if not count]
    while ready:
        index = ready.pop()
        end[index] = now = start[index] + graph.tasks[index].seconds
        for other in followers[index]:
            start[other] = max(start[other], now)
            missing[other] -= 1
            if not missing[other]:
                ready.append(other)
    if any(missing):
        stuck = graph.tasks[next(i for i, count in enumerate(missing) if count)]
        raise RuntimeError(f"{sum(map(bool, missing))} tasks wait for each other, first: {stuck}")
    return Played(graph.tasks, start, end)
