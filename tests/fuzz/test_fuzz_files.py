"""Damaged files are refused in one line a mistake, or accepted; nothing else happens.

A case that fails names its kind, its damage and its seed; `damaged(damage, seed, text)` of
`damage.py` makes the same file again.
"""

import pytest
from damage import TABLE_DAMAGE, YAML_DAMAGE, damaged
from kinds import FILES, SWEEPS, TABLES
from limits import accepted, within_limit

CASES = 57
KINDS = FILES | SWEEPS | TABLES
WAYS = [(kind, damage) for kind in FILES | SWEEPS for damage in YAML_DAMAGE] + [
    (kind, damage) for kind in TABLES for damage in TABLE_DAMAGE
]


@pytest.mark.parametrize(("kind", "damage"), WAYS)
def test_a_damaged_file_is_refused_readably_or_accepted(kind, damage, tmp_path):
    known = KINDS[kind]
    text = known.text()
    path = tmp_path / f"file.{str(known.sample).rpartition('.')[2]}"
    for seed in range(CASES):
        path.write_bytes(damaged(damage, seed, text))
        with within_limit(f"{kind}, {damage}, seed {seed}"):
            accepted(known.read, str(path))


@pytest.mark.parametrize("kind", KINDS)
def test_a_sound_file_is_accepted(kind, tmp_path):
    known = KINDS[kind]
    path = tmp_path / f"file.{str(known.sample).rpartition('.')[2]}"
    path.write_text(known.text(), encoding="utf-8")
    assert known.read(str(path)) is not None


def test_there_are_20_000_cases():
    assert CASES * len(WAYS) >= 20_000
