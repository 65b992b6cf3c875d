"""What cores and links did when, in the trace-event format of Chrome and Perfetto."""

from typing import Any

from star_watos.star.spatial.event.run import Layer

MOST_EVENTS = 50_000
"""Entries in a trace, earliest first; a file of them has about five megabytes."""


def layer_trace(layer: Layer) -> dict[str, Any]:
    """Return the trace of a layer: one track for each thing that a core does or passes on."""
    began, ended, names = layer.played.begin_s, layer.played.end_s, layer.tasks.names
    shown = [
        i for i in began.argsort(kind="stable").tolist() if names[i][0] and ended[i] > began[i]
    ]
    tracks = {track: tid for tid, track in enumerate(sorted({names[i][0] for i in shown}), start=1)}
    events = [
        {"name": "thread_name", "ph": "M", "pid": 0, "tid": tid, "args": {"name": track}}
        for track, tid in tracks.items()
    ]
    entries = [
        {
            "name": names[i][1] or names[i][0],
            "ph": "X",
            "pid": 0,
            "tid": tracks[names[i][0]],
            "ts": 1e6 * float(began[i]),
            "dur": 1e6 * float(ended[i] - began[i]),
        }
        for i in shown[:MOST_EVENTS]
    ]
    entries.sort(key=lambda entry: (entry["tid"], entry["ts"]))
    return {
        "traceEvents": events + entries,
        "displayTimeUnit": "ns",
        "otherData": {"shown": f"{len(entries):,} of {len(shown):,} tasks of one layer"},
    }
