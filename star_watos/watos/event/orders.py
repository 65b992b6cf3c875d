"""In which order a stage passes its microbatches forward and backward."""

from typing import TypeAlias, assert_never

from star_watos.watos.event.tasks import Kind
from star_watos.watos.plans import Schedule

Pass: TypeAlias = tuple[Kind, int, int]
"""What is done, with which chunk of the stage, for which microbatch."""


def order_of(
    schedule: Schedule, stage: int, pp: int, n_microbatches: int, v: int = 1
) -> list[Pass]:
    """Return the passes of one stage, in order.

    >>> [f"{kind.name[0]}{i}" for kind, _, i in order_of(Schedule.ONE_F_ONE_B, 1, 3, 3)]
    ['F0', 'F1', 'B0', 'F2', 'B1', 'B2']
    """
    match schedule:
        case Schedule.ONE_F_ONE_B:
            return _alternating(_in_turn(n_microbatches), pp - stage - 1)
        case Schedule.INTERLEAVED:
            ahead = 2 * (pp - stage - 1) + (v - 1) * pp
            return _alternating(_in_groups(pp, n_microbatches, v), ahead)
        case Schedule.GPIPE:
            return _all_forward(n_microbatches)
        case Schedule.ZERO_BUBBLE:
            return _weights_late(_alternating(_in_turn(n_microbatches), pp - stage - 1), stage)
        case _:
            assert_never(schedule)


def _in_turn(n_microbatches: int) -> tuple[list[Pass], list[Pass]]:
    """Return the forward and the backward passes of one chunk, each in order."""
    each = range(n_microbatches)
    return [(Kind.FORWARD, 0, i) for i in each], [(Kind.BACKWARD, 0, i) for i in each]


def _in_groups(pp: int, n_microbatches: int, v: int) -> tuple[list[Pass], list[Pass]]:
    """Return the passes of v chunks: p microbatches pass a chunk, then the next chunk.

    Backward the last chunk is first (Narayanan et al. 2021, figure 4).
    """
    turns = [
        (chunk, first + i)
        for first in range(0, n_microbatches, pp)
        for chunk in range(v)
        for i in range(min(pp, n_microbatches - first))
    ]
    forward = [(Kind.FORWARD, chunk, i) for chunk, i in turns]
    return forward, [(Kind.BACKWARD, v - 1 - chunk, i) for chunk, i in turns]


def _alternating(passes: tuple[list[Pass], list[Pass]], ahead: int) -> list[Pass]:
    """Return `ahead` forward passes, then one forward one backward, then what is left."""
    forward, backward = passes
    ahead = min(ahead, len(forward))
    pairs = zip(forward[ahead:], backward, strict=False)
    steady = [one for pair in pairs for one in pair]
    return forward[:ahead] + steady + backward[len(forward) - ahead :]


def _all_forward(n_microbatches: int) -> list[Pass]:
    """Return all forward passes, then all backward ones, the last first (Huang et al. 2019)."""
    forward, backward = _in_turn(n_microbatches)
    return forward + backward[::-1]


def _weights_late(passes: list[Pass], stage: int) -> list[Pass]:
    """Insert the gradients of weights, on stage s s backward passes late (ZB-H1).

    So stage s holds p - s microbatches that have not gone backward, as under 1F1B, and of s more
    what their weights' gradients need: p in all, what 1F1B holds on its first stage (Qi et al.
    2023, section 2).
    """
    order: list[Pass] = []
    waiting: list[Pass] = []
    for kind, chunk, i in passes:
        order.append((kind, chunk, i))
        if kind is Kind.BACKWARD:
            waiting.append((Kind.WEIGHTS, chunk, i))
            if len(waiting) > stage:
                order.append(waiting.pop(0))
    return order + waiting
