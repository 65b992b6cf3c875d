"""Ways to damage a YAML file: each takes a source of chance and the text, and returns other text.

What is not UTF-8 stands in the text as `surrogateescape` writes it.
"""

import copy
import json
import random
import re

import yaml

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


def lines(rng, text):
    """Drop, repeat, rename, re-indent and refill lines."""
    rows = text.split("\n")
    for _ in range(rng.choice((1, 1, 2, 5))):
        i = rng.randrange(len(rows))
        key, colon, _ = rows[i].partition(":")
        match rng.randrange(7):
            case 0:
                rows[i] = ""
            case 1:
                rows.insert(i, rows[rng.randrange(len(rows))])
            case 2:
                rows[i] = key[:-1] + rng.choice("xé ") + colon + rows[i][len(key) + 1 :]
            case 3:
                rows[i] = f"{key}: {rng.choice(JUNK)}"
            case 4:
                rows[i] = "  " * rng.randrange(4) + rows[i].lstrip()
            case 5:
                rows[i] = replaced(rng, ITEM, rows[i], lambda _: rng.choice(JUNK), most=1)
            case _:
                rows[i], rows[i - 1] = rows[i - 1], rows[i]
    return "\n".join(rows)


def bytes_(rng, text):
    """Cut, overwrite and insert bytes."""
    data = bytearray(text.encode(errors="surrogateescape"))
    for _ in range(rng.choice((1, 3, 30))):
        place = rng.randrange(len(data))
        match rng.randrange(4):
            case 0:
                del data[place : place + rng.randrange(1, 20)]
            case 1:
                data[place] = rng.randrange(256)
            case 2:
                data[place:place] = rng.choice(("{", "}", "[", "]", ":", "\n", "\0", '"')).encode()
            case _ if rng.random() < 0.2:
                data = data[: place + 1]
            case _:
                data[place:place] = bytes(rng.randrange(256) for _ in range(rng.randrange(9)))
        data = data or bytearray(b"\n")
    return data.decode(errors="surrogateescape")


def places(data, path=()):
    """Return the path of everything in plain data."""
    pairs = data.items() if isinstance(data, dict) else enumerate(data if holds(data) else ())
    return [path, *(p for k, v in pairs for p in places(v, (*path, k)))]


def holds(data):
    return isinstance(data, dict | list)


def at(data, path):
    for key in path:
        data = data[key]
    return data


def tree(text):
    """Return the data of a sound file: what is written with a unit stays text."""
    return yaml.load(text, Loader=yaml.CBaseLoader)  # noqa: S506 (it only makes texts)


def written(rng, data):
    """Return data as YAML in blocks, in flow, or as JSON."""
    match rng.randrange(3):
        case 0:
            return json.dumps(data)
        case 1:
            return yaml.dump(plain(data), Dumper=yaml.CSafeDumper, allow_unicode=True)
        case _:
            return yaml.dump(plain(data), Dumper=yaml.CSafeDumper, default_flow_style=True)


def plain(data):
    """Return data with numbers for texts that are numbers, as the file had them."""
    if isinstance(data, dict):
        return {key: plain(value) for key, value in data.items()}
    if isinstance(data, list):
        return [plain(value) for value in data]
    if isinstance(data, str) and re.fullmatch(r"-?\d{1,15}", data):
        return int(data)
    if isinstance(data, str) and re.fullmatch(r"-?\d{1,9}\.\d{1,9}", data):
        return float(data)
    return {"true": True, "false": False}.get(data, data) if isinstance(data, str) else data


def structure(rng, text):
    """Drop, move, wrap, unwrap, repeat and swap parts of the data."""
    data = [plain(tree(text))]
    for _ in range(rng.choice((1, 1, 2, 4))):
        paths = [path for path in places(data) if path]
        path, other = rng.choice(paths), rng.choice(paths)
        holder, key, part = at(data, path[:-1]), path[-1], at(data, path)
        match rng.randrange(6):
            case 0 if len(path) > 1:
                del holder[key]
            case 1:
                holder[key] = [part]
            case 2:
                holder[key] = {str(rng.choice(("a", "value", "choices", key))): part}
            case 3 if holds(part) and part:
                holder[key] = copy.deepcopy(
                    rng.choice(list(part.values() if isinstance(part, dict) else part))
                )
            case 4:
                holder[key] = copy.deepcopy(at(data, other))
            case _:
                holder[key] = copy.deepcopy([part] * rng.choice((2, 3, 8)))
    return written(rng, data[0] if data else None)


