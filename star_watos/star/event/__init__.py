"""The core played out visit by visit, from `docs/star_model.md` and from no closed formula."""

from star_watos.star.event.run import EventRun, Limits, run_events
from star_watos.star.event.trace import trace_events

__all__ = ["EventRun", "Limits", "run_events", "trace_events"]
