"""One sparse-attention core: stages, tile pipeline, latency, energy, area."""
