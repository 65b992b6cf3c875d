"""`report.html`: the page, whole and by itself."""

import json
from html import escape
from importlib.resources import files
from importlib.util import find_spec
from string import Template
from typing import Any

from star_watos.explore.files import REPORT
from star_watos.explore.stored import Stored
from star_watos.files import write_whole
from star_watos.report.html.content import content, facts
from star_watos.spec import InputError

SCRIPTS = ("format.js", "figures.js", "looks.js", "page.js")
NEEDS = "needs plotly: pip install 'star-watos[html]'"
"""What is said where the page cannot be made."""


def can_write() -> bool:
    """Whether the library that draws the page is installed."""
    return find_spec("plotly") is not None


def write_report(stored: Stored) -> None:
    """Write `report.html` into the run's folder. Raises `InputError` where its front is damaged."""
    _check(stored)
    write_whole(stored.folder / REPORT, page(stored))


def _check(stored: Stored) -> None:
    """Refuse a front without designs, or without what was searched, or with objectives of text."""
    if not stored.rows:
        raise InputError.of(str(stored.front), "has no designs to show")
    for number, row in enumerate(stored.rows, start=1):
        for name in (*stored.asked.sweep.space, *stored.objectives):
            if name not in row:
                raise InputError.of(str(stored.front), f"has no column {name}")
            if name in stored.objectives and isinstance(row[name], str):
                text = f"expected a number in design {number}, got {row[name]!r}"
                raise InputError.of(str(stored.front), text, name)


def page(stored: Stored) -> str:
    """Return the page."""
    from plotly.offline import get_plotlyjs  # noqa: PLC0415 (0.1 s, and only pages need it)

    own = files("star_watos.report.html")
    parts = {
        "title": escape(stored.folder.resolve().name),
        "subtitle": escape(_subtitle(stored)),
        "facts": _facts(stored),
        "configuration": _configuration(stored),
        "style": (own / "page.css").read_text(encoding="utf-8"),
        "plotly": _one_byte(get_plotlyjs()),
        "data": in_script(content(stored)),
        "script": "\n".join((own / name).read_text(encoding="utf-8") for name in SCRIPTS),
    }
    return Template((own / "page.html").read_text(encoding="utf-8")).substitute(parts)


def _one_byte(script: str) -> str:
    r"""Return a script with the few letters beyond Latin-1 written out; they stand in texts.

    Browsers keep a text with one such letter in twice the memory, and read it a tenth slower.

    >>> print(_one_byte("'²∞'"))
    '²\u221e'
    """
    return "".join(c if ord(c) < 0x100 or ord(c) > 0xFFFF else f"\\u{ord(c):04x}" for c in script)


def in_script(data: dict[str, Any]) -> str:
    """Return data as JSON that cannot end the script element which holds it.

    >>> "</script>" in in_script({"name": "</script>"})
    False
    """
    text = json.dumps(data, allow_nan=False, ensure_ascii=False)
    return text.replace("<", "\\u003c")


def _subtitle(stored: Stored) -> str:
    wanted = ", ".join(f"{sense.value} {name}" for name, sense in stored.objectives.items())
    count = len(stored.rows)
    designs = "1 design" if count == 1 else f"{count:,} designs"
    return f"{designs} that no other beats ({stored.asked.kind.value}): {wanted}"


def _facts(stored: Stored) -> str:
    rows = (
        f"<dt>{escape(name)}</dt><dd>{escape(said)}</dd>" for name, said in facts(stored).items()
    )
    return "".join(rows)


def _configuration(stored: Stored) -> str:
    said = ("config", "packages")
    every = {name: {key: run.get(key) for key in said} for name, run in stored.runs.items()}
    return escape(json.dumps(every.get("", every), indent=2, ensure_ascii=False))
