"""Published models of each family to the last parameter, and what is peculiar to their layers."""

import json

import pytest

from star_watos.spec import InputError, parse
from star_watos.workload import (
    Attention,
    LayerKind,
    Microbatch,
    Model,
    Norm,
    embedding_ops,
    embedding_params,
    head_ops,
    head_params,
    layer_kinds,
    layer_ops,
    layer_params,
    load_model,
    model_from,
    scored_pairs,
)

OPT = {
    "model_type": "opt",
    "hidden_size": 4096,
    "ffn_dim": 16384,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "max_position_embeddings": 2048,
    "vocab_size": 50272,
    "word_embed_proj_dim": 4096,
    "do_layer_norm_before": True,
}
BLOOM = {
    "model_type": "bloom",
    "n_embed": 1024,
    "n_layer": 24,
    "num_attention_heads": 16,
    "seq_length": 2048,
    "vocab_size": 250880,
}
PYTHIA = {
    "model_type": "gpt_neox",
    "hidden_size": 4096,
    "intermediate_size": 16384,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "max_position_embeddings": 2048,
    "vocab_size": 50432,
    "tie_word_embeddings": False,
    "use_parallel_residual": True,
}
NEOX_20B = PYTHIA | {
    "hidden_size": 6144,
    "intermediate_size": 24576,
    "num_hidden_layers": 44,
    "num_attention_heads": 64,
}
FALCON_7B = {
    "model_type": "falcon",
    "hidden_size": 4544,
    "num_hidden_layers": 32,
    "num_attention_heads": 71,
    "vocab_size": 65024,
    "alibi": False,
    "bias": False,
    "multi_query": True,
    "new_decoder_architecture": False,
    "parallel_attn": True,
}
FALCON_180B = FALCON_7B | {
    "hidden_size": 14848,
    "num_hidden_layers": 80,
    "num_attention_heads": 232,
    "num_kv_heads": 8,
    "new_decoder_architecture": True,
}
FALCON_RW_1B = FALCON_7B | {
    "hidden_size": 2048,
    "num_hidden_layers": 24,
    "num_attention_heads": 32,
    "vocab_size": 50304,
    "alibi": True,
    "bias": True,
    "multi_query": False,
    "parallel_attn": False,
}
MPT_7B = {
    "model_type": "mpt",
    "d_model": 4096,
    "n_heads": 32,
    "n_layers": 32,
    "expansion_ratio": 4,
    "max_seq_len": 2048,
    "vocab_size": 50432,
    "no_bias": True,
    "attn_config": {"alibi": True, "attn_pdrop": 0, "attn_type": "multihead_attention"},
}
GEMMA_7B = {
    "model_type": "gemma",
    "hidden_size": 3072,
    "intermediate_size": 24576,
    "num_hidden_layers": 28,
    "num_attention_heads": 16,
    "num_key_value_heads": 16,
    "head_dim": 256,
    "max_position_embeddings": 8192,
    "vocab_size": 256000,
}
GEMMA_2B = GEMMA_7B | {
    "hidden_size": 2048,
    "intermediate_size": 16384,
    "num_hidden_layers": 18,
    "num_attention_heads": 8,
    "num_key_value_heads": 1,
}
GEMMA2_27B = GEMMA_7B | {
    "model_type": "gemma2",
    "hidden_size": 4608,
    "intermediate_size": 36864,
    "num_hidden_layers": 46,
    "num_attention_heads": 32,
    "head_dim": 128,
    "sliding_window": 4096,
}
GEMMA2_2B = GEMMA2_27B | {
    "hidden_size": 2304,
    "intermediate_size": 9216,
    "num_hidden_layers": 26,
    "num_attention_heads": 8,
    "num_key_value_heads": 4,
    "head_dim": 256,
}
QWEN_MOE = {
    "model_type": "qwen2_moe",
    "hidden_size": 2048,
    "intermediate_size": 5632,
    "num_hidden_layers": 24,
    "num_attention_heads": 16,
    "num_key_value_heads": 16,
    "max_position_embeddings": 8192,
    "vocab_size": 151936,
    "num_experts": 60,
    "num_experts_per_tok": 4,
    "moe_intermediate_size": 1408,
    "shared_expert_intermediate_size": 5632,
    "decoder_sparse_step": 1,
}
QWEN2_57B = QWEN_MOE | {
    "hidden_size": 3584,
    "intermediate_size": 18944,
    "num_hidden_layers": 28,
    "num_attention_heads": 28,
    "num_key_value_heads": 4,
    "num_experts": 64,
    "num_experts_per_tok": 8,
    "moe_intermediate_size": 2560,
    "shared_expert_intermediate_size": 20480,
}
QWEN3_235B = {
    "model_type": "qwen3_moe",
    "hidden_size": 4096,
    "intermediate_size": 12288,
    "num_hidden_layers": 94,
    "num_attention_heads": 64,
    "num_key_value_heads": 4,
    "head_dim": 128,
    "max_position_embeddings": 40960,
    "vocab_size": 151936,
    "num_experts": 128,
    "num_experts_per_tok": 8,
    "moe_intermediate_size": 1536,
    "mlp_only_layers": [],
}
DEEPSEEK_V2_LITE = {
    "model_type": "deepseek_v2",
    "hidden_size": 2048,
    "intermediate_size": 10944,
    "num_hidden_layers": 27,
    "num_attention_heads": 16,
    "num_key_value_heads": 16,
    "max_position_embeddings": 163840,
    "vocab_size": 102400,
    "q_lora_rank": None,
    "kv_lora_rank": 512,
    "qk_nope_head_dim": 128,
    "qk_rope_head_dim": 64,
    "v_head_dim": 128,
    "n_routed_experts": 64,
    "num_experts_per_tok": 6,
    "moe_intermediate_size": 1408,
    "n_shared_experts": 2,
    "first_k_dense_replace": 1,
}
PHI3_MINI = {
    "model_type": "phi3",
    "hidden_size": 3072,
    "intermediate_size": 8192,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": 32,
    "max_position_embeddings": 4096,
    "vocab_size": 32064,
    "sliding_window": 2047,
}
# Safetensors totals of the models' pages on Hugging Face, unless a line says otherwise.
PUBLISHED = [
    (OPT, 6_658_473_984),  # facebook/opt-6.7b: 13,316,947,968 bytes in 16 bits
    (BLOOM, 559_214_592),  # bigscience/bloom-560m
    (PYTHIA, 6_857_302_016),  # EleutherAI/pythia-6.9b, table of the model card
    (NEOX_20B, 20_554_567_680),  # EleutherAI/gpt-neox-20b, table of the model card
    # tiiuae/falcon-7b: the total 7,217,189,760 has the tied table twice, 65,024 * 4,544 more.
    (FALCON_7B, 7_217_189_760 - 65_024 * 4_544),
    (FALCON_180B | {"tie_word_embeddings": False}, 179_522_565_120),  # tiiuae/falcon-180B
    (FALCON_RW_1B, 1_311_625_216),  # tiiuae/falcon-rw-1b; Keras hub's falcon preset
    (MPT_7B, 6_649_286_656),  # mosaicml/mpt-7b: 13,298,573,312 bytes in 16 bits
    (GEMMA_7B, 8_537_680_896),  # google/gemma-7b
    (GEMMA_2B, 2_506_172_416),  # google/gemma-2b
    (GEMMA2_27B, 27_227_128_320),  # google/gemma-2-27b
    (GEMMA2_2B, 2_614_341_888),  # google/gemma-2-2b
    (QWEN_MOE, 14_315_784_192),  # Qwen/Qwen1.5-MoE-A2.7B
    (QWEN2_57B, 57_408_658_944),  # Qwen/Qwen2-57B-A14B
    (QWEN3_235B, 235_093_634_560),  # Qwen/Qwen3-235B-A22B
    (DEEPSEEK_V2_LITE, 15_706_484_224),  # deepseek-ai/DeepSeek-V2-Lite
    (PHI3_MINI, 3_821_079_552),  # microsoft/Phi-3-mini-4k-instruct
]
SHAPES = [
    Microbatch(64, 64),
    Microbatch(128, 64, tp=2, sequence_parallel=True, attention=Attention.UNFUSED),
]