def types(rng, text):
    """Put values of other types in the places of values."""
    data = [plain(tree(text))]
    for _ in range(rng.choice((1, 1, 2, 4))):
        path = rng.choice([path for path in places(data) if path])
        at(data, path[:-1])[path[-1]] = copy.deepcopy(rng.choice(VALUES))
    return written(rng, data[0])


def _unit(rng, match):
    number, blank, unit = match.groups()
    return rng.choice(
        (
            number.replace(".", ",") + blank + unit,
            f"{number},5 {unit}",
            f"{number} {unit[:1]}B",
            f"{number} {unit[:1]}",
            f"{number} {unit.lower()}",
            f"{number} {unit.upper()}",
            f"{number} {unit}{unit}",
            f"{number} {unit} {unit}",
            f"{number}\u00a0{unit}",
            f"{number}\u2009{unit}",
            f"{number.translate(DIGITS)} {unit}",
            f"{number}",
            f"{unit}",
            f"{unit} {number}",
            f"-{number} {unit}",
            f"--{number} {unit}",
            f"1e400 {unit}",
            f"-1e400 {unit}",
            f"1e-400 {unit}",
            f"1e99999999999 {unit}",
            f"0x10 {unit}",
            f"1_000 {unit}",
            f"nan {unit}",
            f"inf {unit}",
            f"{'9' * 99} {unit}",
            f"{number} {unit.replace('B', 'iB')}",
            f"{number} µ{unit}",
            f"{number} {unit}/s",
            f"{number} {unit}²",
            f"'{number}\\n{unit}'",
            f"{number}{unit} # {unit}",
        )
    )


def units(rng, text):
    """Write quantities in other ways, most of them wrong."""
    return replaced(rng, QUANTITY, text, lambda match: _unit(rng, match), most=3)


def sizes(rng, text):
    """Scale numbers and quantities by powers of ten, or a little."""

    def scaled(match):
        power = rng.choice((-300, -30, -9, -6, -3, -2, -1, 1, 2, 3, 6, 9, 30, 300))
        value = float(match.group()) * (10.0**power if rng.random() < 0.7 else rng.uniform(0.1, 3))
        whole = match.group().isdigit() and 1 <= value < 1e15
        return str(round(value)) if whole else repr(value)

    return replaced(rng, NUMBER, text, scaled, most=4)


def _key(rng, key):
    return rng.choice(
        (
            key[:-1],
            key + key[-1],
            key[1:] + key[0],
            key.upper(),
            key.replace("a", "а"),  # Cyrillic
            f'"{key}"',
            f"'{key} '",
            f"{key}.{key}",
            f"? {key}\n",
            f"{key}: {key}",
            "<<",
            "~",
            "1",
            "true",
            '""',
            '"\\0"',
            "x" * 2000,
            "__class__",
            "model_config",
            "[a, b]",
            "{a: b}",
        )
    )


def keys(rng, text):
    """Rename keys, give them twice."""
    if rng.random() < 0.3:
        return replaced(rng, KEY, text, lambda m: f"{m.group()}: 1\n{m.group()}")
    return replaced(rng, KEY, text, lambda m: _key(rng, m.group()), most=3)


