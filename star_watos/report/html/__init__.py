"""A run as one self-contained page: its front, and why its designs cost what they cost."""