def model(config):
    return model_from(parse(json.dumps(config), "config.json"), "test")


def said(config):
    with pytest.raises(InputError) as error:
        model(config)
    return str(error.value)


def total(ops, quantity):
    return sum(getattr(op, quantity) for op in ops)


def layer_names(config, layer=LayerKind.DENSE):
    return [op.name for op in layer_ops(model(config), SHAPES[0], layer)]


@pytest.mark.parametrize(("config", "count"), PUBLISHED)
def test_count_is_the_published_one(config, count):
    assert model(config).n_params == count


@pytest.mark.parametrize(("config", "count"), PUBLISHED)
def test_operators_read_all_parameters_of_their_layer(config, count):
    published = model(config)
    parts = head_params(published) + embedding_params(published)
    for kind, layers in layer_kinds(published):
        ops = layer_ops(published, SHAPES[0], kind)
        assert total(ops, "weight_bytes") == 2 * layer_params(published, kind)
        parts += layers * layer_params(published, kind)
    assert parts == count


@pytest.mark.parametrize("config", [config for config, _ in PUBLISHED])
@pytest.mark.parametrize("shape", SHAPES)
def test_a_layer_keeps_what_it_saves_or_less(config, shape):
    published = model(config)
    for kind, _ in layer_kinds(published):
        ops = layer_ops(published, shape, kind)
        assert all(0 <= op.kept_bytes <= op.saved_bytes for op in ops)
        assert all(op.recomputed or op.kept_bytes in (0, op.saved_bytes) for op in ops)


