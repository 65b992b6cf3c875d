"""Texts and values to put where they do not belong, and where to put them."""

import random
import re

JUNK = (
    "",
    "~",
    "true",
    "0",
    "-1",
    "0.5",
    "1e999",
    "-1e300",
    "9" * 400,
    "1" + "0" * 5000,
    ".inf",
    ".nan",
    "512 KB",
    "1e308 TB",
    "1e-99999999 pJ",
    "1e99999999",
    "28nm",
    "/",
    "..",
    "x" * 3000,
    "é\u200f\u2028 \U0001f600",
    '"a\\nb\\0\\e[31m"',
    "'[/red]'",
    "[]",
    "{}",
    "[[[]]]",
    "{a: {b: [1, {c: ~}]}}",
    "[" * 60,
    "- - -",
    "? [a]",
    ": :",
    "%",
    "@",
    "`",
    "|",
    "\t",
    "# gone",
    "---",
)


VALUES = (
    None,
    True,
    False,
    0,
    1,
    -1,
    2,
    10**9,
    10**400,
    0.5,
    -0.0,
    1e-320,
    1e300,
    "",
    " ",
    "1",
    "4k",
    "1 TB/s",
    "28nm",
    "star_28nm",
    "watos_config3",
    "llama2_7b",
    "sofa_2pct",
    ".",
    "/dev/null",
    "\0",
    "x" * 5000,
    [],
    {},
    [1],
    ["a", "a"],
    [[1, 2], [3]],
    {"a": 1},
    {"": ""},
    {"value": 1, "source": "from nowhere at all"},
    {"choices": [1, "a", True]},
    {"range": [1, 10**9]},
    {"min": 1, "max": 0},
)


TAGS = (
    "!!python/object:os.system",
    "!!python/object/apply:os.system [exit 1]",
    "!!python/object/new:subprocess.Popen [[ls]]",
    "!!python/name:os.system",
    "!!python/module:os",
    "!!python/tuple [1, 2]",
    "!!binary aGVsbG8=",
    "!!timestamp 2001-12-14t21:59:43.10-05:00",
    "!!set {a, b}",
    "!!omap [a: 1]",
    "!!pairs [a: 1]",
    "!!str",
    "!!int '7'",
    "!!float 1",
    "!!null ''",
    "!!map {}",
    "!local x",
    "! x",
    "!<tag:yaml.org,2002:python/object:os.system> x",
    "!e!x 1",
    "!!" + "x" * 3000,
    "2001-12-14",
    "2001-12-14 21:59:43.10 -5",
    "1:30:00",
    "0o17",
    "0b101",
    "yes",
    "=",
)


QUANTITY = re.compile(r"([-+]?\d+\.?\d*(?:[eE][-+]?\d+)?)([ ]?)([kKMGTPmunpf]?i?[A-Za-z][\w/()]*)")


NUMBER = re.compile(r"(?<![\w.])\d+\.?\d*(?:[eE][-+]?\d+)?(?![\w.])")


ITEM = re.compile(r"[\w.]+(?=[,}\]])")


KEY = re.compile(r"[A-Za-z_][\w.]*(?=:(?: |$))", re.MULTILINE)


DIGITS = str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩")


def chance(seed) -> random.Random:
    return random.Random(seed)  # noqa: S311 (repeatable, not secret)


def replaced(rng, pattern, text, change, most=2):
    """Return `text` with one or a few matches of `pattern` changed."""
    found = list(pattern.finditer(text))
    for match in sorted(
        rng.sample(found, min(len(found), rng.randint(1, most))),
        reverse=True,
        key=lambda m: m.start(),
    ):
        text = text[: match.start()] + change(match) + text[match.end() :]
    return text
