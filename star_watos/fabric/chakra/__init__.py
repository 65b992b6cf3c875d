"""Collectives and whatever else uses them as Chakra execution traces, which ASTRA-sim runs."""

from star_watos.fabric.chakra.messages import (
    CommType,
    Messages,
    NodeType,
    encoded,
    messages,
    metadata,
)
from star_watos.fabric.chakra.traces import Flows, traces
from star_watos.fabric.chakra.write import check_folder, write_traces

__all__ = [
    "CommType",
    "Flows",
    "Messages",
    "NodeType",
    "check_folder",
    "encoded",
    "messages",
    "metadata",
    "traces",
    "write_traces",
]
