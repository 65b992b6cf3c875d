"""What is trained: model, sequence, batch, and the bytes of its number formats."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from star_watos.spec import Spec
from star_watos.units import Count, Tokens
from star_watos.workload import Attention, Model, load_model

WEIGHT_BYTES = 2.0
"""A 16-bit weight. This and the next: mixed precision with Adam as in Rajbhandari et al. 2020
(ZeRO)."""
OPTIMIZER_BYTES = 12.0
"""32-bit master weight and two moments."""


class Training(Spec):
    """The workload of a wafer."""

    model: str
    """A shipped name or the path of a Hugging Face `config.json`."""
    seq_len: Annotated[Tokens, Field(ge=2, le=2**24)] = 4096
    """Tokens of one sequence."""
    global_batch: Annotated[Count, Field(le=2**24)] = 512
    """Sequences of one iteration."""
    attention: Literal["flash", "unfused"] = "flash"
    """Whether the square of scores is kept out of DRAM."""

    def load(self, beside: Path | None = None) -> Model:
        """Return the model; raises `InputError`."""
        return load_model(self.model, beside)

    precision: Literal["bf16", "fp16", "fp8"] = "bf16"
    """Format of weights and activations; products of `fp8` take 8-bit copies of them."""
    overlap: bool = True
    """Whether gradients and stages' results travel while devices work."""

    @property
    def gradient_bytes(self) -> float:
        """Bytes in which a gradient is added up and reduced: Megatron-LM takes fp32 but for fp16.

        >>> Training(model="llama2_7b").gradient_bytes
        4.0
        """
        return 2.0 if self.precision == "fp16" else 4.0

    @property
    def optimizer_traffic_bytes(self) -> float:
        """Bytes a parameter of an Adam step: gradient and states in, states and weight out."""
        return self.gradient_bytes + 2 * OPTIMIZER_BYTES + WEIGHT_BYTES

    @property
    def attention_kind(self) -> Attention:
        """The attention kernel as the workload names it."""
        return Attention(self.attention)
