"""Fair sharing in closed form, against the same from one end to the next."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from star_watos.star.event.servers import fair
from star_watos.star.sharing import level, waits

users = st.lists(st.tuples(st.floats(1e-3, 1e3), st.floats(0.0, 1.0)), min_size=2, max_size=3)


def played(works, shares):
    """Return how much longer each takes, step by step, by the rates of the event simulation."""
    left, now, ends = list(works), 0.0, [0.0] * len(works)
    while any(left):
        here = [i for i, w in enumerate(left) if w]
        rates = fair([shares[i] for i in here])
        step = min(left[i] / r for i, r in zip(here, rates, strict=True))
        now += step
        for i, rate in zip(here, rates, strict=True):
            done = left[i] / rate <= step * (1 + 1e-12)
            left[i] = 0.0 if done else left[i] - step * rate
            ends[i] = now if done else ends[i]
    return [end - work for end, work in zip(ends, works, strict=True)]


@given(users)
def test_waits_are_those_of_playing_it_out(some):
    works, shares = zip(*some, strict=True)
    assert waits(works, shares) == pytest.approx(played(works, shares), rel=1e-9, abs=1e-9)


@given(users)
def test_what_is_given_is_all_there_is_or_all_that_is_asked(some):
    shares = [share for _, share in some]
    given_ = sum(min(share, float(level(shares))) for share in shares)
    assert given_ == pytest.approx(min(1.0, sum(shares)))


def test_three_by_hand():
    """0.2, 0.6 and 0.9 of a port get 0.2, 0.4 and 0.4.

    1 s each: the first is done at 1 s, when 2/3 and 4/9 of the others are. They then get a half
    each: the second ends after another 1/3 / (5/6) = 0.4 s. The third has 5/9 - 0.4 (5/9) = 1/3 s
    to go alone.
    """
    found = [float(wait) for wait in waits([1.0, 1.0, 1.0], [0.2, 0.6, 0.9])]
    assert found == pytest.approx([0.0, 0.4, 0.4 + 1 / 3])


def test_columns_are_their_scalars():
    rng = np.random.default_rng(0)
    works, shares = rng.random((3, 50)), rng.random((3, 50)).round(1)
    together = waits(list(works), list(shares))
    for row in range(50):
        alone = waits(list(works[:, row]), list(shares[:, row]))
        assert [float(w[row]) for w in together] == [float(w) for w in alone]
