"""A run whose files were damaged is compared and merged, or refused; nothing else happens."""

import json

import pytest
from damage import TABLE_DAMAGE, YAML_DAMAGE, damaged
from limits import within_limit

from star_watos.cli.star import app as star

CASES = 10
WAYS = [("run.json", way) for way in YAML_DAMAGE] + [("pareto.csv", way) for way in TABLE_DAMAGE]


@pytest.fixture
def stored(run, tmp_path):
    """Return the texts of a run's files, and what was written of it."""
    folder = tmp_path / "run"
    assert run(star, "explore", "ci_star", "--jobs", 1, "--out", folder)[0] == 0
    return folder, {
        name: (folder / name).read_text(encoding="utf-8") for name in ("run.json", "pareto.csv")
    }


@pytest.mark.parametrize(("name", "damage"), WAYS)
def test_a_damaged_run_is_compared_or_refused(run, stored, tmp_path, name, damage):
    folder, texts = stored
    for seed in range(CASES):
        for other, text in texts.items():
            (folder / other).write_text(text, encoding="utf-8")
        (folder / name).write_bytes(damaged(damage, seed, texts[name]))
        with within_limit(f"{name}, {damage}, seed {seed}"):
            code, out, err = run(star, "diff", folder, folder, "--json")
            assert (code, bool(out), bool(err)) in {(0, True, False), (2, False, True)}
            assert not out or json.loads(out)
            out = tmp_path / f"out{seed}"
            assert run(star, "merge", folder, "--out", out)[0] == code
            assert out.exists() == (code == 0)
