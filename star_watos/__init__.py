"""Design-space exploration of sparse-attention cores (STAR) and wafer-scale training (WATOS)."""

__version__ = "0.1.0"
