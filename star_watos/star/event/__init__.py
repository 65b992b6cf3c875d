"""The core played out visit by visit, from `docs/star_model.md` and from no closed formula."""

from star_watos.star.event.run import EventRun, Limits, machines_of, run_events
from star_watos.star.event.trace import layer_events, trace_events

__all__ = ["EventRun", "Limits", "layer_events", "machines_of", "run_events", "trace_events"]
