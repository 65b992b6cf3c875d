"""What `--scheduler` may say."""

import json
import re
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from star_watos.errors import InputError

OPTION = "--scheduler"
MOST_LOCAL = 1024
"""Most workers of `local:N`."""
_LOCAL = re.compile(r"local:(\d{1,4})")
_ADDRESS = re.compile(r"(tcp|tls)://(\[[0-9A-Fa-f:]+\]|[A-Za-z0-9._-]+):(\d{1,5})")


@dataclass(frozen=True, slots=True)
class Address:
    """Where the workers of a Dask cluster are."""

    local: int = 0
    """Workers to start on this machine; 0 if others run already."""
    scheduler: str = ""
    """Otherwise, the address of their scheduler."""

    def __str__(self) -> str:
        return f"local:{self.local}" if self.local else self.scheduler

    @classmethod
    def of(cls, text: str) -> "Address":
        """Return what the option means; `InputError` if it means nothing, or Dask is missing.

        >>> Address.of("local:4"), Address.of("tcp://node7:8786").scheduler
        (Address(local=4, scheduler=''), 'tcp://node7:8786')
        """
        if find_spec("distributed") is None:
            raise InputError.of(OPTION, "needs Dask: pip install 'star-watos[cluster]'")
        local = _LOCAL.fullmatch(text)
        if local is not None and 1 <= int(local[1]) <= MOST_LOCAL:
            return cls(local=int(local[1]))
        if text.endswith(".json"):
            text = _of_file(Path(text))
        found = _ADDRESS.fullmatch(text)
        if found is None or not 1 <= int(found[3]) <= 65535:
            known = f"local:N with 1 to {MOST_LOCAL} workers, tcp://HOST:PORT, tls://HOST:PORT"
            got = f"expected {known} or a scheduler file that ends in .json, got {text[:60]!r}"
            raise InputError.of(OPTION, got)
        return cls(scheduler=text)


def _of_file(path: Path) -> str:
    """Return the address in a file that `dask scheduler --scheduler-file` wrote."""
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError.of(f"{OPTION} {path}", f"cannot be read: {error.strerror}") from None
    except ValueError:
        said = None
    address = said.get("address") if isinstance(said, dict) else None
    if not isinstance(address, str):
        raise InputError.of(f"{OPTION} {path}", "is no scheduler file: it names no address")
    return address
