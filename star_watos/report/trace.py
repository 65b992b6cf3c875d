"""Trace files, for https://ui.perfetto.dev and chrome://tracing."""

import json
from pathlib import Path
from typing import Any

from star_watos.files import write_whole


def write_trace(path: Path, document: dict[str, Any]) -> None:
    """Write a trace-event document, one event a line; `InputError` where it cannot be written."""
    events = ",\n".join(json.dumps(event) for event in document["traceEvents"])
    rest = {name: value for name, value in document.items() if name != "traceEvents"}
    write_whole(path, f'{{"traceEvents": [\n{events}\n],\n{json.dumps(rest)[1:]}\n')
