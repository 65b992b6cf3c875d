"""Sparsity profiles from measurements: written, read back, used, and carried to other lengths."""

from dataclasses import replace

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from test_accuracy_run import Slice

from star_watos.cost import Overflow
from star_watos.spec import InputError, load
from star_watos.star import AttentionTask, Core, Sparsity, simulate
from star_watos.star.accuracy import Perplexities, Run, Setting, measure, profile, save
from star_watos.star.accuracy.profile import check_lengths, extrapolation
from star_watos.star.algorithms import Sads
from star_watos.tensors import Text
from star_watos.workload import load_model

TARGET = "made up for a test"
SOURCE = "made up for a test"
CORE = load(Core, "star_28nm", "configs/cores")


@pytest.fixture(scope="module")
def run_of(real_layers):
    def make(tokens=256, setting=None):
        text, numbers = Text("made up", "nowhere"), np.zeros(tokens, int)
        return Run(Slice(real_layers), text, numbers, setting or Setting(), 2, lambda *_: None)

    return make


@pytest.fixture(scope="module")
def measured(run_of):
    run = run_of()
    return run, measure(run, [0.1, 0.3], 0.9).rows


def test_a_saved_profile_is_read_back_as_it_was(measured, tmp_path):
    run, rows = measured
    saved = profile("mine", run, rows, TARGET, Perplexities(13.0, 13.2, 13.9))
    save(saved, tmp_path / "mine.yaml")
    assert load(Sparsity, str(tmp_path / "mine.yaml"), "configs/sparsity") == saved
    assert [path.name for path in tmp_path.iterdir()] == ["mine.yaml"]
    held = yaml.safe_load((tmp_path / "mine.yaml").read_text())
    assert held["measured"]["perplexity"] == {"dense": 13.0, "exact_topk": 13.2, "star": 13.9}


def test_a_profile_says_what_was_measured(measured):
    run, rows = measured
    saved = profile("mine", run, rows, TARGET, None)
    assert (saved.name, saved.seq_len, len(saved.layers)) == ("mine", 256, 3)
    for layer, row in zip(saved.layers, rows, strict=True):
        assert layer.keep_ratio == row["keep_ratio"]
        for name in ("recall", "mass_kept", "rel_l2", "cosine"):
            assert getattr(layer, name) == pytest.approx(row[name], abs=5e-5)
        for name in ("kv_ratio", "load_ratio", "group_load_ratio"):
            assert row[name] <= getattr(layer, name) <= row[name] + 1e-4
        assert sum(layer.segments) == pytest.approx(1)
    assert saved.keep_ratio == pytest.approx(np.mean([row["keep_ratio"] for row in rows]), abs=1e-4)
    assert saved.measured.text == "first 256 tokens of nowhere"
    assert saved.measured.model == "three layers of SmolLM2"
    assert saved.measured.target == TARGET
    assert (saved.measured.segments, saved.measured.query_tile) == (8, 128)
    assert saved.extrapolation is None


def test_the_loss_is_that_of_perplexity_or_of_the_output(measured):
    run, rows = measured
    by_error = profile("p", run, rows, TARGET, None)
    assert by_error.accuracy_loss == pytest.approx(np.mean([r["rel_l2"] for r in rows]), abs=1e-4)
    assert by_error.source.endswith("accuracy_loss is the mean relative L2 error of a layer")
    for perplexities, loss in (((10, 10, 10.5), 0.05), ((10, 10, 9), 0.0), ((10, 10, 99), 1.0)):
        by_text = profile("p", run, rows, TARGET, Perplexities(*map(float, perplexities)))
        assert by_text.accuracy_loss == pytest.approx(loss)
        assert by_text.source.endswith("accuracy_loss is the perplexity increase")


def test_a_saved_profile_is_simulated_layer_by_layer(measured, tmp_path):
    run, rows = measured
    save(profile("mine", run, rows, TARGET, None), tmp_path / "mine.yaml")
    sparsity = load(Sparsity, str(tmp_path / "mine.yaml"), "configs/sparsity")
    task = AttentionTask(model="llama2_7b", seq_len=256, sparsity=sparsity)
    work = task.work(load_model("llama2_7b"))
    assert np.sum(work.n_layers) == 32
    assert set(np.atleast_1d(work.keep_ratio)) == {row["keep_ratio"] for row in rows}
    assert not isinstance(simulate(CORE, work), Overflow)


def test_under_a_radius_a_profile_counts_what_is_kept(run_of):
    """k = 128 of 256 keys; queries that clip keep as if k were less."""
    run = run_of(setting=Setting(sorter=Sads(8, radius=0.5)))
    rows = measure(run, [0.5]).rows
    for layer, row in zip(profile("p", run, rows, TARGET, None).layers, rows, strict=True):
        assert layer.keep_ratio < 0.5
        k = layer.keep_ratio * 256
        pairs = sum(min(k, i + 1) for i in range(256))
        assert pairs / (256 * 257 / 2) == pytest.approx(row["kept_share"], rel=0.05)
        assert layer.keep_ratio <= layer.load_ratio <= layer.kv_ratio


