"""Parameter counts: to the last parameter where one is published, by hand where none is."""

import pytest

from star_watos.workload import (
    LayerKind,
    Mla,
    Model,
    Moe,
    Norm,
    embedding_params,
    head_params,
    layer_kinds,
    layer_params,
    load_model,
)

PUBLISHED = {
    # Hugging Face, safetensors totals of the models' pages. Those of Llama-2 7B and 13B say 2,048
    # and 2,560 more: 64 rotary frequencies a layer, which are stored but not parameters.
    "llama2_7b": 6_738_415_616,  # meta-llama/Llama-2-7b-hf; Keras hub's llama preset
    "llama2_13b": 13_015_864_320,  # meta-llama/Llama-2-13b-hf
    "llama3_8b": 8_030_261_248,  # meta-llama/Meta-Llama-3-8B
    "llama3_70b": 70_553_706_496,  # meta-llama/Meta-Llama-3-70B
    "llama3_405b": 405_853_388_800,  # meta-llama/Llama-3.1-405B at b906e4d (8 key-value heads)
    "smollm2_135m": 134_515_008,  # HuggingFaceTB/SmolLM2-135M; its weights run in star accuracy
    "mixtral_8x7b": 46_702_792_704,  # mistralai/Mixtral-8x7B-v0.1; Keras hub's mixtral preset
    # The page's total 41,835,970,560 has the tied table twice, 65,024 * 8,192 more.
    "falcon_40b": 41_303_293_952,  # tiiuae/falcon-40b
    "gemma2_9b": 9_241_705_984,  # google/gemma-2-9b
    "bloom_176b": 176_247_271_424,  # bigscience/bloom
    "qwen3_30b_a3b": 30_532_122_624,  # Qwen/Qwen3-30B-A3B
    "deepseek_v2": 235_741_434_880,  # deepseek-ai/DeepSeek-V2
    # Sum over the tensors of the published checkpoint without its layer 61 (the multi-token
    # prediction module) and without the scales of its fp8 blocks.
    "deepseek_v3": 671_026_419_200,
}
SHIPPED = [*PUBLISHED, "gpt3_175b", "opt_175b", "llama_30b", "gshard_137b"]


@pytest.mark.parametrize(("name", "count"), PUBLISHED.items())
def test_count_is_the_published_one(name, count):
    assert load_model(name).n_params == count


def test_gpt3_by_hand():
    """12 h² a layer in matrices: qkv 3, output 1, up 4, down 4. 13 h in vectors: biases 3, 1, 4
    and 1, two norms of scale and shift 4. Tables of 50,257 tokens and 2,048 positions; final norm.

    96 * (12 * 12,288² + 13 * 12,288) + (50,257 + 2,048) * 12,288 + 2 * 12,288
    = 173,946,175,488 + 15,335,424 + 642,723,840 + 24,576 = 174,604,259,328, published as 175B
    (arXiv 2005.14165, table 2.1).
    """
    assert load_model("gpt3_175b").n_params == 174_604_259_328


def test_opt_by_hand():
    """As GPT-3, with 50,272 tokens and 2,048 + 2 positions; published as 175B (arXiv 2205.01068).

    173,946,175,488 + 15,335,424 + 52,322 * 12,288 + 24,576 = 174,604,468,224
    """
    assert load_model("opt_175b").n_params == 174_604_468_224


def test_llama_30b_by_hand():
    """2 * 32,000 * 6,656 + 60 * (4 * 6,656² + 3 * 6,656 * 17,920 + 2 * 6,656) + 6,656; published as
    32.5 B (arXiv 2302.13971, table 2).
    """
    assert load_model("llama_30b").n_params == 32_528_943_616


def test_gshard_by_hand():
    """A shape of ours: 32 layers of 32 experts of 10,752, two a token, 4,096 wide.

    2 * 32,000 * 4,096 + 4,096
    + 32 * (4 * 4,096² + 32 * 4,096 + 32 * 3 * 4,096 * 10,752 + 2 * 4,096)
    """
    assert load_model("gshard_137b").n_params == 137_705_558_016


def test_deepseek_by_hand():
    """Attention 187,107,328: q 7,168*1,536 + 1,536 + 1,536*24,576, kv 7,168*576 + 512 + 512*32,768,
    output 16,384*7,168. Two norms 14,336. An expert 3*7,168*2,048 = 44,040,192.

    61 * (187,107,328 + 14,336)                          = 11,414,421,504
    3 * 3*7,168*18,432                                   =  1,189,085,184
    58 * (257 * 44,040,192 + 256*7,168 + 256)            = 656,569,547,264
    2 * 129,280*7,168 + 7,168                            =   1,853,365,248
    The sum is the checkpoint's only if the router's 256 `e_score_correction_bias` a layer count.
    """
    parts = 11_414_421_504 + 1_189_085_184 + 656_569_547_264 + 1_853_365_248
    assert load_model("deepseek_v3").n_params == parts == PUBLISHED["deepseek_v3"]