def test_opt_has_two_positions_that_no_token_takes():
    opt = model(OPT)
    assert embedding_params(opt) == (50272 + 2050) * 4096
    assert (opt.max_seq_len, opt.norm, opt.gated) == (2048, Norm.LAYER, False)
    assert (opt.qkv_bias, opt.out_bias, opt.mlp_bias) == (True, True, True)
    assert (opt.dropout, opt.attention_dropout, opt.embedding_dropout) == (0.1, 0.0, 0.0)


def test_opt_drops_nothing_of_the_embedding():
    """GPT-2 does: a mask of 1 byte an element."""
    assert total(embedding_ops(model(OPT), SHAPES[0]), "saved_bytes") == 0
    assert total(embedding_ops(load_model("gpt3_175b"), SHAPES[0]), "saved_bytes") == 64 * 12288


def test_bloom_normalises_its_embedding():
    """The norm's input, 2 * 64 * 1,024 bytes, is the only thing saved; its result is the first
    layer's input."""
    lookup, after = embedding_ops(model(BLOOM), SHAPES[0])
    assert (after.name, after.weight_bytes) == ("embedding_norm", 2 * 2 * 1024)
    assert (lookup.saved_bytes, after.saved_bytes) == (0, 2 * 64 * 1024)


@pytest.mark.parametrize(
    ("ours", "theirs", "value"),
    [
        ("hidden_size", "n_embed", 1024),
        ("num_hidden_layers", "n_layer", 24),
        ("n_head", "num_attention_heads", 16),
    ],
)
def test_bloom_has_two_names_for_three_numbers(ours, theirs, value):
    other = {key: number for key, number in BLOOM.items() if key != theirs} | {ours: value}
    assert model(other) == model(BLOOM) == model(BLOOM | {ours: value})
    assert model(BLOOM | {ours: None}) == model(BLOOM)
    assert "expected the same as" in said(BLOOM | {ours: 2 * value})
    assert f"{theirs}: expected a whole number" in said(BLOOM | {theirs: 0})


@pytest.mark.parametrize("config", [BLOOM, MPT_7B, FALCON_RW_1B])
def test_alibi_has_neither_table_nor_rotation(config):
    alibi = model(config)
    assert "rope" not in layer_names(config)
    norm = alibi.norm_params if alibi.embedding_norm else 0
    assert embedding_params(alibi) == alibi.vocab * alibi.d_model + norm


