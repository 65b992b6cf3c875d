"""A decoder of the Llama family from a GGUF file, in NumPy."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from star_watos.errors import InputError
from star_watos.tensors.attention import Attend, AttentionInput, Floats, Rotation, dense
from star_watos.tensors.gguf import Gguf
from star_watos.tensors.tokenizer import byte_pair_tokenizer

_LOGIT_ROWS = 256
"""Tokens whose logits are held at once: 50 MB at a vocabulary of 49,152."""


def rms_norm(x: Floats, weight: Floats, epsilon: float) -> Floats:
    """Return x / rms(x) * weight along the last axis (Zhang and Sennrich, 2019)."""
    mean_square = np.mean(np.square(x), axis=-1, keepdims=True)
    normed: Floats = x / np.sqrt(mean_square + np.float32(epsilon)) * weight
    return normed


def silu(x: Floats) -> Floats:
    """Return x * sigmoid(x); exp is taken of -|x|, which cannot overflow.

    >>> silu(np.array([-1e4, 0.0, 2.0], np.float32)).round(4).tolist()
    [-0.0, 0.0, 1.7616000175476074]
    """
    small = np.exp(-np.abs(x))
    gated: Floats = x * np.where(x < 0, small, np.float32(1)) / (1 + small)
    return gated


@dataclass(frozen=True)
class Llama:
    """A Llama-family decoder; tensors are dequantised layer by layer as they are used."""

    name: str
    path: Path

    causal = True

    @cached_property
    def _file(self) -> Gguf:
        file = Gguf(self.path)
        family = file.metadata.get("general.architecture")
        if family != "llama":
            raise InputError.of(str(self.path), f"holds a model of family {family!r}, not 'llama'")
        return file

    def _number(self, key: str) -> float:
        return float(self._file.value(f"llama.{key}"))

    @property
    def source(self) -> str:
        """What the weights are."""
        return f"{self._file.metadata.get('general.name', self.name)} ({self.path.name})"

    @property
    def n_layers(self) -> int:
        """Decoder layers."""
        return int(self._number("block_count"))

    @property
    def max_tokens(self) -> int:
        """Longest sequence that the model was trained for."""
        return int(self._number("context_length"))

    def encode(self, text: str) -> NDArray[np.int64]:
        """Return the token numbers of `text`."""
        return np.array(self._tokenizer.encode(text).ids, dtype=np.int64)

    @cached_property
    def _tokenizer(self):  # type: ignore[no-untyped-def]  # noqa: ANN202 (an optional library's)
        tokens, merges = (self._file.value(f"tokenizer.ggml.{key}") for key in ("tokens", "merges"))
        return byte_pair_tokenizer(tokens, merges)

    def forward(self, tokens: NDArray[np.int64], attend: Attend = dense) -> Floats:
        """Return the hidden states [seq_len, d_model] after the last norm.

        `attend` computes each layer's attention; whoever wants Q, K and V looks there.
        """
        file, epsilon = self._file, self._number("attention.layer_norm_rms_epsilon")
        hidden = self._embedding[tokens]
        rotation = self._rotation(len(tokens))
        for layer in range(self.n_layers):
            x = rms_norm(hidden, file.tensor(f"blk.{layer}.attn_norm.weight"), epsilon)
            out = attend(self._project(layer, x, rotation))
            merged = out.transpose(1, 0, 2).reshape(len(tokens), -1)
            hidden = hidden + merged @ file.tensor(f"blk.{layer}.attn_output.weight").T
            x = rms_norm(hidden, file.tensor(f"blk.{layer}.ffn_norm.weight"), epsilon)
            hidden = hidden + self._feed_forward(layer, x)
        return rms_norm(hidden, file.tensor("output_norm.weight"), epsilon)

    def perplexity(self, tokens: NDArray[np.int64], attend: Attend = dense) -> float:
        """Return exp of the mean negative log-likelihood of tokens 1 .. n - 1."""
        hidden = self.forward(tokens, attend)
        losses = []
        for first in range(0, len(tokens) - 1, _LOGIT_ROWS):
            rows = slice(first, min(first + _LOGIT_ROWS, len(tokens) - 1))
            logits = hidden[rows] @ self._embedding.T
            logits -= logits.max(axis=1, keepdims=True)
            target = logits[np.arange(len(logits)), tokens[rows.start + 1 : rows.stop + 1]]
            losses.append(np.log(np.exp(logits).sum(axis=1)) - target)
        return float(np.exp(np.concatenate(losses).mean(dtype=np.float64)))

    @cached_property
    def _embedding(self) -> Floats:
        return self._file.tensor("token_embd.weight")

    def _rotation(self, seq_len: int) -> Rotation:
        width = int(self._number("rope.dimension_count"))
        return Rotation.of(seq_len, width, self._number("rope.freq_base"))

    def _project(self, layer: int, x: Floats, rotation: Rotation) -> AttentionInput:
        n_heads = int(self._number("attention.head_count"))
        n_kv_heads = int(self._number("attention.head_count_kv"))

        def heads(name: str, count: int) -> tuple[Floats, Floats]:
            weight = self._file.tensor(f"blk.{layer}.attn_{name}.weight")
            split = weight.reshape(count, -1, weight.shape[-1])
            return split, np.ascontiguousarray(
                (x @ weight.T).reshape(len(x), count, -1).swapaxes(0, 1)
            )

        _, q = heads("q", n_heads)
        w_k, k = heads("k", n_kv_heads)
        _, v = heads("v", n_kv_heads)
        return AttentionInput(layer, x, w_k, rotation(q), rotation(k), v, rotation, causal=True)

    def _feed_forward(self, layer: int, x: Floats) -> Floats:
        gate, up, down = (
            self._file.tensor(f"blk.{layer}.ffn_{name}.weight") for name in ("gate", "up", "down")
        )
        result: Floats = (silu(x @ gate.T) * (x @ up.T)) @ down.T
        return result
