"""The visits of a K/V head against sets of tokens, and their tasks by hand."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from star_watos.errors import InputError
from star_watos.spec import load
from star_watos.star.core import Core
from star_watos.star.dataflow import Attention, Dataflow, Predictor, Schedule, Sorter, Tile, Tiling
from star_watos.star.event import attending, head, predicting, tasks, visits
from star_watos.star.event.machine import Machine, layer_groups
from star_watos.star.work import AttentionWork

CORE = load(Core, "star_28nm", "configs/cores")


def core_with(srams=(), **parts):
    """Return STAR's core with other numbers: capacities of SRAMs, rows, or parts as dicts."""
    held = {
        name: getattr(CORE.sram, name).model_copy(update={"capacity_bytes": float(size)})
        for name, size in dict(srams).items()
    }
    parts["sram"] = held
    changed = {
        name: getattr(CORE, name).model_copy(update=value) if isinstance(value, dict) else value
        for name, value in parts.items()
    }
    return CORE.model_copy(update=changed)


def machine_of(work, tile=(64, 1), flow=None, **parts):
    return Machine.of(core_with(**parts), work, Tile(*tile), flow or Dataflow())


def work_of(seq_len=256, q_len=None, *, keep=0.25, kv=0.75, heads=(2, 2), head_dim=128, **more):
    n_heads, n_kv_heads = heads
    d_model = n_heads * head_dim
    q_len = seq_len if q_len is None else q_len
    return AttentionWork(
        d_model, 1.0, n_heads, n_kv_heads, head_dim, seq_len, q_len, keep, kv, **more
    )


def listed(machine, *, first_pass=True):
    choice = visits.Choice.of(machine, visits.key_tiles(machine).size)
    (every,) = visits.listed(machine, choice, first_pass=first_pass)
    return every


def told(seq_len, q_len, cached, rows, keys, *, causal):
    """Return the visits of the first pass: (query tile, key tile, keys, new tokens) as sets."""
    known = set(range(cached))
    for i in range(math.ceil(q_len / rows)):
        last = min((i + 1) * rows, q_len)
        seen = seq_len - q_len + last if causal else seq_len
        before = set(known)
        for j in range(math.ceil(seen / keys)):
            tile = set(range(j * keys, min((j + 1) * keys, seen)))
            known |= tile
            yield i, j, tile, tile - before


@given(
    seq_len=st.integers(1, 300),
    data=st.data(),
    rows=st.integers(1, 64),
    keys=st.integers(1, 80),
    columns=st.integers(1, 40),
    causal=st.booleans(),
)
@settings(max_examples=150, deadline=None)
def test_visits_are_those_told_with_sets(seq_len, data, rows, keys, columns, causal):
    """New tokens, and the groups of the visit that has their first new token."""
    q_len = data.draw(st.integers(1, seq_len))
    cached = data.draw(st.integers(0, seq_len))
    work = work_of(seq_len, q_len, cached=cached, causal=causal)
    machine = machine_of(work, (keys, 1), queries=rows, dlzs={"columns": columns})
    made, groups = listed(machine), predicting._groups(machine, listed(machine))
    expected = list(told(seq_len, q_len, cached, rows, keys, causal=causal))
    assert made.query_tile.tolist() == [i for i, *_ in expected]
    assert made.key_tile.tolist() == [j for _, j, *_ in expected]
    assert made.n_keys.tolist() == [len(tile) for *_, tile, _ in expected]
    assert made.new.tolist() == [len(new) for *_, new in expected]
    firsts = range(cached, seq_len, columns)
    for n, (*_, new) in enumerate(expected):
        mine = [set(range(t, min(t + columns, seq_len))) for t in firsts if t in new]
        predicted = set().union(*mine)
        assert groups.count[n] == len(mine)
        assert groups.tokens[n] == len(predicted)
        assert groups.here[n] == len(predicted & new)
        assert groups.opens[n] == (cached in new)


@given(seq_len=st.integers(1, 400), keep=st.floats(0.01, 1), keys=st.integers(1, 90))
def test_quotas_of_a_query_tile_add_up_to_what_its_fullest_row_keeps(seq_len, keep, keys):
    machine = machine_of(work_of(seq_len, keep=keep), (keys, 1), queries=32)
    made = listed(machine)
    total = np.bincount(made.query_tile, made.quota)
    assert total.tolist() == np.minimum(machine.layer.kept, visits.query_tiles(machine)).tolist()
    assert (made.quota <= made.n_keys).all()


