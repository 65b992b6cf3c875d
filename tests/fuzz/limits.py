"""What no case may do: raise anything but `InputError`, hang, speak unreadably."""

import signal
from contextlib import contextmanager

from star_watos.spec import InputError

CPU_S, WALL_S = 5.0, 60.0
"""Limits of a case. Machines are shared: what waits is given longer than what works."""


@contextmanager
def within_limit(case):
    """Fail, with the name of the case, where the block raises or does not end."""

    def late(*_):
        raise TimeoutError(f"still running after {CPU_S:g} s of work, or {WALL_S:g} s")

    alarms = {signal.SIGPROF: signal.ITIMER_PROF, signal.SIGALRM: signal.ITIMER_REAL}
    before = {number: signal.signal(number, late) for number in alarms}
    signal.setitimer(signal.ITIMER_PROF, CPU_S)
    signal.setitimer(signal.ITIMER_REAL, WALL_S)
    try:
        yield
    except Exception as error:
        error.add_note(f"case: {case}")
        raise
    finally:
        for number, alarm in alarms.items():
            signal.setitimer(alarm, 0)
            signal.signal(number, before[number])


def assert_readable(error: InputError) -> None:
    """Whatever is wrong, it is said in printable lines, one a mistake."""
    assert error.problems
    for problem in error.problems:
        line = str(problem)
        assert line.isprintable()
        assert len(line) < 1000
    assert len(str(error).split("\n")) == len(error.problems)


def accepted(load, *arguments):
    """Return what `load` makes of its arguments, or None if it refuses them as it should."""
    try:
        return load(*arguments)
    except InputError as error:
        assert_readable(error)
        return None
