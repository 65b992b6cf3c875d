"""Hugging Face configs: what is read, and that whatever is wrong is said with its place."""

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from star_watos.spec import InputError, names, parse, root
from star_watos.workload import Mla, Model, Norm, load_model, model_from

SHIPPED = names("configs/models")
LLAMA = {
    "model_type": "llama",
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_attention_heads": 8,
    "num_hidden_layers": 2,
    "num_key_value_heads": 4,
    "max_position_embeddings": 512,
    "vocab_size": 100,
}
DEEPSEEK = LLAMA | {
    "model_type": "deepseek_v3",
    "num_key_value_heads": 8,
    "kv_lora_rank": 16,
    "q_lora_rank": None,
    "qk_nope_head_dim": 8,
    "qk_rope_head_dim": 4,
    "v_head_dim": 8,
    "n_routed_experts": 8,
    "num_experts_per_tok": 2,
    "moe_intermediate_size": 32,
    "n_shared_experts": 1,
    "first_k_dense_replace": 1,
    "moe_layer_freq": 1,
}
GPT2 = {
    "model_type": "gpt2",
    "n_embd": 64,
    "n_layer": 2,
    "n_head": 4,
    "n_positions": 128,
    "vocab_size": 100,
}


def model(config):
    return model_from(parse(json.dumps(config), "config.json"), "test")


def said(config):
    with pytest.raises(InputError) as error:
        model_from(parse(json.dumps(config, indent=2), "config.json"), "test")
    return str(error.value)


@pytest.mark.parametrize("name", SHIPPED)
def test_every_shipped_file_loads_under_its_name(name):
    assert load_model(name).name == name


def test_a_config_json_is_named_after_its_folder(tmp_path):
    folder = tmp_path / "my-llama"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(LLAMA))
    assert load_model(str(folder / "config.json")).name == "my-llama"
    assert load_model("my-llama/config.json", beside=tmp_path).name == "my-llama"


def test_llama():
    assert model(LLAMA) == Model(
        "test",
        n_layers=2,
        d_model=64,
        n_heads=8,
        n_kv_heads=4,
        head_dim=8,
        d_ff=128,
        vocab=100,
        max_seq_len=512,
    )


def test_gpt2_has_what_its_family_has():
    gpt = model(GPT2)
    assert (gpt.d_ff, gpt.n_kv_heads, gpt.norm) == (256, 4, Norm.LAYER)
    assert gpt.tied_embeddings
    assert gpt.learned_positions
    assert gpt.qkv_bias
    assert not gpt.gated
    assert (gpt.dropout, gpt.attention_dropout) == (0.1, 0.1)


def test_head_dim_may_differ_from_the_quotient():
    assert model(LLAMA | {"head_dim": 32}).d_q == 256


def test_missing_key_value_heads_are_all_heads():
    config = {key: value for key, value in LLAMA.items() if key != "num_key_value_heads"}
    assert model(config).n_kv_heads == 8


def test_qwen2_has_biases_on_queries_keys_and_values_only():
    qwen = model(LLAMA | {"model_type": "qwen2"})
    assert (qwen.qkv_bias, qwen.out_bias, qwen.qk_norm) == (True, False, False)


def test_qwen3_normalises_queries_and_keys():
    qwen = model(LLAMA | {"model_type": "qwen3", "head_dim": 8})
    assert (qwen.qkv_bias, qwen.out_bias, qwen.qk_norm) == (False, False, True)


def test_mistral_has_a_window():
    assert model(LLAMA | {"model_type": "mistral", "sliding_window": 256}).window == 256


@pytest.mark.parametrize(
    ("model_type", "key"),
    [
        ("mistral", "sliding_window"),
        ("mixtral", "num_key_value_heads"),
        ("qwen3", "head_dim"),
        ("deepseek_v3", "q_lora_rank"),
    ],
)
def test_what_hugging_face_would_fill_in_from_another_model_must_be_there(model_type, key):
    config = {k: v for k, v in (DEEPSEEK | {"model_type": model_type}).items() if k != key}
    assert f"{key}: required, but missing" in said(config)


def test_deepseek():
    deepseek = model(DEEPSEEK)
    assert deepseek.mla == Mla(16, 8, 4, 8, None)
    assert (deepseek.qk_head_dim, deepseek.v_head_dim) == (12, 8)
    assert deepseek.moe is not None
    assert deepseek.moe.router_bias


def test_unknown_model_type_names_the_nearest():
    assert said(LLAMA | {"model_type": "lama"}) == (
        "config.json:2:3  model_type: expected one of gpt2, opt, bloom, gpt_neox, falcon, mpt,"
        " llama, mistral, mixtral, qwen2, qwen2_moe, qwen3, qwen3_moe, gemma, gemma2, phi3,"
        " deepseek_v2, deepseek_v3, got 'lama' (did you mean llama?)"
    )


