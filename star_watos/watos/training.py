"""What is trained: model, sequence, batch, and the bytes of its number formats."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from star_watos.spec import Spec
from star_watos.units import Count, Tokens
from star_watos.workload import Attention, Model, load_model

WEIGHT_BYTES = 2.0
"""A 16-bit weight. This and the next two: mixed precision with Adam as in Rajbhandari et al. 2020
(ZeRO), gradients accumulated and reduced in 32 bits as Megatron-LM does with bf16."""
GRADIENT_BYTES = 4.0
OPTIMIZER_BYTES = 12.0
"""32-bit master weight and two moments."""
OPTIMIZER_TRAFFIC_BYTES = 30.0
"""An Adam step reads gradient, master and moments (16) and writes master, moments, weight (14)."""


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

    @property
    def attention_kind(self) -> Attention:
        """The attention kernel as the workload names it."""
        return Attention(self.attention)
