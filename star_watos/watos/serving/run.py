"""The best way to serve: both phases on all dies, or each on dies of its own."""

from star_watos.cost import Overflow
from star_watos.watos.hardware import Hardware, machine_of
from star_watos.watos.serving.request import Serving
from star_watos.watos.serving.search import Search
from star_watos.watos.serving.ways import FREE, Limits, Served, Service
from star_watos.watos.training import Training
from star_watos.watos.wafer import Wafer
from star_watos.workload import Model


def serve(
    hardware: Hardware,
    model: Model,
    serving: Serving,
    limits: Limits = FREE,
    devices: int | None = None,
) -> Service | Overflow:
    """Return the ways with most tokens a second, or what of memory or of the limits nothing meets.

    Phases apart are tried on wafers: their rows, or columns, are split in two.
    """
    machine = machine_of(hardware, Training(model=serving.model), devices)
    it = Search(hardware, machine, model, serving, limits)
    together = it.together()
    apart = it.apart() if isinstance(hardware, Wafer) else None
    found = {way.way: way for way in (together, apart) if isinstance(way, Served)}
    if found:
        return Service(hardware, machine, model, serving, found)
    assert isinstance(together, Overflow)  # noqa: S101 (nothing else is left)
    return together
