"""A collective as Chakra execution traces, which ASTRA-sim runs."""

from star_watos.fabric.chakra.messages import Messages, NodeType, messages
from star_watos.fabric.chakra.traces import Flows, traces
from star_watos.fabric.chakra.write import check_folder, write_traces

__all__ = ["Flows", "Messages", "NodeType", "check_folder", "messages", "traces", "write_traces"]
