"""Runs a real model over a text and measures every layer on the way."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from star_watos.errors import InputError
from star_watos.star.accuracy import attends
from star_watos.star.accuracy.measure import LayerTally, measure_layer
from star_watos.star.accuracy.setting import Setting
from star_watos.tensors import Attend, AttentionInput, Llama, RealModel, Text, dense
from star_watos.tensors.attention import Floats

Progress = Callable[[str, int, int], None]
"""Told what is done, how many of how many."""


@dataclass(frozen=True, slots=True)
class Perplexities:
    """Of one text: the model as it is, with exact top-k, and with the core's algorithms."""

    dense: float
    exact_topk: float
    star: float

    @property
    def loss(self) -> float:
        """Relative increase of perplexity with the core's algorithms."""
        return self.star / self.dense - 1


@dataclass(frozen=True)
class Run:
    """A model, the tokens it reads, and the algorithms under test."""

    model: RealModel
    text: Text
    tokens: NDArray[np.int64]
    setting: Setting
    jobs: int
    progress: Progress

    def measure(self, keep_ratios: Sequence[float]) -> list[LayerTally]:
        """Return what each layer shows at each keep ratio, layer by layer."""
        tallies: list[LayerTally] = []
        with self._workers() as pool:

            def attend(given: AttentionInput) -> Floats:
                output, measured = measure_layer(given, self.setting, keep_ratios, pool)
                tallies.extend(measured)
                self.progress("layers measured", given.layer + 1, self.model.n_layers)
                return output

            self.model.forward(self.tokens, attend)
        return tallies

    def perplexities(self, keep_ratios: Sequence[float]) -> Perplexities:
        """Return the perplexities with layer i at `keep_ratios[i]`; `InputError` for an encoder."""
        if not isinstance(self.model, Llama):
            text = "is an encoder: perplexity needs a model that predicts the next token"
            raise InputError.of(self.model.name, text)
        with self._workers() as pool:
            return Perplexities(
                *(
                    self.model.perplexity(self.tokens, self._told(name, attend))
                    for name, attend in (
                        ("dense", dense),
                        ("exact top-k", attends.exact_top_k(keep_ratios, self.setting, pool)),
                        ("star", attends.star(keep_ratios, self.setting, pool)),
                    )
                )
            )

    def _told(self, name: str, attend: Attend) -> Attend:
        def told(given: AttentionInput) -> Floats:
            output = attend(given)
            self.progress(f"layers, perplexity with {name}", given.layer + 1, self.model.n_layers)
            return output

        return told

    @contextmanager
    def _workers(self) -> Iterator[Executor]:
        """Yield threads that take tiles; BLAS keeps to one thread, or it would fight with them."""
        from threadpoolctl import threadpool_limits  # noqa: PLC0415 (extra `models`)

        with threadpool_limits(limits=1), ThreadPoolExecutor(self.jobs) as pool:
            try:
                yield pool
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise


def read_tokens(model: RealModel, text: Text, seq_len: int) -> NDArray[np.int64]:
    """Return the first `seq_len` tokens of a text; `InputError` if model or text is short."""
    if seq_len > model.max_tokens:
        raise InputError.of(
            "--seq-len", f"{seq_len:,} tokens, but {model.name} reads {model.max_tokens:,}"
        )
    tokens = model.encode(text.text)
    if len(tokens) < seq_len:
        raise InputError.of(
            text.source, f"has {len(tokens):,} tokens, fewer than --seq-len {seq_len:,}"
        )
    return tokens[:seq_len]
