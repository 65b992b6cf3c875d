"""How much of the attention a predictor keeps, with the evidence for it."""

from typing import Annotated

from pydantic import Field, model_validator

from star_watos.spec import Spec
from star_watos.units import Real, Tokens

Ratio = Annotated[Real, Field(gt=0, le=1)]


class Sparsity(Spec):
    """A sparsity profile (`configs/sparsity/*.yaml`)."""

    name: str
    """Shown in reports."""
    keep_ratio: Ratio
    """k / S: a query keeps its k best keys, or all it sees while it sees fewer."""
    kv_ratio: Ratio
    """Share of the tokens whose K, V rows are generated, and of a tile's rows that are loaded."""
    accuracy_loss: Annotated[Real, Field(ge=0, le=1)]
    """Loss of task accuracy at which the ratios were measured."""
    seq_len: Tokens
    """Longest sequence at which they were measured."""
    source: Annotated[str, Field(min_length=8)]
    """Where they were measured."""

    @model_validator(mode="after")
    def _generates_what_it_keeps(self) -> "Sparsity":
        if self.kv_ratio < self.keep_ratio:
            raise ValueError(
                f"kv_ratio {self.kv_ratio} is below keep_ratio {self.keep_ratio}: "
                "keys are kept whose K and V would never be generated"
            )
        return self
