"""A mesh of cores played out: blocks on their way, links shared fairly, cores busy or waiting.

It shares no formula of time with `trips.py`: blocks are flows on the fabric's routes, cores are
chains of work, and a K/V head starts its way while the one before still works.
"""

from star_watos.star.spatial.event.run import MOST_CORES, Layer, events_s, play_layer
from star_watos.star.spatial.event.trace import layer_trace

__all__ = ["MOST_CORES", "Layer", "events_s", "layer_trace", "play_layer"]
