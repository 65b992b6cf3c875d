"""What happened when in an iteration, in the trace-event format of Chrome and Perfetto."""

from typing import Any, TypeAlias

from star_watos.watos.event.play import Played
from star_watos.watos.event.tasks import Resource, Task

Event: TypeAlias = dict[str, Any]
"""An entry of `traceEvents`."""

_US = 1e6
"""Microseconds of a second."""


def _tracks(played: Played) -> dict[tuple[int, Resource], int]:
    """Number what is used: first the stages' compute, then what joins them."""
    used = {(task.stage, task.resource) for task in played.tasks}
    kinds = list(Resource)
    beside = [key for key in used if key[1] is not Resource.COMPUTE]
    stages = sorted(stage for stage, resource in used if resource is Resource.COMPUTE)
    keys = [(stage, Resource.COMPUTE) for stage in stages]
    keys += sorted(beside, key=lambda key: (key[0], kinds.index(key[1])))
    return {key: tid for tid, key in enumerate(keys, start=1)}


def _title(stage: int, resource: Resource) -> str:
    return f"stage {stage}" if resource is Resource.COMPUTE else f"stage {stage} {resource.value}"


def _entry(task: Task, track: int, start_s: float, end_s: float) -> Event:
    """Return the complete event of a task.

    Both ends are rounded alike, so that tasks which meet still meet.
    """
    start, end = round(start_s * _US, 6), round(end_s * _US, 6)
    which = {"chunk": task.chunk, "microbatch": task.microbatch}
    return {
        "name": task.kind.value if task.microbatch < 0 else f"{task.kind.value} {task.microbatch}",
        "cat": task.kind.value, "ph": "X", "pid": 0, "tid": track, "ts": start,
        "dur": round(end - start, 6),
        "args": {"of": task.name} | {name: n for name, n in which.items() if n >= 0},
    }  # fmt: skip


def trace_events(played: Played) -> Event:
    """Return a played iteration as a trace-event document.

    One track a stage, on which tasks follow each other; one for each of its links to a neighbour,
    and one for what goes between its replicas. What takes no time is left out.
    """
    tracks = _tracks(played)
    names = [
        {"name": "thread_name", "ph": "M", "pid": 0, "tid": tid, "args": {"name": _title(*key)}}
        for key, tid in tracks.items()
    ]
    times = zip(played.tasks, played.start_s, played.end_s, strict=True)
    entries = [
        _entry(task, tracks[task.stage, task.resource], start, end)
        for task, start, end in times
        if end > start
    ]
    entries.sort(key=lambda entry: (entry["tid"], entry["ts"]))
    return {
        "traceEvents": names + entries,
        "displayTimeUnit": "ms",
        "otherData": {"iteration_s": played.makespan_s, "tasks": len(played.tasks)},
    }