def test_falcon_7b_has_one_norm_for_both_blocks():
    assert layer_names(FALCON_7B) == [
        *("attention_norm", "qkv", "rope", "attention", "attention_out"),
        *("mlp_up", "mlp_activation", "mlp_down", "residual"),
    ]
    assert (model(FALCON_7B).n_kv_heads, model(FALCON_7B).head_dim) == (1, 64)


@pytest.mark.parametrize("config", [FALCON_180B, PYTHIA])
def test_others_side_by_side_have_two_norms(config):
    assert layer_names(config) == [
        *("attention_norm", "qkv", "rope", "attention", "attention_out"),
        *("mlp_norm", "mlp_up", "mlp_activation", "mlp_down", "residual"),
    ]


def test_falcon_rw_has_its_blocks_one_after_the_other():
    assert layer_names(FALCON_RW_1B) == [
        *("attention_norm", "qkv", "attention", "attention_out", "attention_residual"),
        *("mlp_norm", "mlp_up", "mlp_activation", "mlp_down", "mlp_residual"),
    ]
    assert model(FALCON_RW_1B).n_kv_heads == 32


def test_falcon_11b_shares_a_norm_in_the_new_architecture():
    config = FALCON_180B | {"num_ln_in_parallel_attn": 1}
    assert model(config).norms_per_layer == 1
    assert model(FALCON_180B).n_kv_heads == 8


def test_old_falcon_ignores_key_value_heads_beside_multi_query():
    """Hugging Face writes them into the file again: all heads, where one was meant."""
    assert model(FALCON_7B | {"num_kv_heads": 71}) == model(FALCON_7B)


def test_saved_bytes_of_blocks_side_by_side_by_hand():
    """GPT-NeoX of width h without dropout, a token: the layer's input 2 h once for both norms,
    their results 4 h, q, k and v 6 h, attention's output 2 h and a sum of 4 bytes a head, up 8 h
    and its GELU 8 h: 30 h + 4 a. One after the other, the stream between is saved too: 2 h more."""
    h, a = 4096, 32
    for parallel, expected in ((True, 30 * h + 4 * a), (False, 32 * h + 4 * a)):
        neox = model(PYTHIA | {"use_parallel_residual": parallel})
        ops = layer_ops(neox, SHAPES[0], LayerKind.DENSE)
        assert total(ops, "saved_bytes") == 64 * expected


def test_saved_bytes_of_a_shared_norm_by_hand():
    """Falcon-7B, a token: input and result of the norm 4 h; queries, a key and a value 2 h + 256;
    attention's output 2 h and 71 sums of 4 bytes; up and GELU 16 h: 24 h + 256 + 284."""
    ops = layer_ops(model(FALCON_7B), SHAPES[0], LayerKind.DENSE)
    assert total(ops, "saved_bytes") == 64 * (24 * 4544 + 256 + 284)


def test_one_add_reads_stream_and_both_blocks():
    """With dropout each block has a mask of 1 byte an element."""
    neox = model(PYTHIA | {"hidden_dropout": 0.1})
    add = layer_ops(neox, SHAPES[0], LayerKind.DENSE)[-1]
    elements = 64 * 4096
    assert (add.input_bytes, add.output_bytes) == (3 * 2 * elements, (2 + 2) * elements)
    assert (add.saved_bytes, add.recomputed) == (2 * elements, True)


def test_gemma2_has_four_norms_a_layer():
    """A norm after each block saves its input, 2 h a token, and not its result, which is added."""
    ops = layer_ops(load_model("gemma2_9b"), SHAPES[0], LayerKind.WINDOWED)
    norms = {op.name: op for op in ops if op.name.endswith("norm")}
    assert list(norms) == ["attention_norm", "attention_post_norm", "mlp_norm", "mlp_post_norm"]
    for name in ("attention_post_norm", "mlp_post_norm"):
        assert norms[name].saved_bytes == norms[name].selective_bytes == 2 * 64 * 3584


