"""What is served: a model, how long prompts and answers are, and what attention skips."""

from pathlib import Path
from typing import Annotated

from pydantic import Field

from star_watos.spec import Spec
from star_watos.units import Efficiency, Tokens
from star_watos.workload import Model, load_model


class Serving(Spec):
    """The workload of a wafer that serves a model."""

    model: str
    """A shipped name or the path of a Hugging Face `config.json`."""
    prompt_len: Annotated[Tokens, Field(ge=1, le=2**24)] = 2048
    """Tokens of a prompt."""
    output_len: Annotated[Tokens, Field(ge=1, le=2**24)] = 256
    """Tokens of an answer."""
    keep_ratio: Efficiency = 1.0
    """Share of the scores that attention computes: less than 1 on cores that predict, as STAR's."""
    load_ratio: Efficiency = 1.0
    """Share of cached keys and values that decode reads."""

    def load(self, beside: Path | None = None) -> Model:
        """Return the model; raises `InputError`."""
        return load_model(self.model, beside)

    @property
    def context(self) -> float:
        """Tokens that an answer has before it, on the mean.

        >>> Serving(model="llama3_8b", prompt_len=100, output_len=20).context
        110.0
        """
        return self.prompt_len + self.output_len / 2
