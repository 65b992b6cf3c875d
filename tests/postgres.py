"""A PostgreSQL server of its own for tests, on a free port, with a password."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

PASSWORD = "se@cret:/{1}"  # noqa: S105 (of a server that lives for some seconds)


def programs() -> Path | None:
    """The folder of the newest installed server."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda p: int(p.parts[4]))
    return found[-1].parent if found else None


def account() -> str | None:
    """Who runs the server, which root may not: the package's own account."""
    return "postgres" if os.geteuid() == 0 else None


@contextmanager
def server() -> Iterator[str]:
    """Start a server; lend the URL of its database `postgres`."""
    binaries, user = programs(), account()
    assert binaries is not None
    folder = Path(tempfile.mkdtemp(prefix="postgres"))
    try:
        (folder / "password").write_text(PASSWORD)
        if user is not None:
            for path in (folder, folder / "password"):
                shutil.chown(path, pwd.getpwnam(user).pw_uid)
        data, port = folder / "data", free_port()
        make = [binaries / "initdb", "-D", data, "-U", "tester", "-A", "scram-sha-256", "--no-sync"]
        make += ["--pwfile", folder / "password"]
        subprocess.run(make, user=user, cwd=folder, check=True, capture_output=True)
        serve = [binaries / "postgres", "-D", data, "-p", str(port), "-k", folder]
        serve += ["-c", "listen_addresses=127.0.0.1", "-c", "fsync=off"]
        with subprocess.Popen(
            serve, user=user, cwd=folder, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL
        ) as process:
            try:
                wait_for(binaries / "pg_isready", port)
                yield f"postgresql://tester:{quote(PASSWORD, safe='')}@127.0.0.1:{port}/postgres"
            finally:
                process.send_signal(signal.SIGINT)
    finally:
        shutil.rmtree(folder)


def wait_for(ready: Path, port: int) -> None:
    until = time.perf_counter() + 30
    command = [ready, "-h", "127.0.0.1", "-p", str(port), "-q"]
    while subprocess.run(command, check=False).returncode:
        assert time.perf_counter() < until
        time.sleep(0.1)


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])
