"""Tasks of a mesh of cores: blocks on their way from core to core, and work on them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from star_watos.fabric import Mesh
from star_watos.fabric.event import Tasks
from star_watos.star.spatial.ways import Circle

Arrivals = list[list[list[int]]]
"""Tasks that bring blocks to each core at each step, [steps][cores]; none at step 0."""


@dataclass
class Cores:
    """The tasks of a layer on a mesh."""

    mesh: Mesh
    tasks: Tasks

    def circulate(
        self,
        what: str,
        on: Circle,
        block_bytes: NDArray[np.float64],
        after: Sequence[int],
    ) -> Arrivals:
        """Pass blocks on, of `block_bytes` [steps]; what is received is sent on in the next step.

        The first step waits for `after`.
        """
        arrivals: Arrivals = [[[] for _ in on.nodes]]
        before: dict[tuple[int, int], int] = {}
        for step, n_bytes in enumerate(block_bytes):
            here: list[list[int]] = [[] for _ in on.nodes]
            sent = {}
            for w, way in enumerate(on.ways):
                latency = way.routes.along(self.mesh.hop_s)
                for i in way.goes_on(step):
                    sender, receiver = way.sender[i], way.receiver[i]
                    waits = [*arrivals[step][sender]]
                    waits += [before[w, i]] if (w, i) in before else []
                    flow = self.tasks.flow(
                        way.routes.of(i),
                        (float(latency[i]), float(n_bytes) * way.fraction),
                        waits if step else after,
                        (f"core {on.nodes[sender]} {what} {w}", f"step {step}"),
                    )
                    sent[w, i] = flow
                    here[receiver].append(flow)
            before = sent
            arrivals.append(here)
        return arrivals

    def work(
        self,
        what: str,
        on: Circle,
        seconds: NDArray[np.float64],
        arrivals: Arrivals,
        after: list[list[int]],
    ) -> list[int]:
        """Work on blocks as they come, [steps, cores]; return each core's last task.

        `after` is what each core waits for at first.
        """
        last = after
        for step, each in enumerate(seconds):
            here = arrivals[step] if step < len(arrivals) else [[] for _ in each]
            last = [
                [self._one(what, on, step, place, float(s), [*last[place], *here[place]])]
                for place, s in enumerate(each)
            ]
        return [task for (task,) in last]

    def _one(
        self, what: str, on: Circle, step: int, place: int, seconds: float, after: list[int]
    ) -> int:
        name = (f"core {on.nodes[place]} {what}", f"step {step}")
        return self.tasks.work(seconds, after, name)

    def all_of(self, tasks: Sequence[int]) -> int:
        """Return the moment when all have ended."""
        return self.tasks.work(0.0, tasks)

    def hand_on(
        self, on: Circle, worked: list[int], n_bytes: float, sent: dict[tuple[int, int], int]
    ) -> list[list[int]]:
        """Pass on what was worked on, after what was `sent` before; return what each receives."""
        there: list[list[int]] = [[] for _ in on.nodes]
        for w, way in enumerate(on.ways):
            latency = way.routes.along(self.mesh.hop_s)
            for i, (sender, receiver) in enumerate(zip(way.sender, way.receiver, strict=True)):
                waits = [worked[sender], *([sent[w, i]] if (w, i) in sent else [])]
                sent[w, i] = self.tasks.flow(
                    way.routes.of(i),
                    (float(latency[i]), n_bytes * way.fraction),
                    waits,
                    (f"core {on.nodes[sender]} passes {w}", ""),
                )
                there[receiver].append(sent[w, i])
        return there
