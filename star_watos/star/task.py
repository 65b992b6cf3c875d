"""The workload of a core: which attention, of which model, how sparse."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import Field, model_validator

from star_watos.cost import Column
from star_watos.spec import From, InputError, Spec
from star_watos.star.ratios import Ratios, layer_ratios
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

    def ratios(self, model: Model, exponent: float | None = None) -> list[Ratios]:
        """Return what each layer of `model` keeps at this length; see `layer_ratios`."""
        return layer_ratios(self.sparsity, model.n_layers, self.seq_len, exponent)

    def work(self, model: Model, exponent: float | None = None) -> AttentionWork:
        """Return the counts that the formulas take, equal layers as one group."""
        groups = Counter(self.ratios(model, exponent))
        keep, kv, load = (_column(ratios) for ratios in zip(*groups, strict=True))
        return AttentionWork(
            d_model=float(model.d_model),
            n_layers=_column(groups.values()),
            n_heads=float(model.n_heads),
            n_kv_heads=float(model.n_kv_heads),
            head_dim=float(model.head_dim),
            seq_len=float(self.seq_len),
            q_len=float(self.queries or self.seq_len),
            keep_ratio=keep,
            kv_ratio=kv,
            load_ratio=load,
            causal=self.causal,
        )


def _column(values: Iterable[float]) -> Column:
    """Return one number as itself, more than one as a column."""
    first, *rest = map(float, values)
    return np.array([first, *rest]) if rest else first