def encodings(rng, text):
    """Write the file in another encoding, or with marks and line ends of other systems."""
    text = text.encode(errors="surrogateescape").decode(errors="replace")
    place = rng.randrange(len(text) + 1)
    strange = rng.choice("éß€\u2028\u2029\x85\x00\x07\x1b\x7f\ufeff\ufffe\ufffd\U0010ffff")
    with_one = text[:place] + strange + text[place:]
    data = rng.choice(
        (
            lambda: text.encode("utf-16"),
            lambda: text.encode("utf-16-le"),
            lambda: text.encode("utf-16-be"),
            lambda: text.encode("utf-32"),
            lambda: text.encode("utf-8-sig"),
            lambda: text.encode("utf-7", "replace"),
            lambda: text.encode("cp500", "replace"),
            lambda: with_one.encode("latin-1", "replace"),
            lambda: with_one.encode("cp1252", "replace"),
            with_one.encode,
            lambda: text.replace("\n", "\r\n").encode(),
            lambda: text.replace("\n", "\r").encode(),
            lambda: text.replace("\n", "\u2028").encode(),
            lambda: text.replace("\n", "\x85").encode(),
            lambda: text.replace("\n", "\0\n").encode(),
            lambda: b"\xff\xfe" + text.encode(),
            lambda: b"\xef\xbb\xbf\xef\xbb\xbf" + text.encode(),
            lambda: with_one.encode()[:-1] + b"\xc3",
            lambda: b"\xed\xa0\x80" + text.encode(),
            lambda: b"\x1f\x8b\x08\x00" + text.encode(),
        )
    )()
    return data.decode(errors="surrogateescape")


def laughs(width, depth):
    """Return anchors that stand for width ** depth texts."""
    first = f"a0: &a0 [{', '.join(['lol'] * width)}]\n"
    rest = (f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * width)}]\n" for i in range(1, depth + 1))
    return first + "".join(rest)


def anchors(rng, text):
    """Name parts and repeat them, up to a thousand million times."""
    match rng.randrange(6):
        case 0:
            return laughs(rng.choice((2, 10)), rng.choice((3, 9, 30))) + text
        case 1:
            return f"base: &base {{a: 1}}\n<<: *base\n{text}"
        case 2:
            return "&all\n" + text + "\nagain: *all\n"
        case 3:
            return replaced(rng, NUMBER, text, lambda m: rng.choice((f"&a {m.group()}", "*a")))
        case 4:
            return replaced(rng, KEY, text, lambda m: f"<<: {{{m.group()}: 1}}\n{m.group()}")
        case _:
            return replaced(rng, KEY, text, lambda m: rng.choice((f"&k {m.group()}", "*k ")))


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


def tags(rng, text):
    """Give values tags, and texts that other readers of YAML take for other things."""
    if rng.random() < 0.2:
        head = rng.choice(("%YAML 1.2\n---\n", "%YAML 9.9\n---\n", "%TAG !e! tag:e,2000:\n---\n"))
        text = head + text
    return replaced(rng, NUMBER, text, lambda _: rng.choice(TAGS))


