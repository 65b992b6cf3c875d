"""How the models of each Hugging Face `model_type` spell their numbers.

Only what decides work or memory is read. What is done to single elements inside an operator (which
activation, soft caps, scaled embeddings) is not, nor is which part of a head is rotated: the rest
of it is copied. The defaults are those of the configuration classes in Hugging Face transformers
4.46, and 4.57 for families that are younger.
"""

from star_watos.workload.families_gpt import GPT_LIKE
from star_watos.workload.families_llama import LLAMA_LIKE

FAMILIES = {**GPT_LIKE, **LLAMA_LIKE}
"""By `model_type`."""