def test_shares_of_thousands_of_segments_sum_to_1(measured):
    run, rows = measured
    many = [row | {"segments": [1 / 3000] * 3000} for row in rows]
    for layer in profile("p", run, many, TARGET, None).layers:
        assert sum(layer.segments) == pytest.approx(1, abs=1e-9)
        assert set(layer.segments) == {0.0003, 0.0004}


# Other lengths.


def synthetic(seq_len, exponents, at_1k=0.1, layers=None):
    """Return a profile whose layers follow (S / 1,024)^exponent exactly, but for 12 digits."""
    ratios = [at_1k * (seq_len / 1024) ** e for e in exponents] if layers is None else layers
    parts = [dict.fromkeys(("keep_ratio", "kv_ratio", "load_ratio"), ratio) for ratio in ratios]
    whole = dict.fromkeys(("keep_ratio", "kv_ratio", "load_ratio"), sum(ratios) / len(ratios))
    given = {"name": f"at_{seq_len}", "accuracy_loss": 0, "seq_len": seq_len, "source": SOURCE}
    return Sparsity.model_validate(given | whole | {"layers": parts})


@given(st.floats(-0.99, 0.49), st.integers(2, 5))
def test_a_power_law_gives_its_exponent_and_no_band(exponent, lengths):
    found = extrapolation([synthetic(512 * 2**i, [exponent] * 4) for i in range(lengths)])
    assert found.exponent == pytest.approx(exponent, abs=1e-4)
    assert found.high - found.low <= 1e-4


@given(st.lists(st.floats(-3, 2), min_size=4, max_size=4))
def test_exponents_stay_within_what_a_profile_may_say(exponents):
    found = extrapolation([synthetic(n, exponents, at_1k=0.01) for n in (1024, 2048)])
    assert -1 <= found.low <= found.exponent <= found.high <= 0.5


def test_a_share_that_falls_faster_than_the_length_grows_is_a_constant_number():
    found = extrapolation([synthetic(n, [-1.5] * 3) for n in (1024, 2048, 4096)])
    assert (found.exponent, found.low, found.high) == (-1, -1, -1)


def test_layers_that_differ_and_lengths_that_differ_open_the_band():
    """Means 0.2, 0.1, 0.1: slopes -1 and 0 between neighbours, -0.5 over all; layers the same."""
    steps = [synthetic(n, [], layers=[r] * 3) for n, r in ((1024, 0.2), (2048, 0.1), (4096, 0.1))]
    found = extrapolation(steps)
    assert (found.low, found.exponent, found.high) == (-1, pytest.approx(-0.5, abs=1e-3), 0)
    assert found.source.startswith(
        "slope of log(mean keep ratio) over log(tokens) at 1,024, 2,048, 4,096 tokens; band: "
    )
    spread = extrapolation([synthetic(n, [-0.8, -0.4, 0.0]) for n in (1024, 2048)])
    assert spread.low < -0.6 < spread.exponent < -0.2 < spread.high


def test_profiles_of_other_lengths_are_joined_in_order(measured):
    run, rows = measured
    others = [synthetic(1024, [0, 0, 0]), synthetic(128, [0, 0, 0])]
    saved = profile("p", run, rows, TARGET, None, others)
    assert " at 128, 256, 1,024 tokens;" in saved.extrapolation.source
    assert extrapolation([others[1], replace_extrapolation(saved), others[0]]) == (
        saved.extrapolation
    )


def replace_extrapolation(saved):
    return saved.model_copy(update={"extrapolation": None})


def test_profiles_that_cannot_be_joined_are_named(run_of, measured):
    run = run_of()
    plain = Sparsity(
        name="plain", keep_ratio=0.1, kv_ratio=0.1, accuracy_loss=0, seq_len=512, source=SOURCE
    )
    two = synthetic(512, [0, 0, 0])
    for others, says in (
        ([plain], "plain  has 0 layers, but slice 3"),
        ([synthetic(512, [0, 0])], "at_512  has 2 layers, but slice 3"),
        ([synthetic(256, [0, 0, 0])], "at_256  is of 256 tokens, as another one is"),
        ([two, two], "at_512  is of 512 tokens, as another one is"),
    ):
        with pytest.raises(InputError) as caught:
            check_lengths(run, others)
        assert str(caught.value) == says
    check_lengths(replace(run, tokens=measured[0].tokens[:100]), [two])


SHIPPED = ("smollm2_1k", "smollm2_2k", "smollm2_4k", "smollm2_8k")


def test_shipped_profiles_go_on_as_all_four_lengths_say():
    own = [load(Sparsity, name, "configs/sparsity") for name in SHIPPED]
    assert [profile.seq_len for profile in own] == [1024, 2048, 4096, 8192]
    assert {profile.extrapolation for profile in own} == {extrapolation(own)}


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_profiles_hold_their_target_and_lose_little(name):
    own = load(Sparsity, name, "configs/sparsity")
    assert len(own.layers) == 30
    assert all(layer.mass_kept >= 0.95 for layer in own.layers)
    assert own.measured.perplexity.dense < own.measured.perplexity.exact_topk
    loss = own.measured.perplexity.star / own.measured.perplexity.dense - 1
    assert own.accuracy_loss == pytest.approx(loss, abs=2e-4)
    assert 0 < loss < 0.03