def huge(rng, text):
    """Make scalars, keys, lists or the whole file very large."""
    size = rng.choice((1_000, 10_000, 100_000))
    few = range(1, size // 10)
    unit = rng.choice(("TB/s", "KiB", "GHz", "x"))
    quantities, numbers = ", ".join(f"{i} {unit}" for i in few), ", ".join(map(str, few))
    lists = re.compile(r"\[[^\[\]]*\]")
    ways = (
        lambda: replaced(rng, NUMBER, text, lambda _: rng.choice("x91") * size, most=1),
        lambda: text + "\n" + "x" * size + ": 1\n",
        lambda: text + "".join(f"\nkey{i}: {i}" for i in few),
        lambda: text + "\nsame: 1" * len(few),
        lambda: replaced(rng, lists, text, lambda _: f"[{quantities}]", most=1),
        lambda: replaced(rng, lists, text, lambda _: f"[{numbers}]", most=1),
        lambda: text + "\n" * size + "# " + "x" * size * rng.choice((1, 25)),
        lambda: replaced(rng, NUMBER, text, lambda _: "|\n  1" + "\n  x" * len(few)),
    )
    return rng.choice(ways)()


def deep(rng, text):
    """Nest a value, in flow or in blocks."""
    depth = rng.choice((10, 39, 40, 41, 200, 2_000, 50_000))
    few = min(depth, 1_000)  # a block of depth n is n^2 / 2 blanks
    match rng.randrange(6):
        case 0:
            return replaced(rng, NUMBER, text, lambda m: "[" * depth + m.group() + "]" * depth)
        case 1:
            return replaced(rng, NUMBER, text, lambda m: "{a: " * depth + m.group() + "}" * depth)
        case 2:
            return replaced(rng, NUMBER, text, lambda _: "[" * depth)
        case 3:
            return text + "\ndeep:\n" + "".join(f"{' ' * i}a:\n" for i in range(1, few))
        case 4:
            return text + "\ndeep:\n " + "- " * depth + "1\n"
        case _:
            return text + "\ndeep:\n " + "? " * depth + "1\n"


def documents(rng, text):
    """Make more or less than one document of the file."""
    rows = text.split("\n")
    place = rng.randrange(len(rows) + 1)
    return rng.choice(
        (
            text + "\n---\n" + text,
            text + "\n...\n" + text,
            text + "\n...\n",
            "---\n" + text,
            "--- " + text,
            "\n".join([*rows[:place], "---", *rows[place:]]),
            "\n".join([*rows[:place], "...", *rows[place:]]),
            "---\n---\n---\n",
            "---\n" * 5_000,
            "...\n",
            "# nothing\n",
            "",
            "null",
            text[: rng.randrange(len(text))],
        )
    )


def blanks(rng, text):
    """Put tabs and other blanks where they do not belong."""
    rows = text.split("\n")
    for i in rng.sample(range(len(rows)), min(len(rows), rng.randint(1, 4))):
        blank = rng.choice(("\t", " \t", "\u00a0", "\u3000", "\x0b", "\x0c", "     "))
        place = rng.choice((0, len(rows[i]) - len(rows[i].lstrip()), rows[i].find(":") + 1))
        rows[i] = rows[i][:place] + blank + rows[i][place:]
    return "\n".join(rows)


def cells(rng, text):
    """Fill, drop, repeat, swap and rename cells, columns and rows of a table; open a quote."""
    rows = [row.split(",") for row in text.splitlines()]
    for _ in range(rng.choice((1, 1, 2, 5))):
        row, column = rng.choice(rows), rng.randrange(len(rows[0]))
        place = min(column, len(row) - 1)
        match rng.randrange(7):
            case 0 | 1:
                row[place] = str(rng.choice((*JUNK, *VALUES)))
            case 2:
                row[place] = rng.choice(('"', "'", '"a""', "=1+1")) + row[place]
            case 3:
                del row[place:]
                row.append("")
            case 4:
                row.insert(place, row[place])
            case 5:
                for each in rows:
                    each[column:] = each[column + 1 :] or [""]
            case _:
                rows.append(list(row))
    return "\n".join(rng.choice((",", ",", ",", ";", "\t")).join(row) for row in rows)


TABLE_DAMAGE = {
    "cells": cells,
    "lines": lines,
    "bytes": bytes_,
    "sizes": sizes,
    "encodings": encodings,
    "huge": huge,
    "blanks": blanks,
}
YAML_DAMAGE = {
    "lines": lines,
    "bytes": bytes_,
    "structure": structure,
    "types": types,
    "units": units,
    "sizes": sizes,
    "keys": keys,
    "encodings": encodings,
    "anchors": anchors,
    "tags": tags,
    "huge": huge,
    "deep": deep,
    "documents": documents,
    "blanks": blanks,
}


def damaged(damage, seed, text, ways=YAML_DAMAGE | TABLE_DAMAGE) -> bytes:
    """Return the file that the damage of this name and seed makes of `text`; same seed, same file.

    One case in five is damaged in a second way before.
    """
    rng = chance(f"{damage} {seed}")
    if rng.random() < 0.2:
        text = ways[rng.choice(("lines", "sizes", "bytes"))](rng, text)
    try:
        changed = ways[damage](rng, text)
    except (yaml.YAMLError, UnicodeEncodeError):  # what was damaged before has no structure left
        changed = ways["lines"](rng, text)
    return changed.encode(errors="surrogateescape")
