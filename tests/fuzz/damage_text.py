"""Damage to the text of a file: lines, bytes, encodings, anchors, tags, size and depth."""

import re

from junk import ITEM, JUNK, KEY, NUMBER, TAGS, replaced


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
