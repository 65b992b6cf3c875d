"""An iteration played out task by task, sharing no formula of time with `schedule.py`."""

from star_watos.watos.event.agreement import Agreement, compare
from star_watos.watos.event.iteration import play_iteration, play_work
from star_watos.watos.event.orders import order_of
from star_watos.watos.event.play import Played, play
from star_watos.watos.event.simulation import played
from star_watos.watos.event.tasks import Graph, Kind, Resource, Task
from star_watos.watos.event.trace import trace_events
from star_watos.watos.event.work import Piece, PlanWork, StageWork, plan_work

__all__ = [
    "Agreement",
    "Graph",
    "Kind",
    "Piece",
    "PlanWork",
    "Played",
    "Resource",
    "StageWork",
    "Task",
    "compare",
    "order_of",
    "plan_work",
    "play",
    "play_iteration",
    "play_work",
    "played",
    "trace_events",
]
