"""What stages wait for in the closed form, against loops over visits."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from star_watos.spec import load
from star_watos.star import AttentionWork, Core, Resources, Tile
from star_watos.star.batching import held_up
from star_watos.star.fit import batch_tokens
from star_watos.star.layer import Layer
from star_watos.star.pipeline import beside_sort
from star_watos.star.ports import memory_seconds, part_times, users_of
from star_watos.star.stages import all_stages

CORE = Resources.of(load(Core, "star_28nm", "configs/cores"))


def work_of(seq_len, **more):
    heads = {"n_heads": 4.0, "n_kv_heads": 4.0, "head_dim": 128.0}
    ratios = {"keep_ratio": 0.1, "kv_ratio": 0.5}
    lengths = {"seq_len": float(seq_len), "q_len": float(seq_len)}
    return AttentionWork(**({"d_model": 512.0, "n_layers": 1.0} | heads | ratios | lengths | more))


def layer_of(seq_len, keys, *, core=CORE, **more):
    return Layer.of(core, work_of(seq_len, **more), Tile(float(keys)))


def bringing(seq_len, rows, keys, columns):
    """Return how many visits bring a group's first token, of all query tiles, one by one."""
    firsts, ends = range(0, seq_len, columns), [*range(0, seq_len, rows), seq_len]
    return sum(
        len({first // keys for first in firsts if start <= first < end})
        for start, end in pairwise(ends)
    )


@pytest.mark.parametrize(
    ("rows", "keys", "columns"),
    [(128, 64, 32), (128, 32, 32), (96, 120, 40), (96, 80, 40), (80, 144, 48), (32, 64, 64)],
)
def test_visits_that_bring_tokens_are_those_counted(rows, keys, columns):
    """Exact where a query tile is whole key tiles, else within 7 %."""
    core = replace(CORE, queries=float(rows), dlzs_columns=float(columns))
    layer = layer_of(5760, keys, core=core)
    found = float(layer.tiles.total(layer.new_visits))
    exact = rows % keys == 0
    assert found == pytest.approx(bringing(5760, rows, keys, columns), rel=1e-12 if exact else 0.07)


def predicted(visits, lumps, project, score, sort):
    """Play out `visits` of which the last `lumps` predict K^ first, two score tiles between."""
    ended, sorted_ = [0.0, 0.0], [0.0, 0.0]
    for t in range(visits):
        begin = max(ended[-1], sorted_[-2])
        lump = project / lumps if t >= visits - lumps else 0.0
        ended.append(begin + lump + score)
        sorted_.append(max(ended[-1], sorted_[-1]) + sort)
    return ended[-1]


@given(
    visits=st.integers(1, 40),
    lumps=st.integers(1, 3),
    project=st.floats(0.1, 50),
    score=st.floats(0.1, 5),
    sort=st.floats(0.1, 5),
)
def test_predict_cannot_run_away_from_sort(visits, lumps, project, score, sort):
    """To a visit of either at the start, where there is nothing to sort yet."""
    lumps = min(lumps, visits)
    found = float(beside_sort(project, visits * score, visits * sort, float(visits), float(lumps)))
    exact = predicted(visits, lumps, project, score, sort)
    assert exact <= found * (1 + 1e-12)
    assert found <= exact + 2 * sort


def test_tokens_and_codes_hold_phase_1_up():
    """At a tenth of the bandwidth phase 1 takes as long as what it streams."""
    slow = replace(CORE, dram_bytes_per_s=CORE.dram_bytes_per_s / 10)
    layer = layer_of(1024, 64, core=slow)
    users = users_of(layer, all_stages(layer))
    project = users[0]
    assert project.dram_s > 2 * project.array_s
    alone = part_times(layer, users, memory_seconds(users))[0].alone
    assert layer.tiles.total(alone) * 4 == pytest.approx(float(project.dram_s))


def test_attention_of_a_head_waits_for_its_only_batch():
    """All of it if one batch holds all tokens; from the first new token on if most are cached."""
    layer = layer_of(64, 64)
    assert batch_tokens(layer) > 32
    assert float(held_up(layer, np.full((1,), 3.0))) == 3.0
    cached = layer_of(64, 64, q_len=16.0, cached=48.0)
    assert float(held_up(cached, np.full((1,), 3.0))) == pytest.approx(3.0 * 16 / 64)


def test_attention_waits_for_nothing_if_a_later_pass_follows():
    layer = layer_of(64, 64, n_heads=8.0)
    assert float(held_up(layer, np.full((1,), 3.0))) == 0.0
