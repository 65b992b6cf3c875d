"""The graph of one iteration.

- A stage makes its passes in the order of its schedule. What a pass hands to a neighbour is sent
  when its last piece is done; beside the work, or the sender waits until it has arrived.
- Gradients go out piece by piece, after the last microbatch's pass (ZeRO-2 and 3: after every one,
  and the stage goes on when the last is out, for a piece's gradients are whole until then). Without
  overlap they go out at once, after what is sent, and the stage waits.
- ZeRO-1 and 2 gather the weights after the step, while the next iteration begins; iterations being
  alike, they are gathered here while this one begins, and the first microbatch's pass waits piece
  by piece. Without overlap they are gathered after the step.
- ZeRO-3 gathers a piece's weights before each pass: two pieces are whole at once, so the next is on
  its way while one is at work. A pass begins with its first piece's.
"""

from dataclasses import dataclass, field

from star_watos.watos.event.orders import Pass, order_of
from star_watos.watos.event.tasks import NO_LOAD, Graph, Kind, Resource, Task, together
from star_watos.watos.event.work import Piece, PlanWork, StageWork
from star_watos.watos.plans import Schedule


def iteration_graph(work: PlanWork) -> Graph:
    """Return all tasks of an iteration."""
    graph = Graph()
    for index in range(len(work.stages)):
        _Stage(work, graph, index).add_all()
    return graph


def _whole(pieces: tuple[Piece, ...]) -> Piece:
    """Return the pieces of a chunk as one."""

    def total(name: str) -> float:
        return float(sum(getattr(piece, name) for piece in pieces))

    return Piece(
        "chunk",
        forward_s=total("forward_s"),
        backward_s=total("backward_s"),
        weights_s=total("weights_s"),
        gather_s=total("gather_s"),
        reduce_s=total("reduce_s"),
        loads=together(piece.loads for piece in pieces),
    )


def _all(own: StageWork) -> Piece:
    """Return what a stage's replicas exchange at once as one piece."""
    return Piece("stage", 0, 0, 0, own.gather_s, own.reduce_s, own.loads)


