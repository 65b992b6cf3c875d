"""Real weights, run in NumPy, for the query, key and value tensors inside (extra `models`)."""

from star_watos.tensors.attention import Attend, AttentionInput, Rotation, dense
from star_watos.tensors.catalog import CATALOG, RealModel, load_real_model
from star_watos.tensors.llama import Llama
from star_watos.tensors.text import Text, read_text

__all__ = [
    "CATALOG",
    "Attend",
    "AttentionInput",
    "Llama",
    "RealModel",
    "Rotation",
    "Text",
    "dense",
    "load_real_model",
    "read_text",
]
