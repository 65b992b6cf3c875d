"""Where prefill and decode run, and what comes of it."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from star_watos.cost import Bound, Column
from star_watos.watos.hardware import Hardware
from star_watos.watos.machine import Machine
from star_watos.watos.plans import Index, Ints
from star_watos.watos.serving.phases import Phase
from star_watos.watos.serving.pools import Pool
from star_watos.watos.serving.request import Serving
from star_watos.workload import Model


class Way(StrEnum):
    """Where the phases run."""

    TOGETHER = "together"
    """Every replica does both in turn."""
    APART = "apart"
    """Some dies prefill, others decode; what is cached goes over the mesh."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How long may be waited."""

    ttft_s: float = np.inf
    """For the first token."""
    tpot_s: float = np.inf
    """For each token after it."""


FREE = Limits()
"""Nothing is limited."""


@dataclass(frozen=True, slots=True)
class Part:
    """One phase of some plans and their replicas; of the best way, one row."""

    pool: Pool
    phase: Phase

    def take(self, rows: "Ints | Index") -> "Part":
        """Return some rows."""
        return Part(self.pool.take(rows), self.phase.take(rows))


@dataclass(frozen=True, slots=True)
class Served:
    """One way to serve."""

    way: Way
    prefill: Part
    decode: Part
    requests_per_s: float
    ttft_s: float
    """Without queueing."""
    tpot_s: float
    energy_per_token_j: float
    """Of tokens of answers, prompts and leakage included."""
    bound: Bound
    """Of the phase that keeps dies busy longer."""


@dataclass(frozen=True, slots=True)
class Service:
    """What is served on what, and the best ways found."""

    hardware: Hardware
    machine: Machine
    model: Model
    serving: Serving
    ways: dict[Way, Served]
    """Those in which anything fits within the limits."""


@dataclass(frozen=True, slots=True)
class Together:
    """Every plan in which a replica does both phases, one row each."""

    pool: Pool
    prefill: Phase
    decode: Phase
    requests_per_s: Column
    ttft_s: Column
    tpot_s: Column
