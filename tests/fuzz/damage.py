"""Ways to damage a YAML file: each takes a source of chance and the text, and returns other text.

What is not UTF-8 stands in the text as `surrogateescape` writes it.
"""

import yaml
from damage_parts import keys, sizes, structure, types, units
from damage_text import anchors, blanks, bytes_, deep, documents, encodings, huge, lines, tags
from junk import JUNK, VALUES, chance


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
