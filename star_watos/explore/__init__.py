"""Search over hardware and mappings: space, sampler, Pareto front, files of a run."""
