"""Devices that share a sequence: keys and values go round, or heads are exchanged for tokens."""

import numpy as np
import pytest

from star_watos.cost import number
from star_watos.watos import Recompute, Training, evaluate, load_hardware, machine_of, plans_of

TRAINING = Training(model="llama3_70b", seq_len=32_768, global_batch=8, overlap=False)
MODEL = TRAINING.load()
HEADS = machine_of(load_hardware("b200_nvl"), TRAINING, 8)
RING = machine_of(load_hardware("b200_nvl", ["software.exchanges_heads.value=false"]), TRAINING, 8)
TOKENS = 32_768 / 8


def one(machine, **degrees):
    plans = plans_of(1, cp=8, zero=1, **degrees)
    return evaluate(machine, MODEL, TRAINING, plans)


def test_heads_are_exchanged_four_times_a_pass():
    """Queries and results of 8,192, keys and values of 1,024; 7 of 8 parts leave a device."""
    sent = TOKENS * 2 * (2 * 8192 + 2 * 1024)
    one_pass = 4 * 11e-6 + sent * 7 / 8 / (0.673 * 900e9)
    plain = one(HEADS, recompute=int(Recompute.NONE))
    again = one(HEADS, recompute=int(Recompute.FULL))
    assert number(plain.layer.cp_comm_s) == pytest.approx(2 * one_pass)
    assert number(again.layer.cp_comm_s) == pytest.approx(3 * one_pass)


def test_keys_and_values_go_round():
    """7 steps of 2 x 1,024 a token forward, twice as many bytes backward; nothing beside them."""
    step = 11e-6 + TOKENS * 2 * 2 * 1024 / (0.673 * 900e9)
    plain = one(RING, recompute=int(Recompute.NONE))
    assert number(plain.layer.cp_comm_s) == pytest.approx(3 * 7 * step)


def test_exchanging_heads_keeps_the_result_of_attention_twice():
    """8,192 x 2 bytes a token and layer more, unless all is made again."""
    more = [
        number(one(HEADS, recompute=int(p)).layer.saved_bytes)
        - number(one(RING, recompute=int(p)).layer.saved_bytes)
        for p in (Recompute.NONE, Recompute.FULL)
    ]
    assert more == [TOKENS * 2 * 8192, 0]


def test_a_whole_sequence_exchanges_nothing():
    plans = plans_of(2, tp_cols=8, recompute=[int(Recompute.NONE), int(Recompute.FULL)])
    for machine in (HEADS, RING):
        result = evaluate(machine, MODEL, TRAINING, plans)
        assert np.all(result.layer.cp_comm_s == 0)