def test_gemma2_alternates_windows():
    """46 layers: 23 with the window of 4,096, 23 without. At 8,192 tokens the window leaves
    8,192 * 4,096 - 4,096² / 2 pairs of 8,192² / 2: three quarters."""
    gemma = model(GEMMA2_27B)
    assert layer_kinds(gemma) == ((LayerKind.WINDOWED, 23), (LayerKind.DENSE, 23))
    shape = Microbatch(8192, 8192)
    assert scored_pairs(gemma, shape) == 8192**2 / 2
    assert scored_pairs(gemma, shape, LayerKind.WINDOWED) == 0.75 * 8192**2 / 2
    flops = {
        kind: next(op.forward_flops for op in layer_ops(gemma, shape, kind) if op.batch == 32)
        for kind, _ in layer_kinds(gemma)
    }
    assert flops[LayerKind.WINDOWED] == 0.75 * flops[LayerKind.DENSE]
    assert layer_params(gemma, LayerKind.WINDOWED) == layer_params(gemma, LayerKind.DENSE)


@pytest.mark.parametrize(
    ("changes", "kinds"),
    [
        ({"num_hidden_layers": 3}, ((LayerKind.WINDOWED, 2), (LayerKind.DENSE, 1))),
        ({"sliding_window": None}, ((LayerKind.DENSE, 46),)),
        (
            {"num_hidden_layers": 3, "layer_types": ["full_attention"] * 3},
            ((LayerKind.DENSE, 3),),
        ),
        (
            {"num_hidden_layers": 3, "layer_types": ["sliding_attention"] * 3},
            ((LayerKind.WINDOWED, 3),),
        ),
    ],
)
def test_which_layers_of_gemma2_have_the_window(changes, kinds):
    assert layer_kinds(model(GEMMA2_27B | changes)) == kinds


def test_a_window_everywhere_needs_no_kind_of_its_own():
    phi = model(PHI3_MINI)
    assert layer_kinds(phi) == ((LayerKind.DENSE, 32),)
    assert phi.window_of(LayerKind.DENSE) == 2047


def test_experts_do_not_alternate_windows():
    small = {"d_model": 8, "n_heads": 2, "n_kv_heads": 1, "head_dim": 4, "d_ff": 16, "vocab": 10}
    moe = load_model("mixtral_8x7b").moe
    with pytest.raises(ValueError, match="windowed_layers"):
        Model("small", n_layers=2, max_seq_len=8, windowed_layers=1, moe=moe, **small)


def test_qwen_weighs_its_shared_expert():
    """The gate has a weight for each of 2,048 inputs and saves one fp32 score a token."""
    assert "shared_gate" in layer_names(QWEN_MOE, LayerKind.MOE)
    ops = layer_ops(model(QWEN_MOE), SHAPES[0], LayerKind.MOE)
    gate = next(op for op in ops if op.name == "shared_gate")
    assert (gate.weight_bytes, gate.saved_bytes) == (2 * 2048, 4 * 64)
    up = next(op for op in ops if op.name == "shared_experts_up")
    assert (up.n, up.k) == (2 * 5632, 2048)


def test_active_parameters_are_the_published_ones():
    """DeepSeek-V2 has 21B (arXiv 2405.04434), the others have it in their names; that of
    Qwen3-30B-A3B is 30,532,122,624 - 48 layers * 120 idle experts * 3*2,048*768."""
    assert round(load_model("deepseek_v2").n_active_params / 1e9) == 21
    assert load_model("qwen3_30b_a3b").n_active_params == 3_353_032_704
    assert round(model(QWEN_MOE).n_active_params / 1e9, 1) == 2.7
    assert round(model(QWEN2_57B).n_active_params / 1e9) == 14
    assert round(model(QWEN3_235B).n_active_params / 1e9) == 22


def test_tied_logits_are_read_again():
    falcon = model(FALCON_7B)
    read = total(head_ops(falcon, SHAPES[0]), "weight_bytes")
    assert read == 2 * (head_params(falcon) + 65_024 * 4_544)


