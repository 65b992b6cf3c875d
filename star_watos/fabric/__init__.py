"""The 2-D mesh between dies or cores: links and collectives."""

from star_watos.fabric.ring import all_reduce_byte_hops, all_reduce_s, has_cycle

__all__ = ["all_reduce_byte_hops", "all_reduce_s", "has_cycle"]
