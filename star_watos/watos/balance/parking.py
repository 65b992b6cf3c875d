"""Who keeps what for whom: the least bytes times hops.

A transport problem, solved by shortest augmenting paths (Ford and Fulkerson 1962): each path brings
as many bytes as it can from stages that still have too much, by the cheapest change of all that was
decided before, to stages that still have room.
"""

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]
NOTHING = 1e-9
"""Share of all bytes below which none are left."""
CLOSER = 1e-9
"""Hops by which a way must be shorter to be taken instead."""


def park(sent: Values, spare: Values, hops: Values) -> Values:
    """Return the bytes that each stage has each other keep, [senders, helpers].

    `sent` must not exceed `spare` in all; `hops` are those from each stage to each other.

    >>> hops = np.array([[0.0, 1.0, 2.0], [1.0, 0.0, 1.0], [2.0, 1.0, 0.0]])
    >>> park(np.array([3.0, 0.0, 0.0]), np.array([0.0, 2.0, 4.0]), hops)[0].tolist()
    [0.0, 2.0, 1.0]
    """
    left, room, parked = sent.copy(), spare.copy(), np.zeros((len(sent), len(spare)))
    least = NOTHING * max(float(sent.sum()), 1e-30)
    while left.sum() > least:
        path = _cheapest(left > least, room > least, parked > least, hops)
        if path is None:
            raise ValueError(f"{left.sum():.3g} of {sent.sum():.3g} bytes have no room")
        ahead, back = path
        amount = min(left[ahead[0][0]], room[ahead[-1][1]])
        amount = min([amount, *(parked[place] for place in back)])
        for place in ahead:
            parked[place] += amount
        for place in back:
            parked[place] -= amount
        left[ahead[0][0]] -= amount
        room[ahead[-1][1]] -= amount
    return parked


Places = list[tuple[int, int]]


def _cheapest(
    sending: NDArray[np.bool_],
    open_: NDArray[np.bool_],
    parked: NDArray[np.bool_],
    hops: Values,
) -> tuple[Places, Places] | None:
    """Return the cheapest path from a sender to room: what is parked anew, and what is taken back.

    Distances of senders and helpers by rounds (Bellman and Ford): to any helper ahead, and from a
    helper back to a sender that parks there.
    """
    to_sender = np.where(sending, 0.0, np.inf)
    to_helper = np.full(len(open_), np.inf)
    from_sender = np.zeros(len(open_), dtype=np.intp)
    from_helper = np.full(len(sending), -1, dtype=np.intp)
    shorter = sending
    while shorter.any():
        ahead = to_sender[:, None] + hops
        nearer = ahead.min(axis=0) < to_helper - CLOSER
        from_sender = np.where(nearer, ahead.argmin(axis=0), from_sender)
        to_helper = np.where(nearer, ahead.min(axis=0), to_helper)
        back = np.where(parked, to_helper - hops, np.inf)
        shorter = back.min(axis=1) < to_sender - CLOSER
        from_helper = np.where(shorter, back.argmin(axis=1), from_helper)
        to_sender = np.where(shorter, back.min(axis=1), to_sender)
    reached = np.where(open_, to_helper, np.inf)
    if not np.isfinite(reached).any():
        return None
    return _traced(int(reached.argmin()), from_sender, from_helper)


def _traced(
    helper: int, from_sender: NDArray[np.intp], from_helper: NDArray[np.intp]
) -> tuple[Places, Places]:
    """Return the path that ends at a helper, first step first."""
    ahead: Places = []
    back: Places = []
    while True:
        sender = int(from_sender[helper])
        ahead.append((sender, helper))
        helper = int(from_helper[sender])
        if helper < 0:
            return ahead[::-1], back[::-1]
        back.append((sender, helper))
