"""The template of a switched GPU cluster (`configs/clusters/*.yaml`).

Each part may be the name of a file that more than one cluster uses, such as
`configs/clusters/gpu/a100_80gb.yaml`.
"""

from typing import Annotated

from pydantic import Field

from star_watos.spec import Constant, From, Spec
from star_watos.units import Bytes, BytesPerS, Count, Efficiency, FlopsPerS, Real, Seconds, Watts

Rate = Constant[Annotated[BytesPerS, Field(gt=0)]]
Span = Constant[Annotated[Seconds, Field(ge=0, le=1)]]
Share = Constant[Efficiency]
NO = Constant[bool](value=False, source="not said")
"""What software does not do unless a file says so."""
Moved = Constant[Annotated[Real, Field(ge=0, le=1000)]]
NOTHING = Moved(value=0, source="not said")
"""What a step moves beside Adam's own unless a file says so."""


class Tile(Spec):
    """The piece of a product that one multiprocessor works on."""

    rows: Annotated[Count, Field(le=4096)]
    cols: Annotated[Count, Field(le=4096)]


class Gemms(Spec):
    """How fast products are: a measured table, or waves of tiles at a share of the peak."""

    table: Constant[str] | None = None
    """CSV of m, n, k and latency_ms, shipped or by path; waves of tiles where there is none."""
    share: Share
    """Share of the peak that long products reach, which none exceeds for hours: short ones were
    measured at clocks that power does not allow for long."""
    weights_share: Share
    """Rate of the gradient of weights over that of the forward product of the same size."""
    tile: Tile
    """Tile of a wave; used where there is no table."""
    fp8_speedup: Constant[Annotated[Real, Field(ge=1, le=8)]]
    """Rate of 8-bit products over that of 16-bit ones."""


class Grouped(Spec):
    """How fast the products of several experts in one kernel are."""

    table: Constant[str]
    """CSV of rows of an expert and shares of the peak: forward, data and weights (gradients)."""
    plain: Share
    """Share of the peak that products one by one reach on the table's device."""


class Experts(Spec):
    """How fast experts of a mixture are, and what brings tokens to them."""

    grouped: Grouped
    sorting: Share
    """Share of the memory bandwidth that copying and sorting tokens reach."""


class Flash(Spec):
    """How fast flash attention is."""

    table: Constant[str]
    """CSV of head_dim, seq_len, forward_tflops and backward_tflops, the causal half counted."""
    scale: Constant[Annotated[Real, Field(ge=1e-9, le=100)]]
    """What this device does over what the table's did."""


class Streams(Spec):
    """Shares of the memory bandwidth that kernels reach, reads and writes together."""

    elementwise: Share
    norm: Share
    unfused_attention: Share
    """Products, softmax and dropout over the square of scores that is written out."""


class Launches(Spec):
    """Seconds of the host to start one kernel; the device works meanwhile."""

    gemm: Span
    norm: Span
    softmax: Span
    elementwise: Span
    collective: Span


class Gpu(Spec):
    """One device."""

    peak_flops_per_s: Annotated[
        Constant[Annotated[FlopsPerS, Field(gt=0)]], Field(alias="peak_flops")
    ]
    """Dense 16-bit FLOP/s, a MAC being 2."""
    multiprocessors: Annotated[Count, Field(le=4096)]
    memory_bytes: Annotated[Constant[Annotated[Bytes, Field(gt=0)]], Field(alias="memory")]
    """What programs can allocate."""
    memory_bandwidth_bytes_per_s: Annotated[Rate, Field(alias="memory_bandwidth")]
    power_w: Annotated[Constant[Watts], Field(alias="power")]
    """Board power under load; energy is this times the iteration."""


class Network(Spec):
    """What joins devices; bandwidths are of one device in one direction."""

    gpus_per_node: Annotated[Count, Field(le=1024)]
    node_bandwidth_bytes_per_s: Annotated[Rate, Field(alias="node_bandwidth")]
    """Into the switches of a node."""
    node_latency_s: Annotated[Span, Field(alias="node_latency")]
    """Of one step of a ring inside a node."""
    between_bandwidth_bytes_per_s: Annotated[Rate, Field(alias="between_bandwidth")]
    """Into the network between nodes."""
    between_latency_s: Annotated[Span, Field(alias="between_latency")]
    share: Share
    """Share of these bandwidths that long transfers reach."""
    all_reduce_table: Constant[str] | None = None
    """CSV of n, size_bytes and time_us of all-reduces inside a node."""


class Software(Spec):
    """What the training framework does."""

    loss_bytes_per_logit: Constant[Annotated[Real, Field(gt=0, le=1000)]]
    """Traffic of softmax and cross-entropy, forward and backward."""
    loss_in_place: Constant[bool] = NO
    """Whether gradients of logits are written over them; else a softmax in fp32 is kept beside."""
    adds_gradients: Constant[bool]
    """Whether the product of a gradient of weights adds to earlier microbatches' as it writes; else
    a kernel of its own does."""
    placeholders: Constant[bool] = NO
    """Whether gradients that products add up in place leave empty tensors of the weights' shapes,
    one a shape for all layers, and one of the head's while it goes backward."""
    step_bytes: Moved = NOTHING
    """Bytes of memory that a step moves for a parameter beside Adam's: copies, norm, clipping."""
    exchanges_heads: Constant[bool] = NO
    """Whether devices that share a sequence (CP) swap it for heads in all-to-alls before attention
    and back after it; else keys and values go round them."""
    pipelined_tp: Constant[bool]
    """Whether collectives of sequence-parallel TP groups are cut in pieces that travel beside the
    products (`--tp-comm-overlap` of Megatron-LM)."""
    gathers_ahead: Constant[bool]
    """Whether weights that ZeRO-3 splits are gathered for the next layer while one goes backward
    (`BACKWARD_PRE` of PyTorch's FSDP)."""


class Cluster(Spec):
    """Nodes of GPUs behind switches."""

    name: str
    """Shown in reports."""
    devices: Annotated[Count, Field(le=2**20)]
    """GPUs that take part unless a run says otherwise."""
    gpu: Annotated[Gpu, From("configs/clusters/gpu")]
    gemms: Annotated[Gemms, From("configs/clusters/gemms")]
    flash: Annotated[Flash, From("configs/clusters/flash")]
    streams: Annotated[Streams, From("configs/clusters/streams")]
    launches: Annotated[Launches, From("configs/clusters/launches")]
    network: Annotated[Network, From("configs/clusters/network")]
    software: Annotated[Software, From("configs/clusters/software")]
    experts: Annotated[Experts | None, From("configs/clusters/experts")] = None
    """Left out, experts' products are as fast as one, and tokens are moved as by any kernel."""

    def stream_bytes_per_s(self, share: Share) -> float:
        """Bytes a second of kernels that reach `share` of the memory bandwidth."""
        return self.gpu.memory_bandwidth_bytes_per_s.value * share.value

    @property
    def elementwise_bytes_per_s(self) -> float:
        """Bytes a second of element-wise kernels."""
        return self.stream_bytes_per_s(self.streams.elementwise)

    @property
    def sustained_flops_per_s(self) -> float:
        """FLOP/s that long products reach."""
        return self.gpu.peak_flops_per_s.value * self.gemms.share.value