@pytest.mark.parametrize(
    ("config", "key"),
    [
        (GEMMA_7B, "head_dim"),
        (GEMMA_7B, "num_key_value_heads"),
        (GEMMA2_27B, "sliding_window"),
        (QWEN_MOE, "num_experts"),
        (QWEN_MOE, "shared_expert_intermediate_size"),
        (QWEN3_235B, "head_dim"),
        (DEEPSEEK_V2_LITE, "q_lora_rank"),
        (FALCON_7B, "hidden_size"),
        (BLOOM, "n_layer"),
    ],
)
def test_what_would_be_another_models_number_must_be_there(config, key):
    without = {k: v for k, v in config.items() if k != key}
    assert f"{key}: required, but missing" in said(without)


@pytest.mark.parametrize(
    ("config", "text"),
    [
        (
            OPT | {"word_embed_proj_dim": 512},
            "word_embed_proj_dim: expected the width 4096 (projected embeddings are not supported)",
        ),
        (
            OPT | {"do_layer_norm_before": False},
            "do_layer_norm_before: expected true (norms after the blocks are not supported), got",
        ),
        (OPT | {"layerdrop": 0.1}, "layerdrop: expected 0 (layers left out are not modelled)"),
        (
            BLOOM | {"apply_residual_connection_post_layernorm": True},
            "expected false (adding the norm's result is not supported), got True",
        ),
        (FALCON_7B | {"hidden_dropout": 0.1}, "hidden_dropout: expected 0 (dropout is not"),
        (
            FALCON_180B | {"parallel_attn": False},
            "parallel_attn: expected true with new_decoder_architecture, got False",
        ),
        (
            FALCON_7B | {"num_ln_in_parallel_attn": 2},
            "num_ln_in_parallel_attn: expected 1 at most in this architecture, got 2",
        ),
        (
            FALCON_180B | {"num_ln_in_parallel_attn": 3},
            "num_ln_in_parallel_attn: expected 2 at most in this architecture, got 3",
        ),
        (
            FALCON_RW_1B | {"num_kv_heads": 8},
            "num_kv_heads: expected all 32 heads without multi_query and new_decoder_architecture",
        ),
        (MPT_7B | {"no_bias": False}, "no_bias: expected true (biases are not supported"),
        (MPT_7B | {"attn_config": {"alibi": False}}, "attn_config.alibi: expected true (only"),
        (
            MPT_7B | {"attn_config": {"attn_type": "multiquery_attention"}},
            "attn_config.attn_type: expected multihead_attention (shared keys and values are not",
        ),
        (MPT_7B | {"attn_config": {"qk_ln": True}}, "attn_config.qk_ln: expected false (norms of"),
        (MPT_7B | {"attn_config": 3}, "attn_config: expected a mapping of keys to values, got 3"),
        (
            GEMMA2_27B | {"layer_types": ["full_attention"]},
            "layer_types: expected one for each of the 46 layers",
        ),
        (
            GEMMA2_27B | {"layer_types": ["global"]},
            "layer_types: expected a list of sliding_attention and full_attention, got ['global']",
        ),
        (
            QWEN_MOE | {"decoder_sparse_step": 2},
            "decoder_sparse_step: expected 1 (expert layers that alternate are not supported)",
        ),
        (
            QWEN3_235B | {"mlp_only_layers": [0]},
            "mlp_only_layers: expected [] (expert layers that alternate are not supported)",
        ),
        (QWEN_MOE | {"use_sliding_window": True}, "use_sliding_window: expected false"),
    ],
)
def test_what_is_not_supported_is_said(config, text):
    assert text in said(config)


def test_a_mistake_in_a_mapping_has_its_line():
    text = json.dumps(MPT_7B | {"attn_config": {"alibi": False}}, indent=1)
    line = next(i for i, row in enumerate(text.splitlines(), 1) if "alibi" in row)
    with pytest.raises(InputError, match=f"config.json:{line}:3  attn_config.alibi"):
        model_from(parse(text, "config.json"), "test")
