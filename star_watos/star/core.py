"""The template of a sparse-attention core (`configs/cores/*.yaml`)."""

from typing import Annotated

from pydantic import Field, field_validator, model_validator

from star_watos.spec import From, Spec
from star_watos.technology.core import CoreTechnology
from star_watos.units import Bytes, BytesPerS, Count, Efficiency, Hertz, Real


class Dlzs(Spec):
    """Leading-zero predictor: `queries` x `columns` shift-add elements."""

    columns: Count
    """Keys (or tokens) worked on at once."""
    int8_rate: Annotated[Count, Field(le=4)] = 1
    """8-bit tokens that one element takes per cycle while it predicts K."""


class Sads(Spec):
    """Distributed sorter, one per query."""

    inputs: Annotated[Count, Field(ge=2, le=1024)]
    """Entries sorted in one step, those carried over included."""
    survivors: Count
    """Entries that leave a pass sorted, and are carried from step to step."""

    @field_validator("survivors")
    @classmethod
    def _fewer_than_inputs(cls, survivors: int, info: object) -> int:
        inputs = getattr(info, "data", {}).get("inputs")
        if inputs is not None and survivors >= inputs:
            raise ValueError(f"expected fewer than inputs ({inputs}), got {survivors}")
        return survivors


class KvGeneration(Spec):
    """16-bit array that makes the K and V rows of kept tokens."""

    columns: Count
    """Tokens worked on at once; the rows hold features."""


class Sufa(Spec):
    """Sorted-updating FlashAttention: half of the columns for Q Kᵀ, half for S V."""

    columns: Annotated[Count, Field(multiple_of=2)]
    """16-bit elements of one query."""
    rass_steps: Annotated[Real, Field(ge=1, le=64)] = 1.0
    """Steps that a RASS schedule takes for one of the query that keeps most; 1 if none waits."""


class Sram(Spec):
    """One buffer of the core."""

    capacity_bytes: Annotated[Bytes, Field(alias="capacity", ge=1024, le=2**32)]
    """Usable bytes."""
    banks: Annotated[Count, Field(le=4096)]
    """Banks that work in parallel, one access a cycle each."""
    word_bits: Annotated[Count, Field(ge=8, le=8192)]
    """Width of one bank."""

    @model_validator(mode="after")
    def _holds_a_word_a_bank(self) -> "Sram":
        if self.capacity_bytes < self.width_bytes:
            raise ValueError(
                f"{self.banks} banks of {self.word_bits} bits hold at least "
                f"{self.width_bytes:,.0f} B, but capacity is {self.capacity_bytes:,.0f} B"
            )
        return self

    @property
    def width_bytes(self) -> float:
        """Bytes that all banks together move in one cycle."""
        return self.banks * self.word_bits / 8


class SramSet(Spec):
    """The three buffers."""

    token: Sram
    """Tokens, queries and predicted keys."""
    weight: Sram
    """Weights, as leading-zero codes and as 16-bit values."""
    temp: Sram
    """Scores, kept identifiers, K and V rows on their way."""


class Dram(Spec):
    """Off-chip memory."""

    bandwidth_bytes_per_s: Annotated[BytesPerS, Field(alias="bandwidth", gt=0)]
    """Bytes per second at the pins, all channels."""
    efficiency: Efficiency = 1.0
    """Share of the bandwidth that long bursts sustain, refresh and turn-arounds taken off."""
    burst_bytes: Annotated[Bytes, Field(alias="burst", ge=1, le=4096)] = 1.0
    """Least that one access moves; what is shorter is rounded up."""
    page_bytes: Annotated[Bytes, Field(alias="page", ge=64, le=65536)] = 1024.0
    """What one activation opens."""
    activations_hz: Annotated[Hertz, Field(alias="activations", gt=0, le=1e12)] = 1e12
    """Pages a second that all channels together can open."""

    @model_validator(mode="after")
    def _page_holds_a_burst(self) -> "Dram":
        if self.page_bytes < self.burst_bytes:
            raise ValueError(
                f"a page of {self.page_bytes:g} B is shorter than a burst of {self.burst_bytes:g} B"
            )
        return self


class Core(Spec):
    """One core, as a file says it."""

    name: str
    """Shown in reports."""
    technology: Annotated[CoreTechnology, From("configs/technologies")]
    """Unit costs: a shipped name, a path, or the constants themselves."""
    node_nm: Annotated[Real, Field(alias="node", ge=7, le=180)]
    """Node to which unit costs are scaled, in nm."""
    frequency_hz: Annotated[Hertz, Field(alias="frequency", gt=0, le=1e11)]
    """Clock of the whole core."""
    queries: Annotated[Count, Field(le=65536)]
    """Queries served in parallel: rows of every array."""
    dlzs: Dlzs
    sads: Sads
    kv_generation: KvGeneration
    sufa: Sufa
    score_bits: Annotated[Count, Field(le=64)]
    """Width of a predicted score."""
    sram: SramSet
    dram: Dram
