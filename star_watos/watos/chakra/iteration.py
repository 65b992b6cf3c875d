"""The chosen plan's iteration as traces, one a device."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from star_watos.errors import InputError
from star_watos.fabric.chakra import CommType, NodeType, encoded, metadata
from star_watos.watos.chakra.devices import Devices
from star_watos.watos.chakra.steps import Step, steps_by_stage
from star_watos.watos.dies import Dies
from star_watos.watos.event.build import iteration_graph
from star_watos.watos.event.tasks import Kind, Resource, Task
from star_watos.watos.event.work import plan_work
from star_watos.watos.simulate import Simulation

MOST_NODES = 2_000_000
"""In all traces together."""


@dataclass(frozen=True, slots=True)
class Handoff:
    """What each device does, and which devices there are."""

    steps: list[list[Step]]
    """By stage."""
    devices: Devices
    zero: int
    """Stage of ZeRO."""

    @property
    def n_nodes(self) -> int:
        """Nodes of all traces."""
        return sum(map(len, self.steps)) * self.devices.each

    def traces(self) -> Iterator[bytes]:
        """Yield the traces in the order of the devices' numbers."""
        places = self.devices.places
        computed = [_computed(steps) for steps in self.steps]
        for number in range(self.devices.total):
            nodes: Iterator[bytes] = iter(())
            if number in places:
                nodes = self._nodes(*places[number], computed[places[number][0]])
            yield b"".join([metadata(), *nodes])

    def _nodes(
        self, stage: int, replica: int, place: int, computed: dict[int, bytes]
    ) -> Iterator[bytes]:
        """Yield the nodes of one device; those of compute are the same on all of its stage."""
        for number, step in enumerate(self.steps[stage]):
            if number in computed:
                yield computed[number]
            elif step.flow >= 0:
                yield self._end(number, step, stage, replica, place)
            else:
                yield self._collective(number, step, self.devices.group(stage, place))

    def _end(self, number: int, step: Step, stage: int, replica: int, place: int) -> bytes:
        """Return a send or a receive, between devices of the same replica and place."""
        _, replicas, tp = self.devices.number.shape
        here, there = (int(self.devices.number[s, replica, place]) for s in (stage, step.peer))
        values = {
            "comm_size": max(1, round(step.task.load.n_bytes)),
            "comm_src": there if step.receives else here,
            "comm_dst": here if step.receives else there,
            "comm_tag": (step.flow * replicas + replica) * tp + place,
        }
        kind = NodeType.COMM_RECV_NODE if step.receives else NodeType.COMM_SEND_NODE
        end = f"receive from stage {step.peer}" if step.receives else f"send to stage {step.peer}"
        name = f"{_name(step.task)}: {end}"
        return _encoded(number, step, name, kind, values)

    def _collective(self, number: int, step: Step, group: str) -> bytes:
        """Return a gather or reduction; of a gather ASTRA-sim counts what each device brings."""
        n_bytes = step.task.load.n_bytes
        if step.task.kind is Kind.GATHER:
            n_bytes /= self.devices.number.shape[1]
        values: dict[str, float | str] = {
            "comm_type": _comm_type(step.task.kind, self.zero),
            "comm_size": max(1, round(n_bytes)),
            "pg_name": group,
        }
        return _encoded(number, step, _name(step.task), NodeType.COMM_COLL_NODE, values)


def handoff(simulation: Simulation) -> Handoff:
    """Return the iteration of a simulation; `InputError` where it has too many nodes or wafers.

    A plan that has too many passes alone is refused before its graph is built.
    """
    run, machine = simulation.iteration, simulation.machine
    if isinstance(machine, Dies) and machine.wafers > 1:
        raise InputError.of("--chakra", f"is of one wafer, got {machine.wafers}")
    plans, devices = run.plans, Devices.of(simulation.hardware, run.plans)
    passes = 2 * int(run.n_microbatches[0]) * int(plans.virtual_stages[0])
    _check(passes * devices.number.size, "more than ")
    work = plan_work(simulation.machine, simulation.model, simulation.training, plans, run)
    made = Handoff(steps_by_stage(iteration_graph(work)), devices, work.zero)
    _check(made.n_nodes)
    return made


def _check(n_nodes: int, at_least: str = "") -> None:
    if n_nodes > MOST_NODES:
        text = (
            f"expected at most {MOST_NODES:,} nodes in all traces, got {at_least}{n_nodes:,}; "
            "fewer devices or microbatches make fewer"
        )
        raise InputError.of("--chakra", text)


def _computed(steps: list[Step]) -> dict[int, bytes]:
    """Return the nodes of compute by their ids.

    FLOPs and bytes are 1 at least: ASTRA-sim's roofline divides by the one and leaves out nodes
    that have none of the other.
    """
    return {
        number: _encoded(
            number,
            step,
            _name(step.task),
            NodeType.COMP_NODE,
            {
                "num_ops": max(1, round(step.task.load.flops)),
                "tensor_size": max(1, round(step.task.load.n_bytes)),
            },
        )
        for number, step in enumerate(steps)
        if step.task.resource is Resource.COMPUTE
    }


def _encoded(
    number: int, step: Step, name: str, kind: NodeType, values: Mapping[str, float | str]
) -> bytes:
    """Return a node, with its exact seconds; a receive takes none of its own."""
    seconds = {} if step.receives else {"duration_s": step.task.seconds}
    return encoded(number, name, kind, step.needs, {**values, **seconds}, step.micros)


def _name(task: Task) -> str:
    """Return what is done with what.

    >>> _name(Task("layer", Kind.FORWARD, 0, 1, 5, 2e-3, Resource.COMPUTE))
    'forward layer, chunk 1, microbatch 5'
    """
    which = [f"{word} {n}" for word, n in (("chunk", task.chunk), ("microbatch", task.microbatch))]
    known = which if task.microbatch >= 0 else which[: task.chunk >= 0]
    what = task.name if task.kind is Kind.SEND else f"{task.kind.value} {task.name}"
    return ", ".join([what, *known])


def _comm_type(kind: Kind, zero: int) -> CommType:
    """Return the collective over replicas: what is split is scattered when it is reduced."""
    if kind is Kind.GATHER:
        return CommType.ALL_GATHER
    return CommType.REDUCE_SCATTER if zero else CommType.ALL_REDUCE