def test_every_mistake_is_said_at_once_with_its_line():
    wrong = LLAMA | {
        "hidden_size": "64",
        "num_hidden_layers": 2.5,
        "num_attention_heads": True,
        "vocab_size": 10**10,
        "intermediate_size": 0,
        "tie_word_embeddings": "no",
    }
    del wrong["max_position_embeddings"]
    whole = "expected a whole number from 1 to 1000000000"
    assert said(wrong).splitlines() == [
        "config.json:1:1  max_position_embeddings: required, but missing",
        f"config.json:3:3  hidden_size: {whole}, got '64'",
        f"config.json:4:3  intermediate_size: {whole}, got 0",
        f"config.json:5:3  num_attention_heads: {whole}, got True",
        "config.json:6:3  num_hidden_layers: expected a whole number from 1 to 4096, got 2.5",
        f"config.json:8:3  vocab_size: {whole}, got 10000000000",
        "config.json:9:3  tie_word_embeddings: expected true or false, got 'no'",
    ]


def test_a_misspelled_key_is_recognised():
    config = {key.replace("hidden_size", "hiden_size"): value for key, value in LLAMA.items()}
    expected = "hidden_size: required, but missing (did you mean hiden_size?)"
    assert expected in said(config)


@pytest.mark.parametrize(
    ("config", "text"),
    [
        (
            LLAMA | {"num_key_value_heads": 3},
            "num_key_value_heads: expected a divisor of 8 heads, got 3",
        ),
        (
            LLAMA | {"num_attention_heads": 12},
            "num_attention_heads: expected a divisor of the width 64, got 12",
        ),
        (GPT2 | {"n_head": 3}, "n_head: expected a divisor of the width 64, got 3"),
        (
            DEEPSEEK | {"num_experts_per_tok": 9},
            "num_experts_per_tok: expected at most the 8 experts, got 9",
        ),
        (
            DEEPSEEK | {"first_k_dense_replace": 3},
            "first_k_dense_replace: expected at most the 2 layers, got 3",
        ),
        (
            DEEPSEEK | {"moe_layer_freq": 2},
            "moe_layer_freq: expected 1 (expert layers that alternate are not supported), got 2",
        ),
        (
            LLAMA | {"attention_dropout": 1.0},
            "attention_dropout: expected a number from 0 to less than 1, got 1.0",
        ),
        (
            LLAMA | {"model_type": "qwen2", "use_sliding_window": True},
            "use_sliding_window: expected false",
        ),
        (LLAMA | {"hidden_size": None}, "hidden_size: expected a whole number"),
        (LLAMA | {"hidden_size": {"a": 1}}, "got a mapping"),
        (LLAMA | {"hidden_size": -64}, "got -64"),
        (LLAMA | {"model_type": None}, "model_type: expected one of gpt2,"),
        ({}, "model_type: required, but missing; expected one of gpt2,"),
        ([LLAMA], "expected a mapping of keys to values, got [{"),
        (None, "expected a mapping of keys to values, got None"),
    ],
)
def test_what_is_wrong_is_said(config, text):
    assert text in said(config)


def test_infinity_is_no_count():
    with pytest.raises(InputError, match="hidden_size: expected a whole number"):
        model_from(parse(json.dumps(LLAMA).replace("64", "1e999", 1), "c"), "test")


def test_unknown_name_offers_the_shipped_ones():
    with pytest.raises(InputError, match=r"did you mean llama3_70b\?"):
        load_model("llama3_70")


ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.sampled_from([0, -1, 1, 2, 10**9, 10**10, 10**200, 1e308, "", "4096", "llama"])
    | st.text(st.characters(codec="ascii"), max_size=8),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.just("a"), inner, max_size=1),
    max_leaves=3,
)
CONFIGS = [json.loads((root() / f"configs/models/{n}.json").read_text()) for n in SHIPPED]


@given(data=st.data(), config=st.sampled_from([*CONFIGS, LLAMA, DEEPSEEK, GPT2]))
def test_a_damaged_config_is_a_model_or_an_input_error(data, config):
    changes = data.draw(st.dictionaries(st.sampled_from(sorted(config)), ANYTHING, max_size=4))
    dropped = data.draw(st.sets(st.sampled_from(sorted(config)), max_size=1))
    damaged = {key: value for key, value in (config | changes).items() if key not in dropped}
    with contextlib.suppress(InputError):
        assert model(damaged).n_params > 0


@given(text=st.text(max_size=40) | st.binary(max_size=40))
def test_any_file_is_a_model_or_an_input_error(tmp_path_factory, text):
    path = tmp_path_factory.getbasetemp() / "any.json"
    path.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass"))
    with pytest.raises(InputError):
        load_model(str(path))
