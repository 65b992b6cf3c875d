"""One wafer training an LLM: plans, memory, iteration time, energy."""
