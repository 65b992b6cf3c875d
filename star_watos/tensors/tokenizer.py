"""Tokenisers, made by the library `tokenizers` from what comes with the weights."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tokenizers import Tokenizer


def byte_pair_tokenizer(tokens: Sequence[str], merges: Sequence[str]) -> "Tokenizer":
    """Return the byte-level BPE tokeniser that a GGUF file describes.

    SmolLM2 (`tokenizer.ggml.pre` = smollm) splits off single digits before GPT-2's rule applies.
    """
    from tokenizers import Tokenizer, models, pre_tokenizers  # noqa: PLC0415 (extra `models`)

    vocabulary = {token: i for i, token in enumerate(tokens)}
    pairs = [(first, second) for first, second in (merge.split(" ") for merge in merges)]
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=pairs))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    return tokenizer
