"""Writes GGUF files: any metadata and tensors, or a Llama small enough for a test."""

import struct

import numpy as np
from tokenizers.pre_tokenizers import ByteLevel

SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q"} | {
    12: "d"
}
STRING, ARRAY = 8, 9
ALIGNMENT = 32
F32, F16, Q4_1, Q8_0 = 0, 1, 3, 8
TEXT = "The cat sat on the mat, the dog lay on the log. "


def string(text):
    data = text.encode()
    return struct.pack("<Q", len(data)) + data


def value(code, content):
    """Return a value of metadata; an array is (code of its items, items)."""
    if code == STRING:
        return string(content)
    if code == ARRAY:
        inner, items = content
        return struct.pack("<IQ", inner, len(items)) + b"".join(value(inner, i) for i in items)
    return struct.pack(f"<{SCALARS[code]}", content)


def packed(code, tensor):
    """Return the bytes of a tensor, and what they say once read."""
    if code in {F32, F16}:
        held = tensor.astype(np.float32 if code == F32 else np.float16)
        return held.tobytes(), held.astype(np.float32)
    blocks = tensor.reshape(-1, 32).astype(np.float32)
    data, read = b"", []
    for block in blocks:
        if code == Q8_0:
            scale = np.float16(np.abs(block).max() / 127 or 1)
            whole = np.rint(block / np.float32(scale)).astype(np.int8)
            data += scale.tobytes() + whole.tobytes()
            read.append(whole * np.float32(scale))
        else:
            scale, least = np.float16((np.ptp(block) / 15) or 1), np.float16(block.min())
            whole = np.clip(np.rint((block - np.float32(least)) / np.float32(scale)), 0, 15)
            low, high = np.split(whole.astype(np.uint8), 2)
            data += scale.tobytes() + least.tobytes() + (low | high << 4).tobytes()
            read.append(whole.astype(np.float32) * np.float32(scale) + np.float32(least))
    return data, np.array(read, np.float32).reshape(tensor.shape)


def write_gguf(path, metadata, tensors):
    """Write {key: (code, content)} and {name: (code, tensor)}; return what a reader should find."""
    head = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(metadata))
    for key, (code, content) in metadata.items():
        head += string(key) + struct.pack("<I", code) + value(code, content)
    body, found = b"", {}
    for name, (code, tensor) in tensors.items():
        data, found[name] = packed(code, tensor)
        axes = tensor.shape[::-1]
        head += string(name) + struct.pack(f"<I{len(axes)}Q", len(axes), *axes)
        head += struct.pack("<IQ", code, len(body))
        body += data + bytes(-len(data) % ALIGNMENT)
    path.write_bytes(head + bytes(-len(head) % ALIGNMENT) + body)
    return found


def byte_pairs():
    """Return tokens and merges of a tokeniser that knows every byte and two longer tokens."""
    return [*sorted(ByteLevel.alphabet()), "th", "the"], ["t h", "th e"]


def tiny_llama(path, *, layers=2, context=512, blank=False, without=()):
    """Write a Llama of random weights: d_model 64, 4 query heads and 2 K/V heads of 16."""
    tokens, merges = byte_pairs()
    rng = np.random.default_rng(0)
    sizes = {"attn_q": (64, 64), "attn_k": (32, 64), "attn_v": (32, 64), "attn_output": (64, 64)}
    sizes |= {"ffn_gate": (96, 64), "ffn_up": (96, 64), "ffn_down": (64, 96)}
    metadata = {
        "general.architecture": (STRING, "llama"),
        "general.name": (STRING, "Tiny"),
        "llama.block_count": (4, layers),
        "llama.context_length": (4, context),
        "llama.attention.head_count": (4, 4),
        "llama.attention.head_count_kv": (4, 2),
        "llama.attention.layer_norm_rms_epsilon": (6, 1e-5),
        "llama.rope.dimension_count": (4, 16),
        "llama.rope.freq_base": (6, 10_000.0),
        "tokenizer.ggml.tokens": (ARRAY, (STRING, tokens)),
        "tokenizer.ggml.merges": (ARRAY, (STRING, merges)),
    }
    embedding = rng.normal(size=(len(tokens), 64)) * (not blank)
    tensors = {"token_embd.weight": (F16, embedding), "output_norm.weight": (F32, np.ones(64))}
    for layer in range(layers):
        for name, size in sizes.items():
            code = Q8_0 if name.startswith("attn") else Q4_1
            tensors[f"blk.{layer}.{name}.weight"] = (code, rng.normal(size=size) / 6)
        for norm in ("attn_norm", "ffn_norm"):
            tensors[f"blk.{layer}.{norm}.weight"] = (F32, np.ones(64))
    kept = {key: held for key, held in metadata.items() if key not in without}
    write_gguf(path, kept, tensors)
    return path
