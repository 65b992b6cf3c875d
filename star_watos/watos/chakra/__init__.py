"""A training iteration as Chakra execution traces, which ASTRA-sim runs."""

from star_watos.watos.chakra.devices import Devices
from star_watos.watos.chakra.iteration import MOST_NODES, Handoff, handoff
from star_watos.watos.chakra.steps import Step, steps_by_stage

__all__ = ["MOST_NODES", "Devices", "Handoff", "Step", "handoff", "steps_by_stage"]