def test_deepseek_active_parameters_are_the_published_ones():
    """36.6B with the output head, without the input embedding, say the weights' notes (README of
    deepseek-ai/DeepSeek-V3, README_WEIGHTS.md)."""
    model = load_model("deepseek_v3")
    assert round((model.n_active_params - embedding_params(model)) / 1e9, 1) == 36.6


def test_mixtral_active_parameters_by_hand():
    """Six of eight experts idle: 46,702,792,704 - 32 * 6 * 3*4,096*14,336; "12.9B" on
    mistral.ai/news/mixtral-of-experts."""
    assert load_model("mixtral_8x7b").n_active_params == 12_879_925_248


@pytest.mark.parametrize("name", SHIPPED)
def test_parts_add_to_the_whole(name):
    model = load_model(name)
    layers = sum(count * layer_params(model, kind) for kind, count in layer_kinds(model))
    assert embedding_params(model) + layers + head_params(model) == model.n_params


@pytest.mark.parametrize("name", SHIPPED)
def test_layer_kinds_are_all_layers(name):
    model = load_model(name)
    assert sum(count for _, count in layer_kinds(model)) == model.n_layers


def test_deepseek_has_three_dense_layers_then_experts():
    assert layer_kinds(load_model("deepseek_v3")) == ((LayerKind.DENSE, 3), (LayerKind.MOE, 58))


@pytest.mark.parametrize("name", [n for n in SHIPPED if load_model(n).moe is None])
def test_all_parameters_of_a_dense_model_are_active(name):
    model = load_model(name)
    assert model.n_active_params == model.n_params


def small(**changes):
    numbers = {
        "n_layers": 1,
        "d_model": 8,
        "n_heads": 2,
        "n_kv_heads": 1,
        "head_dim": 4,
        "d_ff": 16,
        "vocab": 10,
        "max_seq_len": 32,
    }
    return Model("small", **numbers | changes)


@pytest.mark.parametrize(
    ("changes", "more"),
    [
        ({"qkv_bias": True}, 8 + 2 * 4),
        ({"out_bias": True}, 8),
        ({"mlp_bias": True}, 2 * 16 + 8),
        ({"qk_norm": True}, 2 * 4),
        ({"norm": Norm.LAYER}, 3 * 8),
        ({"gated": False}, -8 * 16),
        ({"tied_embeddings": True}, -8 * 10),
        ({"learned_positions": True}, 32 * 8),
        ({"learned_positions": True, "unused_positions": 2}, 34 * 8),
        ({"alibi": True}, 0),
        ({"parallel_block": True}, 0),
        ({"norms_per_layer": 1}, -8),
        ({"norms_per_layer": 4}, 2 * 8),
        ({"embedding_norm": True}, 8),
        ({"window": 4, "windowed_layers": 1}, 0),
        ({"moe": Moe(n_experts=4, top_k=2, d_ff=16)}, 3 * 3 * 8 * 16 + 4 * 8),
        ({"moe": Moe(n_experts=4, top_k=2, d_ff=16, n_dense_layers=1)}, 0),
        ({"moe": Moe(4, 2, d_ff=16, n_shared=2)}, 5 * 3 * 8 * 16 + 4 * 8),
        (
            {"moe": Moe(4, 2, d_ff=16, n_shared=1, shared_d_ff=5, shared_gate=True)},
            3 * 3 * 8 * 16 + 4 * 8 + 3 * 8 * 5 + 8,
        ),
    ],
)
def test_each_option_adds_what_it_stores(changes, more):
    assert small(**changes).n_params - small().n_params == more


def test_latent_attention_without_query_latent():
    """q 8*2*(3+1), kv 8*(6+1) + 6 + 6*2*(3+5), output 2*5*8; the plain attention had
    8*(8+4+4) + 8*8."""
    mla = Mla(kv_lora_rank=6, qk_nope_head_dim=3, qk_rope_head_dim=1, v_head_dim=5)
    latent = 8 * 8 + 8 * 7 + 6 + 6 * 16 + 10 * 8
    assert small(mla=mla).n_params - small().n_params == latent - (8 * 16 + 64)