def test_a_chunk_keeps_a_share_of_the_whole_text():
    """A quarter of 256 tokens is kept by a query of the last of 64 that sees 128."""
    machine = machine_of(work_of(128, 64, whole_len=256.0))
    assert machine.layer.kept == 64


@pytest.mark.parametrize("causal", [True, False])
def test_later_passes_have_no_new_tokens(causal):
    machine = machine_of(work_of(heads=(4, 1), causal=causal))
    assert listed(machine).new.sum() == 256
    assert listed(machine, first_pass=False).new.sum() == 0


def test_a_narrow_head_finds_its_keys_made_with_anothers():
    """d = 64 of P = 128: even heads make the block of two heads, odd heads make none."""
    machine = machine_of(work_of(head_dim=64, heads=(3, 3)))
    even, odd, last = (predicting.KeyBlocks.of(machine, g) for g in range(3))
    assert (even.blocks, even.own, even.made) == (1, 64, 128)
    assert (odd.blocks, odd.own, odd.made) == (0, 0, 0)
    assert (last.blocks, last.own, last.made) == (1, 64, 64)


def test_blocks_are_aligned_over_the_heads():
    """d = 128 of P = 96: 2 blocks, then 1 that has the last 64 features of head 1, and so on."""
    machine = machine_of(work_of(heads=(3, 3)), queries=96)
    blocks = [predicting.KeyBlocks.of(machine, g) for g in range(3)]
    assert [(b.blocks, b.own, b.made) for b in blocks] == [(2, 128, 192), (1, 64, 96), (1, 96, 96)]


def test_prediction_of_the_first_visit_by_hand():
    """One visit of 64 keys: 2 groups of 32 tokens, D = 256, 1 block of 128 features, 2 a cycle.

    Phase 1 takes 2 x 256 / 2 = 256 cycles, phase 2 ceil(64 / 32) 128 = 256. Nothing of K^ is
    loaded; Q is 64 x 128 x 2 B = 16 KiB, tokens 64 x 256 B = 16 KiB. All codes fit and are loaded
    once: 256 x 128 x 5/8 B = 20 KiB. K^ stored: 64 x 128 x 2 B = 16 KiB.
    """
    machine = machine_of(work_of(64), srams={"weight": 2**20})
    assert machine.room.codes_share == 1
    made = listed(machine)
    made = predicting.prediction(machine, made, predicting.KeyBlocks.of(machine, 0))
    kib = 1024.0
    assert made.front[tasks.BYTES].tolist() == [16 * kib]
    assert made.codes[tasks.BYTES].tolist() == [(16 + 20) * kib]
    assert made.key_store[tasks.BYTES].tolist() == [16 * kib]
    # 2 x 64 x 256 B of tokens in and out; codes read by both groups, written once.
    assert made.project.tolist() == [[256], [32 * kib], [(2 * 20 + 20) * kib], [0]]
    # K^ read, Q in; scores out.
    assert made.predict.tolist() == [[256], [(16 + 16) * kib], [0], [4 * kib]]


def test_codes_that_do_not_stay_come_with_every_group():
    """A weight SRAM that holds half of a block: 2 groups load (1 + 1/2) blocks, not 1 or 2."""
    block, slices = 256 * 128 * 5 / 8, 2 * 128 * 128 * (2 + 5 / 8)
    machine = machine_of(work_of(64), srams={"weight": slices + block / 2})
    groups = predicting._groups(machine, listed(machine))
    assert predicting._codes_bytes(machine, groups, 1).tolist() == [1.5 * block]


def test_sorting_and_attention_of_a_visit_by_hand():
    """64 keys, 16 kept, 16-to-4 sorter: 4 passes of ceil(60 / 12) = 5 steps.

    SU-FA on 4 columns: ceil(16 / 2) 128 cycles, (128 + 1) / 4 to join, 128 to divide at the end.
    """
    machine = machine_of(work_of(64))
    made = listed(machine)
    assert attending.sorting(machine, made)[tasks.CYCLES].tolist() == [20]
    assert attending.attending(machine, made)[tasks.CYCLES].tolist() == [8 * 128 + 129 / 4 + 128]
    # Scores are read by each of 4 passes; identifiers, 64 x 16 x 2 B, written and read.
    assert attending.sorting(machine, made)[tasks.TEMP].tolist() == [4 * 4096 + 2 * 2048]


