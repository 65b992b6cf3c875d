"""Bit-accurate models of the algorithms of STAR and SOFA, run on real tensors."""
