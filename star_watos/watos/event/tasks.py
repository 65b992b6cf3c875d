"""Tasks of an iteration, what each of them runs on, and what it waits for."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import TypeAlias


class Kind(Enum):
    """What a task does."""

    FORWARD = "forward"
    BACKWARD = "backward"
    """Both gradients; under zero-bubble schedules those of inputs only."""
    WEIGHTS = "weight gradients"
    """Of zero-bubble schedules, apart from backward."""
    SEND = "send"
    """A microbatch's activations, or their gradients, to a neighbouring stage."""
    GATHER = "gather"
    """Weights that replicas hold in parts become whole."""
    REDUCE = "reduce"
    """Gradients are added up over the replicas."""
    OPTIMIZER = "optimizer"


class Resource(Enum):
    """What a stage has one of; it takes one task at a time."""

    COMPUTE = "compute"
    NEXT = "to the next stage"
    PREVIOUS = "to the previous stage"
    REPLICAS = "between replicas"


@dataclass(frozen=True, slots=True)
class Load:
    """What a task asks of one device, for those who time it by other means."""

    flops: float = 0.0
    n_bytes: float = 0.0
    """To and from memory; of a transfer, the whole that is sent, gathered or reduced."""

    def __add__(self, other: "Load") -> "Load":
        return Load(self.flops + other.flops, self.n_bytes + other.n_bytes)


NO_LOAD = Load()

Loads: TypeAlias = Mapping[Kind, Load]
"""By what is done; what is left out asks nothing."""


def together(loads: Iterable[Loads]) -> Loads:
    """Return the sums.

    >>> together([{Kind.FORWARD: Load(2.0, 1.0)}, {Kind.FORWARD: Load(3.0, 1.0)}])[Kind.FORWARD]
    Load(flops=5.0, n_bytes=2.0)
    """
    every = list(loads)
    return {kind: sum((each.get(kind, NO_LOAD) for each in every), NO_LOAD) for kind in Kind}


@dataclass(frozen=True, slots=True)
class Task:
    """A piece of work of one stage."""

    name: str
    """What is worked on: a layer, the embedding, a whole chunk."""
    kind: Kind
    stage: int
    chunk: int
    microbatch: int
    """-1 where it is no microbatch's."""
    seconds: float
    resource: Resource
    load: Load = NO_LOAD


Place: TypeAlias = tuple[Kind, int, int, int]
"""Pass, stage, chunk and microbatch: where a send arrives."""


@dataclass(slots=True)
class Graph:
    """Tasks, and the indices of those that each waits for.

    A resource takes its tasks in the order in which they are added.
    """

    tasks: list[Task] = field(default_factory=list)
    needs: list[list[int]] = field(default_factory=list)
    _last: dict[tuple[int, Resource], int] = field(default_factory=dict)
    _arrivals: dict[Place, int] = field(default_factory=dict)
    _awaited: list[tuple[int, Place]] = field(default_factory=list)

    def add(self, task: Task, needs: Iterable[int] = ()) -> int:
        """Add a task that waits for `needs` and for the task before it on its resource."""
        index = len(self.tasks)
        before = self._last.get((task.stage, task.resource))
        self._last[task.stage, task.resource] = index
        self.tasks.append(task)
        self.needs.append([*needs] if before is None else [*needs, before])
        return index

    def last(self, stage: int, resource: Resource) -> list[int]:
        """Return the task last added to a resource, or nothing."""
        index = self._last.get((stage, resource))
        return [] if index is None else [index]

    def arrives(self, send: int, place: Place) -> None:
        """Say where a send arrives."""
        self._arrivals[place] = send

    def awaits(self, task: int, place: Place) -> None:
        """Let a task wait for the send that arrives at `place`, which may be added later."""
        self._awaited.append((task, place))

    def dependencies(self) -> list[list[int]]:
        """Return what each task waits for, arrivals among it."""
        needs = [list(each) for each in self.needs]
        for task, place in self._awaited:
            needs[task].append(self._arrivals[place])
        return needs
