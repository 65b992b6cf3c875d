"""What every test starts from."""

import signal

import pytest


@pytest.fixture(scope="session", autouse=True)
def _ctrl_c_works():
    """Take Ctrl-C, which a shell makes its background jobs, and all they start, ignore."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
