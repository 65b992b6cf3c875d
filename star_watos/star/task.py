"""The workload of a core: which attention, of which model, how sparse."""

from collections import Counter
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import Field, model_validator

from star_watos.cost import Column
from star_watos.spec import InputError, Spec
from star_watos.star.between import AnyProfile, Between
from star_watos.star.in_order import in_order_distinct
from star_watos.star.ratios import Ratios, layer_ratios
from star_watos.star.sparsity import Sparsity
from star_watos.star.work import AttentionWork
from star_watos.units import Tokens
from star_watos.workload import Model, load_model

MAX_CHUNKS = 4096
"""Most chunks of a prefill: each is evaluated with every layer and tile."""
QUERY_TILE = 128
"""Queries of which a profile's `load_ratio` is taken where it does not say: SOFA's rows."""


class Phase(StrEnum):
    """Which part of inference it is."""

    PREFILL = "prefill"
    """The whole text at once; nothing is known of it before."""
    CHUNKED = "chunked"
    """The whole text in chunks of `queries` tokens; those before are cached."""
    DECODE = "decode"
    """The last `queries` tokens, one or as many as are speculated; those before are cached."""


class AttentionTask(Spec):
    """Attention of all layers of a model over one sequence."""

    model: str
    """A shipped name or the path of a Hugging Face `config.json`."""
    seq_len: Annotated[Tokens, Field(le=2**34)]
    """Keys."""
    queries: Annotated[Tokens, Field(le=2**34)] | None = None
    """Queries at the end of the sequence, or of each chunk; all of it (prefill) when left out."""
    phase: Phase | None = None
    """`prefill`, `chunked` or `decode`; prefill without `queries`, else decode."""
    sparsity: AnyProfile
    """How much is kept: a shipped name, a path, the profile itself, or `between` profiles."""
    causal: bool = True
    """Whether a query sees only the keys before it."""

    @model_validator(mode="after")
    def _queries_within(self) -> "AttentionTask":
        if self.queries is not None and self.queries > self.seq_len:
            raise ValueError(f"{self.queries} queries, but only {self.seq_len} keys")
        return self

    @model_validator(mode="after")
    def _phase_has_its_queries(self) -> "AttentionTask":
        if self.phase is Phase.CHUNKED and self.queries is None:
            raise ValueError("phase chunked needs queries, the tokens of a chunk")
        if self.phase is Phase.CHUNKED and self.seq_len > MAX_CHUNKS * self.asked:
            raise ValueError(
                f"expected {MAX_CHUNKS:,} chunks at most, got {-(-self.seq_len // self.asked):,}"
            )
        if self.phase is Phase.PREFILL and self.asked != self.seq_len:
            raise ValueError(f"phase prefill has all {self.seq_len} tokens as queries")
        if not self.causal and self.phase is Phase.CHUNKED:
            raise ValueError("phase chunked is causal: a chunk cannot see those after it")
        return self

    @property
    def asked(self) -> int:
        """Queries of a step: `queries`, one in decoding and all in prefill if left out."""
        if self.queries is not None:
            return self.queries
        return 1 if self.phase is Phase.DECODE else self.seq_len

    @property
    def step(self) -> Phase:
        """The phase, as given or as `queries` tell it."""
        if self.phase is not None:
            return self.phase
        return Phase.PREFILL if self.asked == self.seq_len else Phase.DECODE

    @property
    def profile(self) -> Sparsity:
        """What is kept."""
        given = self.sparsity
        return given.profile() if isinstance(given, Between) else given

    def load(self, beside: Path | None = None) -> Model:
        """Return the model; raises `InputError` where a core of this kind cannot run it."""
        model = load_model(self.model, beside)
        if model.mla is not None:
            text = "latent attention (MLA) has no K/V rows of its own; star models MHA and GQA"
            raise InputError.of(self.model, text)
        return model

    def ratios(self, model: Model, exponent: float | None = None) -> list[Ratios]:
        """Return what each layer of `model` keeps at this length; see `layer_ratios`."""
        return layer_ratios(self.profile, model.n_layers, self.seq_len, exponent)

    def work(self, model: Model, exponent: float | None = None) -> AttentionWork:
        """Return the counts that the formulas take, equal layers (and chunks) as one group."""
        layers = Counter(self.ratios(model, exponent))
        groups = [(r, n, ends) for r, n in layers.items() for ends in self._chunks()]
        together = [r.group_load_ratio for r, _, _ in groups]
        ends = _column(end for _, _, (_, end) in groups)
        starts = _column(start for _, _, (start, _) in groups)
        measured = self.profile.measured
        return AttentionWork(
            d_model=float(model.d_model),
            n_layers=_column(n for _, n, _ in groups),
            n_heads=float(model.n_heads),
            n_kv_heads=float(model.n_kv_heads),
            head_dim=float(model.head_dim),
            seq_len=ends,
            q_len=ends - starts,
            keep_ratio=_column(r.keep_ratio for r, _, _ in groups),
            kv_ratio=_column(r.kv_ratio for r, _, _ in groups),
            load_ratio=_column(r.load_ratio for r, _, _ in groups),
            load_rows=float(measured.query_tile if measured else QUERY_TILE),
            group_load_ratio=None if None in together else _column(t or 0.0 for t in together),
            group_heads=float((measured and measured.group_heads) or 1),
            causal=self.causal,
            cached=0.0 if self.step is Phase.PREFILL else starts,
            in_order_distinct=in_order_distinct(),
            whole_len=float(self.seq_len),
        )

    def _chunks(self) -> list[tuple[int, int]]:
        """Return the first query and the end of each step."""
        end, step = self.seq_len, self.asked
        if self.step is not Phase.CHUNKED:
            return [(end - step, end)]
        return [(start, min(start + step, end)) for start in range(0, end, step)]


def _column(values: Iterable[float]) -> Column:
    """Return one number as itself, more than one as a column."""
    first, *rest = map(float, values)
    return np.array([first, *rest]) if rest else first
