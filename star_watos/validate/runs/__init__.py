"""Measured training runs, what the model predicts for them, and how far off it is."""
