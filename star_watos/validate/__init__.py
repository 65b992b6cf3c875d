"""Published figures, and the comparison against them."""
