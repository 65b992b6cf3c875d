"""The 2-D mesh between dies or cores: links and collectives."""
