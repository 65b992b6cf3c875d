"""Search over hardware and mappings: space, sampler, Pareto front, files of a run."""

from star_watos.explore.front import Sense, hypervolume, non_dominated, signs_of
from star_watos.explore.gate import Gate
from star_watos.explore.manifest import Source
from star_watos.explore.problem import Outcome, Parameters, Problem, Row
from star_watos.explore.progress import Tally
from star_watos.explore.run import How, Result, explore
from star_watos.explore.search import Stop
from star_watos.explore.space import Axis, Space
from star_watos.explore.sweep import Exploration, Limit, Sampler, Search

__all__ = [
    "Axis",
    "Exploration",
    "Gate",
    "How",
    "Limit",
    "Outcome",
    "Parameters",
    "Problem",
    "Result",
    "Row",
    "Sampler",
    "Search",
    "Sense",
    "Source",
    "Space",
    "Stop",
    "Tally",
    "explore",
    "hypervolume",
    "non_dominated",
    "signs_of",
]
