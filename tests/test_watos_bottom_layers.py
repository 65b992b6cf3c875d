"""Models whose bottom layers differ from those above: each stage has its own."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from star_watos.cost import number
from star_watos.watos import (
    Choices,
    Schedule,
    Training,
    cluster_plans,
    evaluate,
    load_hardware,
    machine_of,
    plans_of,
)
from star_watos.watos.columns import layer_columns
from star_watos.watos.event import play_iteration
from star_watos.watos.memory import memory_bytes
from star_watos.watos.stages import every_stage, stage_kinds, stage_params
from star_watos.workload import load_model

TRAINING = Training(model="deepseek_v3", seq_len=4096, global_batch=256)
MODEL = TRAINING.load()
MACHINE = machine_of(load_hardware("b200_nvl"), TRAINING, 64)
SHAPES = [(1, 1), (2, 1), (4, 1), (7, 1), (16, 1), (61, 1), (5, 1)]


@pytest.mark.parametrize(("pp", "v"), SHAPES)
def test_stages_have_every_parameter_once(pp, v):
    """3 layers of dense networks and 58 of experts: the sum over stages is the model."""
    plans = plans_of(pp=pp, virtual_stages=v)
    layer = layer_columns(MACHINE, MODEL, TRAINING, plans)
    stages = every_stage(MODEL, pp, v)
    assert stages.bottom.sum() == 3
    params = stage_params(MODEL, stages, plans.tp, layer.mixed(stages.bottom, stages.layers))
    assert np.sum(params.all) == pytest.approx(MODEL.n_params, rel=1e-12)


def test_chunks_of_a_stage_are_apart():
    """24 layers on 2 stages of 3 chunks: 0-3, 8-11, 16-19 and the others; 6 at the bottom."""
    model = load_model("mixtral_8x7b")

    class Six:
        n_layers, n_bottom_layers = 24, 6

    assert every_stage(Six, 2, 3).bottom.tolist() == [4, 2]
    assert every_stage(Six, 2).bottom.tolist() == [6, 0]
    assert model.n_bottom_layers == every_stage(model, 4).bottom.sum() == 0


@given(n=st.integers(2, 80), bottom=st.integers(1, 79), pp=st.integers(1, 80), v=st.integers(1, 4))
def test_stages_that_can_be_the_fullest_are_stages_of_the_pipeline(n, bottom, pp, v):
    """The fourth is the first of those without bottom layers, found here by looking at all."""
    assume(bottom < n and pp <= n and (v == 1 or n % (pp * v) == 0))

    class Layers:
        n_layers, n_bottom_layers = n, bottom

    every = every_stage(Layers, pp, v)
    for kind in stage_kinds(Layers, np.array([pp]), np.array([v])):
        if kind.exists[0]:
            at = kind.index[0]
            for name in ("layers", "bottom", "has_embedding", "has_head"):
                assert getattr(kind, name)[0] == getattr(every, name)[at]
    above = [stage for stage in range(1, pp) if not every.bottom[stage]]
    fourth = stage_kinds(Layers, np.array([pp]), np.array([v]))[3]
    assert fourth.exists[0] == bool(above)
    assert not above or fourth.index[0] == above[0]


@pytest.mark.parametrize("pp", [1, 2, 4, 7, 8, 16, 32, 61])
def test_the_fullest_stage_is_found_among_all(pp):
    """7 stages: the second, which has experts only; 32: the fourth, with two layers of them."""
    plans = plans_of(pp=pp, dp=8, ep=8)
    result = evaluate(MACHINE, MODEL, TRAINING, plans)
    stages = every_stage(MODEL, pp)
    own = result.layer.mixed(stages.bottom, stages.layers)
    params = stage_params(MODEL, stages, plans.tp, own)
    held = memory_bytes(TRAINING, plans, own, result.n_microbatches, stages, params)
    assert result.memory_bytes.item() == pytest.approx(held.max(), rel=1e-12)


@pytest.mark.parametrize("schedule", [Schedule.ONE_F_ONE_B, Schedule.GPIPE])
@pytest.mark.parametrize("pp", [2, 4, 8, 32])
def test_events_put_layers_where_the_formulas_do(pp, schedule):
    """A stage of one kind is the slowest in both, whichever kind that is."""
    plans = plans_of(pp=pp, dp=max(64 // pp, 8), ep=8, zero=1, schedule=int(schedule))
    result = evaluate(MACHINE, MODEL, TRAINING, plans)
    played = play_iteration(MACHINE, MODEL, TRAINING, plans, result)
    assert played.makespan_s == pytest.approx(number(result.iteration_s), rel=0.02)


def test_rows_alone_are_the_columns():
    plans = cluster_plans(MODEL, 8, 64, 256, Choices(zero=(1,), schedule=tuple(Schedule)))
    rows = np.linspace(0, len(plans) - 1, 40).astype(int)
    together = evaluate(MACHINE, MODEL, TRAINING, plans.take(rows))
    for place, row in enumerate(rows):
        alone = evaluate(MACHINE, MODEL, TRAINING, plans.take(np.array([row])))
        assert np.asarray(together.iteration_s)[place] == number(alone.iteration_s)
        assert np.asarray(together.memory_bytes)[place] == number(alone.memory_bytes)
