"""How well the algorithms of a core serve a real model: `star accuracy`."""

from star_watos.star.accuracy.profile import check_lengths, profile, save
from star_watos.star.accuracy.result import Accuracy, measure
from star_watos.star.accuracy.run import Perplexities, Run, read_tokens
from star_watos.star.accuracy.setting import Numbers, Setting, Sorter

__all__ = [
    "Accuracy",
    "Numbers",
    "Perplexities",
    "Run",
    "Setting",
    "Sorter",
    "check_lengths",
    "measure",
    "profile",
    "read_tokens",
    "save",
]
