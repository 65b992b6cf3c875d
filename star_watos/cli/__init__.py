"""The commands `star` and `watos`: parse, call one function, print."""
