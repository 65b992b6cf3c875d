"""Runs a real model over a text and measures every layer on the way."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from star_watos.errors import InputError
from star_watos.star.accuracy import attends
from star_watos.star.accuracy.measure import LayerTally, least_ratio, measure_layer
from star_watos.star.accuracy.setting import Setting
from star_watos.tensors import Attend, AttentionInput, Llama, RealModel, Text, dense
from star_watos.tensors.attention import Floats

LEAST_TOKENS = 2
"""A single one leaves nothing to sort, and no token to predict."""
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

    def measure(
        self, keep_ratios: Sequence[float], target_mass: float | None = None
    ) -> list[LayerTally]:
        """Return what each layer shows at each keep ratio, layer by layer.

        With a target, at one ratio a layer: the least that keeps that softmax mass, or the last.
        """
        tallies: list[LayerTally] = []
        with self._workers() as pool:

            def attend(given: AttentionInput) -> Floats:
                ratios = keep_ratios
                if target_mass is not None:
                    ratios = [least_ratio(given, self.setting, keep_ratios, target_mass, pool)]
                output, measured = measure_layer(given, self.setting, ratios, pool)
                tallies.extend(measured)
                return output

            self.model.forward(self.tokens, self._told("layers measured", _alone(attend)))
        return tallies

    def perplexities(self, keep_ratios: Sequence[float]) -> Perplexities:
        """Return the perplexities with layer i at `keep_ratios[i]`; `InputError` for an encoder."""
        with self._workers() as pool:
            exact = attends.exact_top_k(keep_ratios, self.setting, pool)
            star = attends.star(keep_ratios, self.setting, pool)
            return Perplexities(
                dense=self._dense,
                exact_topk=self._perplexity("exact top-k", _alone(exact)),
                star=self._perplexity("STAR", _alone(star)),
            )

    @property
    def has_perplexity(self) -> bool:
        """Whether the model predicts the next token."""
        return isinstance(self.model, Llama)

    def need_decoder(self) -> Llama:
        """Return the model; `InputError` where it does not predict the next token."""
        if not isinstance(self.model, Llama):
            text = "is an encoder: perplexity needs a model that predicts the next token"
            raise InputError.of(self.model.name, text)
        return self.model

    @cached_property
    def _dense(self) -> float:
        return self._perplexity("dense attention", dense)

    def _perplexity(self, name: str, attend: Attend) -> float:
        decoder = self.need_decoder()
        return decoder.perplexity(self.tokens, self._told(f"layers, {name}", attend))

    def _told(self, what: str, attend: Attend) -> Attend:
        """Return `attend`, which tells how far it is."""

        def told(given: AttentionInput) -> Floats:
            output = attend(given)
            self.progress(what, given.layer + 1, self.model.n_layers)
            return output

        return told

    @contextmanager
    def _workers(self) -> Iterator[Executor]:
        """Yield threads that take tiles; what an error or Ctrl-C leaves undone is dropped."""
        with ThreadPoolExecutor(self.jobs) as pool:
            try:
                yield pool
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise


def _alone(attend: Attend) -> Attend:
    """Return `attend` with BLAS kept to one thread: the tiles' own threads would fight with it."""
    from threadpoolctl import ThreadpoolController  # noqa: PLC0415 (extra `models`)

    controller = ThreadpoolController()

    def limited(given: AttentionInput) -> Floats:
        with controller.limit(limits=1):
            return attend(given)

    return limited


def read_tokens(model: RealModel, text: Text, seq_len: int) -> NDArray[np.int64]:
    """Return the first `seq_len` tokens of a text; `InputError` if model or text is short."""
    if seq_len < LEAST_TOKENS:
        raise InputError.of("--seq-len", f"expected at least {LEAST_TOKENS} tokens, got {seq_len}")
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