@dataclass(slots=True)
class _Stage:
    """Adds the tasks of one stage."""

    work: PlanWork
    graph: Graph
    index: int
    held: list[int] = field(default_factory=list)
    """What the next task of compute waits for."""
    wholes: list[Piece] = field(default_factory=list)
    """Its chunks, each as one piece."""
    weights: list[list[int]] = field(default_factory=list)
    """Gathers at the start that the first pass of each chunk waits for, by piece."""

    @property
    def own(self) -> StageWork:
        return self.work.stages[self.index]

    @property
    def gradients(self) -> Kind:
        """The pass after which a microbatch's gradients are there."""
        late = self.work.schedule is Schedule.ZERO_BUBBLE
        return Kind.WEIGHTS if late else Kind.BACKWARD

    def add_all(self) -> None:
        work, pp = self.work, len(self.work.stages)
        order = order_of(work.schedule, self.index, pp, work.n_microbatches, work.n_chunks)
        first = {chunk: i for kind, chunk, i in reversed(order) if kind is Kind.FORWARD}
        last = {chunk: i for kind, chunk, i in order if kind is self.gradients}
        self.wholes = [_whole(pieces) for pieces in self.own.chunks]
        self.gather_at_start()
        for kind, chunk, i in order:
            opens = kind is Kind.FORWARD and first[chunk] == i
            closes = kind is self.gradients and last[chunk] == i
            self.add_pass((kind, chunk, i), opens=opens, closes=closes)
        self.step()

    def gather_at_start(self) -> None:
        work = self.work
        if work.replicas and work.overlap and work.zero in {1, 2}:
            self.weights = [
                [self.transfer(Kind.GATHER, piece, c, -1, []) for piece in pieces]
                for c, pieces in enumerate(self.own.chunks)
            ]

    def step(self) -> None:
        work, own = self.work, self.own
        all_at_once = work.replicas and not work.overlap
        if all_at_once and work.zero < 2:
            self.wait_for(Kind.REDUCE, _all(own))
        self.held += self.graph.last(self.index, Resource.REPLICAS)
        self.compute(Kind.OPTIMIZER, _all(own), own.optimizer_s)
        if all_at_once and work.zero in {1, 2}:
            self.wait_for(Kind.GATHER, _all(own))

    def add_pass(self, which: Pass, *, opens: bool, closes: bool) -> None:
        """Add a pass of one microbatch, piece by piece where replicas hear of pieces."""
        kind, chunk, i = which
        work = self.work
        gathers = work.replicas and work.zero == 3 and kind is not Kind.WEIGHTS
        every = work.zero >= 2 and kind is self.gradients
        reduces = work.replicas and (every or (closes and work.overlap))
        pieces, whole = self.own.chunks[chunk], self.wholes[chunk]
        by_piece = work.overlap and (gathers or reduces or (opens and bool(self.weights)))
        if by_piece:
            known = self.weights[chunk] if opens and self.weights else []
            done = self.add_pieces(which, pieces, gathers=gathers, reduces=reduces, known=known)
        else:
            if gathers:
                self.wait_for(Kind.GATHER, whole, chunk, i)
            done = [self.work_on(which, whole)]
        if self.receives(kind, chunk):
            self.graph.awaits(done[0], (kind, self.index, chunk, i))
        self.send(which, done[-1])
        if reduces and not by_piece:
            self.wait_for(Kind.REDUCE, whole, chunk, i)
        if every and by_piece and reduces:
            self.held += self.graph.last(self.index, Resource.REPLICAS)

    def add_pieces(
        self,
        which: Pass,
        pieces: tuple[Piece, ...],
        *,
        gathers: bool,
        reduces: bool,
        known: list[int],
    ) -> list[int]:
        """Add a pass piece by piece; return its tasks of compute."""
        kind, chunk, i = which
        pieces = pieces if kind is Kind.FORWARD else pieces[::-1]
        whole_at_once = 2 if kind is Kind.FORWARD or self.work.gathers_ahead else 1
        before = self.held + self.graph.last(self.index, Resource.COMPUTE)
        gathered = list(known)
        if gathers:
            gathered += [
                self.transfer(Kind.GATHER, piece, chunk, i, before)
                for piece in pieces[:whole_at_once]
            ]
        done: list[int] = []
        for n, piece in enumerate(pieces):
            done.append(self.work_on(which, piece, gathered[n : n + 1]))
            if gathers and n + whole_at_once < len(pieces):
                following = pieces[n + whole_at_once]
                gathered.append(self.transfer(Kind.GATHER, following, chunk, i, done[-1:]))
            if reduces:
                self.transfer(Kind.REDUCE, piece, chunk, i, done[-1:])
        return done

    def work_on(self, which: Pass, piece: Piece, needs: list[int] | None = None) -> int:
        kind, chunk, i = which
        seconds = {
            Kind.FORWARD: piece.forward_s,
            Kind.BACKWARD: piece.backward_s,
            Kind.WEIGHTS: piece.weights_s,
        }
        self.held += needs or []
        return self.compute(kind, piece, seconds[kind], chunk, i)

    def compute(
        self, kind: Kind, piece: Piece, seconds: float, chunk: int = -1, i: int = -1
    ) -> int:
        load = piece.loads.get(kind, NO_LOAD)
        task = Task(piece.name, kind, self.index, chunk, i, seconds, Resource.COMPUTE, load)
        index = self.graph.add(task, self.held)
        self.held = []
        return index

    def transfer(self, kind: Kind, piece: Piece, chunk: int, i: int, needs: list[int]) -> int:
        seconds = piece.gather_s if kind is Kind.GATHER else piece.reduce_s
        load = piece.loads.get(kind, NO_LOAD)
        task = Task(piece.name, kind, self.index, chunk, i, seconds, Resource.REPLICAS, load)
        return self.graph.add(task, needs)

    def wait_for(self, kind: Kind, piece: Piece, chunk: int = -1, i: int = -1) -> None:
        """Add a transfer that begins when compute is done with all before, and holds it up."""
        before = self.held + self.graph.last(self.index, Resource.COMPUTE)
        self.held = [self.transfer(kind, piece, chunk, i, before)]

    def receives(self, kind: Kind, chunk: int) -> bool:
        """Whether a pass waits for a neighbour: all but the first and the turn at the loss."""
        match kind:
            case Kind.FORWARD:
                return self.index > 0 or chunk > 0
            case Kind.BACKWARD:
                return self.index < len(self.work.stages) - 1 or chunk < self.work.n_chunks - 1
            case _:
                return False

    def send(self, which: Pass, done: int) -> None:
        """Hand on what a pass made; from the last stage to the next chunk of the first, and back.

        A send that nothing hides keeps its sender from working; the receiver, if it is waiting,
        waits on, else it goes on: what it gets is written to its memory.
        """
        kind, chunk, i = which
        pp, step = len(self.work.stages), 1 if kind is Kind.FORWARD else -1
        turn, stage = divmod(self.index + step, pp)
        if kind is Kind.WEIGHTS or not 0 <= chunk + turn < self.work.n_chunks:
            return
        link = Resource.NEXT if kind is Kind.FORWARD else Resource.PREVIOUS
        work = self.work
        task = Task(kind.value, Kind.SEND, self.index, chunk, i, work.send_s, link, work.send)
        sent = self.graph.add(task, [done])
        self.graph.arrives(sent, (kind, stage, chunk + turn, i))
        if not work.overlap:
            self.held.append(sent)