def test_heads_that_visit_together_share_what_is_loaded():
    """Two heads that choose alone keep 7/16 of 64 keys, each loaded once and read by both."""
    work = work_of(64, heads=(2, 1), load_ratio=0.25)
    machine = machine_of(work, (64, 2))
    made, row = listed(machine), 4.0 * 128
    assert attending.row_bytes(machine, made).tolist() == [pytest.approx(7 / 16 * 64 * row)]
    ids = 2 * 64 * 16 * 2.0
    temp = attending.attending(machine, made)[tasks.TEMP]
    reads = 2 * (1 / 4) / (7 / 16)
    assert temp.tolist() == [pytest.approx(2 * ids + 7 / 16 * 64 * row * (1 + reads))]


def test_the_fullest_row_is_loaded_even_if_the_union_is_smaller():
    machine = machine_of(work_of(64, keep=0.25, load_ratio=0.25, load_rows=64))
    assert attending.row_bytes(machine, listed(machine)).tolist() == [pytest.approx(16 * 512.0)]


def test_rows_loaded_in_order_are_not_shared():
    """Each of 64 queries loads 16 rows, of which 0.5 are distinct from the one before."""
    flow = Dataflow(schedule=Schedule.IN_ORDER)
    machine = machine_of(work_of(64, in_order_distinct=0.5), flow=flow)
    assert attending.row_bytes(machine, listed(machine)).tolist() == [0.5 * 64 * 16 * 512]
    assert machine.rass_steps == 1


@pytest.mark.parametrize(
    ("attention", "cycles"),
    [(Attention.SUFA, 16 + 5 / 64), (Attention.FA2, 33 + 5 / 64), (Attention.SOFTMAX, 32)],
)
def test_exponentials_bound_wide_arrays(attention, cycles):
    """16 kept by 64 columns: d = 4 cycles of scores; exponentials 16, 33 or 32, joins 5 / 64."""
    flow = Dataflow(attention=attention)
    machine = machine_of(work_of(64, head_dim=4), flow=flow, sufa={"columns": 64})
    made = attending.attending(machine, listed(machine))
    assert made[tasks.CYCLES].tolist() == [cycles + 4]


def test_a_whole_row_is_sorted_by_merging_or_pass_by_pass():
    """256 scores: 22 runs of 12, merged in 1 + 4 rounds, 110 steps; or 4 / 4 passes of 21."""
    flow = Dataflow(sorter=Sorter.FULL, tiling=Tiling.STAGE_ISOLATED)
    for kept, cycles in ((4, 21), (64, 110)):
        work = work_of(256, keep=kept / 256)
        machine = machine_of(work, flow=flow, queries=256)
        assert attending.sorting(machine, listed(machine))[tasks.CYCLES].sum() == cycles


def test_a_threshold_takes_inputs_scores_a_cycle():
    flow = Dataflow(sorter=Sorter.NONE, attention=Attention.FA2)
    machine = machine_of(work_of(64), flow=flow)
    assert attending.sorting(machine, listed(machine))[tasks.CYCLES].tolist() == [4]


def test_without_prediction_all_is_loaded_and_generated():
    flow = Dataflow(Predictor.NONE, Sorter.NONE, Attention.FA2)
    machine = machine_of(work_of(64), flow=flow)
    choice = visits.Choice.of(machine, 1)
    one = head.head_tasks(machine, predicting.KeyBlocks.of(machine, 0), choice)
    assert one.visits.rows[tasks.BYTES].tolist() == [64 * 512 + 64 * 128 * 2]
    for nothing in ("front", "project", "codes", "predict", "sort"):
        assert getattr(one.visits, nothing).sum() == 0
    assert one.batches.store[tasks.BYTES].sum() == 64 * 2 * 128 * 2


