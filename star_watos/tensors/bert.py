"""A sentence encoder of the BERT family from a safetensors file, in NumPy."""

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from star_watos.tensors.attention import Attend, AttentionInput, Floats, dense


def layer_norm(x: Floats, weight: Floats, bias: Floats, epsilon: float) -> Floats:
    """Return (x - mean) / std * weight + bias along the last axis (Ba et al., 2016)."""
    centred = x - x.mean(axis=-1, keepdims=True)
    variance = np.mean(np.square(centred), axis=-1, keepdims=True)
    normed: Floats = centred / np.sqrt(variance + np.float32(epsilon)) * weight + bias
    return normed


def gelu(x: Floats) -> Floats:
    """Return x Φ(x), with erf by Abramowitz and Stegun 7.1.26 (absolute error below 1.5e-7).

    >>> gelu(np.array([-1.0, 0.0, 1.0], np.float32)).round(4).tolist()
    [-0.15870000422000885, 0.0, 0.8413000106811523]
    """
    z = np.abs(x, dtype=np.float64) / np.sqrt(2)
    t = 1 / (1 + 0.3275911 * z)
    series = (0.254829592, -0.284496736, 1.421413741, -1.453152027, 1.061405429)
    polynomial = sum(a * t ** (i + 1) for i, a in enumerate(series))
    erf = np.sign(x) * (1 - polynomial * np.exp(-z * z))
    activated: Floats = (x * (1 + erf) / 2).astype(np.float32)
    return activated


@dataclass(frozen=True)
class Bert:
    """A BERT-family encoder in a folder as Hugging Face lays it out."""

    name: str
    path: Path

    causal = False

    @cached_property
    def _config(self) -> dict[str, Any]:
        config: dict[str, Any] = json.loads((self.path / "config.json").read_text("utf-8"))
        return config

    @cached_property
    def _weights(self) -> dict[str, Floats]:
        from safetensors.numpy import load_file  # noqa: PLC0415 (extra `models`)

        weights: dict[str, Floats] = load_file(self.path / "model.safetensors")
        return weights

    @property
    def source(self) -> str:
        """What the weights are."""
        return f"{self._config['_name_or_path']} ({self.path.parent.name}, fp32 safetensors)"

    @property
    def n_layers(self) -> int:
        """Encoder layers."""
        return int(self._config["num_hidden_layers"])

    @property
    def max_tokens(self) -> int:
        """Number of learnt positions."""
        return int(self._config["max_position_embeddings"])

    def encode(self, text: str) -> NDArray[np.int64]:
        """Return the token numbers of `text` between the marks of begin and end, uncut."""
        from tokenizers import Tokenizer  # noqa: PLC0415 (extra `models`)

        tokenizer = Tokenizer.from_file(str(self.path / "tokenizer.json"))
        tokenizer.no_truncation()
        tokenizer.no_padding()
        return np.array(tokenizer.encode(text).ids, dtype=np.int64)

    def forward(self, tokens: NDArray[np.int64], attend: Attend = dense) -> Floats:
        """Return the hidden states [seq_len, d_model]; `attend` computes each layer's attention."""
        embedded = [
            self._weights[f"embeddings.{kind}_embeddings.weight"][index]
            for kind, index in (
                ("word", tokens),
                ("position", np.arange(len(tokens))),
                ("token_type", np.zeros(len(tokens), int)),
            )
        ]
        hidden = self._norm("embeddings", embedded[0] + embedded[1] + embedded[2])
        for layer in range(self.n_layers):
            block = f"encoder.layer.{layer}"
            out = attend(self._project(layer, hidden))
            merged = out.transpose(1, 0, 2).reshape(hidden.shape)
            attended = self._linear(f"{block}.attention.output.dense", merged)
            hidden = self._norm(f"{block}.attention.output", hidden + attended)
            inner = gelu(self._linear(f"{block}.intermediate.dense", hidden))
            outer = self._linear(f"{block}.output.dense", inner)
            hidden = self._norm(f"{block}.output", hidden + outer)
        return hidden

    def sentence(self, text: str, attend: Attend = dense) -> Floats:
        """Return the unit vector of a sentence: the mean of its hidden states, normed."""
        mean = self.forward(self.encode(text), attend).mean(axis=0)
        unit: Floats = mean / np.linalg.norm(mean)
        return unit

    def _linear(self, name: str, x: Floats) -> Floats:
        y: Floats = x @ self._weights[f"{name}.weight"].T + self._weights[f"{name}.bias"]
        return y

    def _norm(self, name: str, x: Floats) -> Floats:
        weight, bias = (self._weights[f"{name}.LayerNorm.{part}"] for part in ("weight", "bias"))
        return layer_norm(x, weight, bias, float(self._config["layer_norm_eps"]))

    def _project(self, layer: int, x: Floats) -> AttentionInput:
        """Return Q, K and V; K's bias adds the same to all scores of a query."""
        n_heads = int(self._config["num_attention_heads"])
        block = f"encoder.layer.{layer}.attention.self"
        q, k, v = (
            np.ascontiguousarray(
                self._linear(f"{block}.{part}", x).reshape(len(x), n_heads, -1).swapaxes(0, 1)
            )
            for part in ("query", "key", "value")
        )
        w_k = self._weights[f"{block}.key.weight"].reshape(n_heads, -1, x.shape[1])
        return AttentionInput(layer, x, w_k, q, k, v, None, causal=False)
