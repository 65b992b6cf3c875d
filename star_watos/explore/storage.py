"""Optuna's own storage: a SQLite file or a PostgreSQL database, which others read too."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING

from star_watos.errors import InputError

if TYPE_CHECKING:
    from optuna.storages import RDBStorage
    from sqlalchemy.engine import URL

OPTION = "--storage"
ANSWER_S = 10
"""How long a server may take to answer."""
_POSTGRES = "postgresql+psycopg"


class Storage:
    """The storage at a URL; its tables are made if they are missing."""

    def __init__(self, text: str) -> None:
        """Connect. Raises `InputError`."""
        url = _url(text)
        self._shown = f"{OPTION} {url.render_as_string()}"
        with _said(self._shown):
            self._store = _opened(url)

    @contextmanager
    def using(self) -> Iterator["RDBStorage"]:
        """Lend it, and let go of its connections afterwards.

        Raises `InputError`, which shows the URL without its password, for what it refuses.
        """
        with _said(self._shown):
            try:
                yield self._store
            finally:
                self._store.remove_session()
                self._store.engine.dispose()


def _url(text: str) -> "URL":
    from sqlalchemy.engine import make_url  # noqa: PLC0415 (0.2 s to import)
    from sqlalchemy.exc import ArgumentError  # noqa: PLC0415

    allowed = "expected sqlite:///FILE or postgresql://USER:PASSWORD@HOST:PORT/DATABASE"
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        raise InputError.of(OPTION, allowed) from None  # the text may hold a password
    if url.drivername not in {"sqlite", "postgresql", _POSTGRES}:
        raise InputError.of(OPTION, f"{allowed}, got {url.drivername}://")
    if not url.database or url.database == ":memory:":
        raise InputError.of(OPTION, f"{allowed}, got no {url.drivername} database to keep it in")
    return url if url.drivername == "sqlite" else url.set(drivername=_POSTGRES)


def _opened(url: "URL") -> "RDBStorage":
    import optuna  # noqa: PLC0415 (0.3 s to import)

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    wait = {}
    if url.drivername == _POSTGRES:
        if find_spec("psycopg") is None:
            raise InputError.of(OPTION, "needs psycopg: pip install 'star-watos[postgres]'")
        wait = {"connect_timeout": ANSWER_S}
    text = url.render_as_string(hide_password=False)
    return optuna.storages.RDBStorage(text, engine_kwargs={"connect_args": wait})


@contextmanager
def _said(shown: str) -> Iterator[None]:
    """Turn what a database refuses into one line."""
    from optuna.exceptions import StorageInternalError  # noqa: PLC0415 (0.3 s to import)
    from sqlalchemy.exc import DBAPIError, SQLAlchemyError  # noqa: PLC0415

    try:
        yield
    except (SQLAlchemyError, StorageInternalError, RuntimeError) as error:
        cause = error.__cause__ if isinstance(error, StorageInternalError) else error
        first = cause.orig if isinstance(cause, DBAPIError) else cause
        raise InputError.of(shown, " ".join(str(first or error).split())) from None