@pytest.mark.parametrize(
    ("predictor", "tokens", "keys", "codes"),
    [
        (Predictor.DLZS, 1, 2, 5 / 8),
        (Predictor.SLZS, 5 / 8, 6 / 8, 5 / 8),
        (Predictor.INT4, 0.5, 0.5, 0.5),
    ],
)
def test_predictors_differ_in_the_bytes_of_their_values(predictor, tokens, keys, codes):
    machine = machine_of(work_of(64), flow=Dataflow(predictor), srams={"weight": 2**20})
    made = predicting.prediction(machine, listed(machine), predicting.KeyBlocks.of(machine, 0))
    assert made.key_store[tasks.BYTES].tolist() == [64 * 128 * keys]
    assert made.front[tasks.BYTES].tolist() == [64 * 128 * 2]
    assert made.codes[tasks.BYTES].tolist() == [64 * 256 * tokens + 256 * 128 * codes]


def test_scores_of_whole_rows_spill_where_two_do_not_fit():
    """2 x 128 rows of 256 scores are 64 KiB: they stay in 128 KiB, and leave 28 KiB."""
    flow = Dataflow(tiling=Tiling.STAGE_ISOLATED)
    for capacity, size in ((28, 256 * 128.0), (128, 0.0)):
        machine = machine_of(work_of(256), flow=flow, srams={"temp": capacity * 1024})
        spilled = predicting.spilled(machine, listed(machine))[tasks.BYTES]
        assert spilled[-4:].sum() == size


def test_batches_are_what_the_token_sram_holds():
    """3/4 of 256 tokens are wanted: batches of 70, 70 and 52, the last known with the last token.

    ceil(0.75 m) is 70 with 93 tokens seen (the second visit) and 140 with 186 (the third).
    """
    slices, queries, keys = 2 * 128 * 32, 128 * 128 * 2, 2 * 64 * 128 * 2
    held = slices + queries + keys + 70 * 256 + 255
    machine = machine_of(work_of(256), srams={"token": held})
    assert machine.room.batch_tokens == 70
    choice = visits.Choice.of(machine, 2)
    one = head.head_tasks(machine, predicting.KeyBlocks.of(machine, 0), choice)
    assert (one.batches.store[tasks.BYTES] / 512).tolist() == [70, 70, 52]
    # Query tile 0 has two visits with 64 new tokens each, tile 1 has two without and two with.
    assert one.batches.known.tolist() == [1, 4, 5]
    assert one.needs.tolist() == [1, 2, 1, 2, 3, 3]
    groups = np.ceil(np.array([70, 70, 52]) / 4)
    assert one.batches.generation[tasks.CYCLES].tolist() == (groups * 2 * 256).tolist()


def test_batches_are_no_smaller_than_the_array_is_wide():
    machine = machine_of(work_of(64), srams={"token": 1024})
    assert machine.room.batch_tokens == CORE.kv_generation.columns


@given(n=st.integers(4, 500), data=st.data())
def test_chosen_tiles_lie_as_all_do_on_average(n, data):
    n_chosen = 2 * data.draw(st.integers(1, n // 4))
    some = visits.spread(n, n_chosen)
    assert len(set(some.tolist())) == n_chosen
    assert 0 <= some.min() <= some.max() < n
    assert some.mean() == pytest.approx((n - 1) / 2, abs=0.5)


def test_groups_of_layers_are_taken_apart():
    work = work_of(np.array([64, 128]), keep=np.array([0.25, 0.5]))
    assert [(w.seq_len, w.keep_ratio, w.kv_ratio) for w in layer_groups(work)] == [
        (64.0, 0.25, 0.75),
        (128.0, 0.5, 0.75),
    ]


@pytest.mark.parametrize(
    ("work", "tile", "text"),
    [
        (work_of(64.5), (64, 1), "seq_len  expected a whole number of at least 1, got 64.5"),
        (work_of(64, 65), (64, 1), "65 queries and 0 cached tokens of 64 keys"),
        (work_of(heads=(6, 2)), (64, 2), "2 heads of a tile do not divide the 3 that share"),
        (work_of(), (0, 1), "keys of a tile  expected a whole number of at least 1, got 0"),
    ],
)
def test_what_cannot_be_is_refused(work, tile, text):
    with pytest.raises(InputError, match=text):
        machine_of(work, tile)
