"""Damage to what a YAML file says: its structure, types, quantities and keys."""

import copy
import json
import re

import yaml
from junk import DIGITS, KEY, NUMBER, QUANTITY, VALUES, replaced


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
