"""The workload of a core: which attention, of which model, how sparse."""

from pathlib import Path
from typing import Annotated

from pydantic import Field, model_validator

from star_watos.spec import From, InputError, Spec
from star_watos.star.sparsity import Sparsity
from star_watos.star.work import AttentionWork
from star_watos.units import Tokens
from star_watos.workload import Model, load_model


class AttentionTask(Spec):
    """Attention of all layers of a model over one sequence."""

    model: str
    """A shipped name or the path of a Hugging Face `config.json`."""
    seq_len: Annotated[Tokens, Field(le=2**34)]
    """Keys."""
    queries: Annotated[Tokens, Field(le=2**34)] | None = None
    """Queries, at the end of the sequence; all of it (prefill) when left out."""
    sparsity: Annotated[Sparsity, From("configs/sparsity")]
    """How much is kept: a shipped name, a path, or the profile itself."""
    causal: bool = True
    """Whether a query sees only the keys before it."""

    @model_validator(mode="after")
    def _queries_within(self) -> "AttentionTask":
        if self.queries is not None and self.queries > self.seq_len:
            raise ValueError(f"{self.queries} queries, but only {self.seq_len} keys")
        return self

    def load(self, beside: Path | None = None) -> Model:
        """Return the model; raises `InputError` where a core of this kind cannot run it."""
        model = load_model(self.model, beside)
        if model.mla is not None:
            text = "latent attention (MLA) has no K/V rows of its own; star models MHA and GQA"
            raise InputError.of(self.model, text)
        return model

    def work(self, model: Model) -> AttentionWork:
        """Return the counts that the formulas take."""
        return AttentionWork(
            d_model=float(model.d_model),
            n_layers=float(model.n_layers),
            n_heads=float(model.n_heads),
            n_kv_heads=float(model.n_kv_heads),
            head_dim=float(model.head_dim),
            seq_len=float(self.seq_len),
            q_len=float(self.queries or self.seq_len),
            keep_ratio=self.sparsity.keep_ratio,
            kv_ratio=self.sparsity.kv_ratio,
            causal=self.causal,
        )

    def note(self) -> str | None:
        """Return a warning where the profile is used beyond the length it was measured at."""
        if self.seq_len <= self.sparsity.seq_len:
            return None
        return (
            f"keep ratio {self.sparsity.keep_ratio:g} was measured up to "
            f"{self.sparsity.seq_len:,} tokens and is held constant up to {self.seq_len:,}"
        )
